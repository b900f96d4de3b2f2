const blocks = ' ▁▂▃▄▅▆▇█'

/**
 * Counts as bars, `rows` lines high, by their logarithm (high activations are rare). A count of 1 is the
 * thinnest bar, the count `full` fills the height.
 * @param full default: the largest count; bars to be compared share one
 */
export function renderBars(counts: readonly number[], rows: number, full = Math.max(1, ...counts)): string[] {
  const tallest = Math.log1p(full)
  const heights = counts.map((count) =>
    count === 0 ? 0 : Math.max(1, Math.round((Math.log1p(count) / tallest) * rows * 8)),
  )
  return Array.from({ length: rows }, (_, row) => {
    const base = (rows - 1 - row) * 8
    return heights
      .map((height) => blocks[Math.min(8, Math.max(0, height - base))])
      .join('')
      .trimEnd()
  })
}
