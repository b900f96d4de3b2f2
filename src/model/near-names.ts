/** The names that look most like one that does not exist, best first: what a message suggests. */
export function nearNames(wanted: string, names: readonly string[], count = 5): string[] {
  const distances = names.map((name) => ({ name, distance: editDistance(wanted, name) }))
  distances.sort((a, b) => a.distance - b.distance)
  return distances.slice(0, count).map(({ name }) => name)
}

/** Levenshtein's: insertions, deletions and replacements of characters that make `b` of `a`. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]
}
