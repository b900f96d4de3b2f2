const blocks = ' ▁▂▃▄▅▆▇█'

/**
 * Counts as bars, `rows` lines high, by their logarithm (high activations are rare). A count of 1 is the
 * thinnest bar, the largest count fills the height.
 */
export function renderBars(counts: readonly number[], rows: number): string[] {
  const tallest = Math.log1p(Math.max(1, ...counts))
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
