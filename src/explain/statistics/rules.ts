import type { TokenStatistics } from '../../features/feature-store.js'
import type { UnitStatistics } from '../collect-evidence.js'
import type { Example } from '../evidence.js'
import { contextClasses, tokenClasses } from './text-classes.js'

/** How often a unit is active on something, and how strongly when it is. */
export interface Rate {
  /** P(active), with a little of the unit's density mixed in where there is little text */
  probability: number
  /** mean activation when active */
  activation: number
  /** share of the unit's fires that this accounts for */
  share: number
}

/**
 * What the statistics say of one unit, no longer than can be read: a rate for each of its main tokens, one for each kind of token that the
 * rest belongs to, and how much more often than on average it is active after certain tokens and in certain kinds of text.
 */
export interface Rules {
  density: number
  /** by token, the largest share of the activation first */
  tokens: ReadonlyMap<number, Rate>
  /** by token class, of the tokens that have no rate of their own */
  classes: ReadonlyMap<number, Rate>
  /** by token class, of all its tokens: what an explanation says, not used to predict */
  wholeClasses: ReadonlyMap<number, Rate>
  /** log P(active | token before) / P(active), by that token; `otherPrevious` for all others */
  previous: ReadonlyMap<number, number>
  otherPrevious: number
  /** share of the fires after each of these tokens */
  previousShare: ReadonlyMap<number, number>
  /** log P(active | kind of text) / P(active), by context class */
  contexts: ReadonlyMap<number, number>
  contextShare: ReadonlyMap<number, number>
  /** token sequences that set the unit off by themselves though their last token does not, by that token */
  sequences: ReadonlyMap<number, readonly Sequence[]>
  /** whether most strong examples need more than their own token; null when that was not asked of the model */
  needsContext: boolean | null
}

/** Tokens that stand before a token, and how active the unit is on it then. */
export interface Sequence {
  before: readonly number[]
  activation: number
}

/** A strong example with the tokens that it needs, its own included; null when even the longest that was tried is not enough. */
export interface ShortenedExample {
  example: Example
  length: number | null
}

export interface RuleOptions {
  /** tokens that get a rate of their own, and previous tokens that count; default 32, as many as a feature's page shows */
  maxTokens?: number
  /** token classes with a rate; default 3 */
  maxClasses?: number
}

/** Pseudo-counts: text positions on which the unit behaves as on average, added to what was seen. */
const doubt = { token: 2, previous: 4, context: 20 }

/** A class has to account for this share of the fires to become a rule. */
const leastClassShare = 0.03

/** ... and the unit has to be active on at least this share of the class: else naming the class says little. */
const leastClassProbability = 0.25

/**
 * The rules of one unit.
 * @param classOf [V] class of each token
 */
export function findRules(
  statistics: UnitStatistics,
  classOf: Uint8Array,
  options: RuleOptions = {},
  shortened: readonly ShortenedExample[] = [],
): Rules {
  const { maxTokens = 32, maxClasses = 3 } = options
  const { fires, positions, on, after, within } = statistics
  const density = fires / positions
  const rate = ({ active, occurrences, activationSum }: Counts, pseudo: number): Rate => ({
    probability: (active + pseudo * density) / (occurrences + pseudo),
    activation: active > 0 ? activationSum / active : 0,
    share: active / fires,
  })
  const main = on.slice(0, maxTokens)
  const lift = ({ active, occurrences }: Counts, pseudo: number): number =>
    Math.log((active + pseudo * density) / (occurrences + pseudo) / density)
  const previous = after.slice(0, maxTokens)
  const whole = classTotals(statistics, classOf, on)
  const rest = new Map(whole)
  for (const row of main) rest.set(classOf[row.token], minus(rest.get(classOf[row.token]) ?? none, row))
  const classes = [...rest]
    .filter(
      ([, { active, occurrences }]) =>
        active >= leastClassShare * fires && active >= leastClassProbability * occurrences,
    )
    .sort(([a, x], [b, y]) => y.activationSum - x.activationSum || a - b)
    .slice(0, maxClasses)
  return {
    density,
    tokens: new Map(main.map((row) => [row.token, rate(row, doubt.token)])),
    classes: new Map(classes.map(([id, counts]) => [id, rate(counts, doubt.context)])),
    wholeClasses: new Map([...whole].map(([id, counts]) => [id, rate(counts, doubt.context)])),
    previous: new Map(previous.map((row) => [row.token, lift(row, doubt.previous)])),
    otherPrevious: lift(
      previous.reduce<Counts>(minus, { active: fires, occurrences: positions, activationSum: 0 }),
      doubt.context,
    ),
    previousShare: new Map(previous.map((row) => [row.token, row.active / fires])),
    contexts: new Map(
      contextClasses.map((_, id) => {
        const row = within.find(({ token }) => token === id)
        return [id, row ? lift(row, doubt.context) : unseenContext]
      }),
    ),
    contextShare: new Map(within.map((row) => [row.token, row.active / fires])),
    ...sequenceRules(shortened),
  }
}

/** Longer sequences would hardly come again in other text. */
const longestSequence = 3

function sequenceRules(shortened: readonly ShortenedExample[]): Pick<Rules, 'sequences' | 'needsContext'> {
  const sequences = new Map<number, Sequence[]>()
  for (const { example, length } of shortened) {
    if (length === null || length < 2 || length > longestSequence) continue
    const { tokens, tokenIndex, activations } = example
    const before = tokens.slice(tokenIndex + 1 - length, tokenIndex)
    const sequence = { before, activation: activations[tokenIndex] }
    sequences.set(tokens[tokenIndex], [...(sequences.get(tokens[tokenIndex]) ?? []), sequence])
  }
  const needing = shortened.filter(({ length }) => length !== 1).length
  return { sequences, needsContext: shortened.length > 0 ? 2 * needing > shortened.length : null }
}

/** Lift of a kind of text in which the unit was never active. */
const unseenContext = Math.log(0.1)

type Counts = Pick<TokenStatistics, 'active' | 'occurrences' | 'activationSum'>

const none: Counts = { active: 0, occurrences: 0, activationSum: 0 }

const minus = (a: Counts, b: Counts): Counts => ({
  active: a.active - b.active,
  occurrences: a.occurrences - b.occurrences,
  activationSum: a.activationSum - b.activationSum,
})

/** Fires and occurrences of whole token classes. */
function classTotals(
  { occurrences }: UnitStatistics,
  classOf: Uint8Array,
  on: readonly TokenStatistics[],
): Map<number, Counts> {
  const totals = tokenClasses.map(() => ({ ...none }))
  for (let token = 0; token < occurrences.length; token++)
    totals[classOf[token]].occurrences += occurrences[token]
  for (const { token, active, activationSum } of on) {
    totals[classOf[token]].active += active
    totals[classOf[token]].activationSum += activationSum
  }
  return new Map(
    totals.map((counts, id): [number, Counts] => [id, counts]).filter(([, { active }]) => active > 0),
  )
}
