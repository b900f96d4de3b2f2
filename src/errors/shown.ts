/** How a value of a file stands in a message: as JSON, without control characters, not too long. */
export function shown(value: unknown): string {
  const text = typeof value === 'bigint' ? String(value) : jsonOf(value)
  return text.length > 120 ? `${text.slice(0, 100)}…` : text
}

function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'nothing'
  } catch {
    return 'a value that is nested too deep'
  }
}
