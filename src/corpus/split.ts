import { Random } from '../random/random.js'

/** What the split needs to know of a document. */
export interface SplitInput {
  kind: string
  group: string
  bytes: number
}

/**
 * Decides for each document whether it is held out: per kind, groups in a seeded random order until they make up
 * `fraction` of the kind's bytes. A kind with two groups or more has at least one on either side; documents of one group stay
 * together.
 * @returns true for validation, [documents]
 */
export function chooseValidation(
  documents: readonly SplitInput[],
  fraction: number,
  seed: number,
): boolean[] {
  const kinds = new Map<string, Map<string, number>>()
  for (const { kind, group, bytes } of documents) {
    const groups = kinds.get(kind) ?? new Map<string, number>()
    kinds.set(kind, groups.set(group, (groups.get(group) ?? 0) + bytes))
  }
  const held = new Map<string, Set<string>>()
  for (const [kind, groups] of kinds)
    held.set(kind, chooseGroups(groups, fraction, Random.named(seed, `split ${kind}`)))
  return documents.map(({ kind, group }) => held.get(kind)?.has(group) === true)
}

function chooseGroups(groups: Map<string, number>, fraction: number, random: Random): Set<string> {
  const sizeOf = (group: string): number => groups.get(group) as number
  const shuffled = random.shuffle([...groups.keys()])
  const wanted = fraction * shuffled.reduce((sum, group) => sum + sizeOf(group), 0)
  // One large file must not be most of what is measured: groups above a tenth of the share come last.
  const isSmall = (group: string): boolean => sizeOf(group) <= wanted / 10
  const order = [...shuffled.filter(isSmall), ...shuffled.filter((group) => !isSmall(group))]
  const chosen = new Set<string>()
  let bytes = 0
  for (const group of order.slice(0, -1)) {
    const size = sizeOf(group)
    // A large group that would overshoot by more than it fills waits for a smaller one.
    if (chosen.size > 0 && bytes + size / 2 > wanted) continue
    chosen.add(group)
    bytes += size
    if (bytes >= wanted) break
  }
  return chosen
}
