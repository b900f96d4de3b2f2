import { type CommKind, type CommReport, exchangeSeconds, roundsAndBytes } from './comm-model.js'

/** One training step as one rank of a mesh sees it. */
export interface RankStep {
  architecture: string
  /** D */
  d: number
  /** F of the whole autoencoder, and K: active features of a token */
  features: number
  k: number
  /** B of all ranks together */
  batchSize: number
  featureRanks: number
  dataRanks: number
  gradients: 'f32' | 'bf16'
  /** nested parts of a Matryoshka dictionary; default 1 */
  prefixes?: number
}

const exchangedThings = ['candidates', 'reconstructions', 'gradients', 'statistics'] as const

export type ExchangedThing = (typeof exchangedThings)[number]

/** Something that the ranks of a group do together `times` times in a step, with `bytes` as in `roundsAndBytes`. */
export interface StepExchange {
  what: ExchangedThing
  kind: CommKind
  ranks: number
  bytes: number
  times: number
}

const keyBytes = 8 // a value and its id
const doubleBytes = 8
/** Histograms of the bits of all values, native/sae_exchange.cc: 11, 10 and 10 bits at a time. */
const thresholdBins = [2048, 1024, 1024]
/** Features whose gradients cross at once, and what a feature has besides its rows: native/sae_replicas.cc, sae_pair.h */
const blockFeatures = 2048
const scalarBytes = 9 * doubleBytes

/** N, rows of the rank that has most */
export const rowsOf = ({ batchSize, dataRanks }: Pick<RankStep, 'batchSize' | 'dataRanks'>): number =>
  Math.ceil(batchSize / dataRanks)

/** Features of the rank that has most */
export const featuresOf = ({ features, featureRanks }: Pick<RankStep, 'features' | 'featureRanks'>): number =>
  Math.ceil(features / featureRanks)

/**
 * Features of a rank that are active on some token of the batch, whose gradients cross: all features as likely as each other. Real features are not, so
 * that fewer are active; where B K is many times F, all are.
 */
export function activeFeatures(step: RankStep): number {
  const share = Math.min(1, step.k / step.features)
  return featuresOf(step) * -Math.expm1(step.batchSize * Math.log1p(-share))
}

/**
 * What the kernels exchange in one step, AuxK left out (`auxKExchanges`). What `communicator.traffic()` counts is the sum of `roundsAndBytes(...).sent`.
 */
export function stepExchanges(step: RankStep): StepExchange[] {
  const all = [...amongFeatures(step), ...amongReplicas(step)]
  return all.filter(({ ranks, times, bytes }) => ranks > 1 && times > 0 && bytes > 0)
}

/** Between ranks with other features: who has the largest, what all features together reconstruct, and a few sums. */
function amongFeatures(step: RankStep): StepExchange[] {
  const { architecture, d, k, featureRanks: ranks, prefixes = 1 } = step
  const rows = rowsOf(step)
  const reconstructions = prefixes + (architecture === 'gated' ? 1 : 0)
  return [
    ...(architecture === 'topk' ? largestOfRows(rows, k, ranks) : []),
    ...(byBatch(architecture) ? thresholdOfBatch(ranks) : []),
    { what: 'reconstructions', kind: 'sum', ranks, bytes: 4 * rows * d * reconstructions, times: 1 },
    // b_dec's gradient through the encoders
    { what: 'statistics', kind: 'sum', ranks, bytes: 4 * d, times: 1 },
    { what: 'statistics', kind: 'sum', ranks, bytes: doubleBytes, times: 4 },
  ]
}

/** Between ranks with the same features: gradients of what was active on any of them. */
function amongReplicas(step: RankStep): StepExchange[] {
  const { architecture, d, dataRanks: ranks, gradients } = step
  const active = activeFeatures(step)
  const blocks = Math.ceil(active / blockFeatures)
  const passes = clips(architecture) ? 2 : 1
  const [kind, width] = gradients === 'bf16' ? (['sumInBf16', 2] as const) : (['sum', 4] as const)
  const perBlock = active / Math.max(1, blocks)
  return [
    ...(byBatch(architecture) ? thresholdOfBatch(ranks) : []),
    // which features: a bit for each
    { what: 'gradients', kind: 'allGather', ranks, bytes: (ranks * featuresOf(step)) / 8, times: 1 },
    { what: 'gradients', kind, ranks, bytes: perBlock * 2 * d * width, times: blocks * passes },
    { what: 'gradients', kind: 'sum', ranks, bytes: perBlock * scalarBytes, times: blocks * passes },
    { what: 'statistics', kind: 'sum', ranks, bytes: 4 * d, times: 2 },
    { what: 'statistics', kind: 'sum', ranks, bytes: doubleBytes, times: 5 },
  ]
}

/**
 * Every rank sends its k best of each token to the one that decides on it, and gets the k-th of all.
 */
function largestOfRows(rows: number, k: number, ranks: number): StepExchange[] {
  return [
    { what: 'candidates', kind: 'allToAll', ranks, bytes: rows * k * keyBytes, times: 1 },
    { what: 'candidates', kind: 'allGather', ranks, bytes: rows * keyBytes, times: 1 },
  ]
}

const thresholdOfBatch = (ranks: number): StepExchange[] =>
  thresholdBins.map((bins) => ({
    ...({ what: 'candidates', kind: 'sum', times: 1 } as const),
    ...{ ranks, bytes: bins * doubleBytes },
  }))

/** What a step with dead features exchanges besides: their candidates, and what they reconstruct of the error. */
export function auxKExchanges(step: RankStep, auxK: number): StepExchange[] {
  const ranks = step.featureRanks
  if (ranks === 1) return []
  const bytes = 4 * rowsOf(step) * step.d
  return [
    ...largestOfRows(rowsOf(step), auxK, ranks),
    { what: 'reconstructions', kind: 'sum', ranks, bytes, times: 1 },
  ]
}

/** Whether the K B largest of a batch are kept, rather than the K of each token. */
const byBatch = (architecture: string): boolean => ['batchtopk', 'matryoshka'].includes(architecture)

/** Whether gradients are clipped: their norm takes a pass of its own. */
const clips = (architecture: string): boolean => ['relu-norm', 'jumprelu-tanh'].includes(architecture)

/** Bytes that one rank sends in a step, by what they are. */
export function sentBytes(exchanges: readonly StepExchange[]): Record<ExchangedThing | 'total', number> {
  const sent = { candidates: 0, reconstructions: 0, gradients: 0, statistics: 0, total: 0 }
  for (const { what, kind, ranks, bytes, times } of exchanges) {
    const one = times * roundsAndBytes(kind, ranks, bytes).sent
    sent[what] += one
    sent.total += one
  }
  return sent
}

/** Seconds of the exchanges by the measured model: what is paid for each message, and for each byte. */
export function exchangeTime(
  exchanges: readonly StepExchange[],
  comm: CommReport,
): { latency: number; transfer: number } {
  const seconds = { latency: 0, transfer: 0 }
  for (const { kind, ranks, bytes, times } of exchanges) {
    const line = comm.exchanges[kind]
    const latency = times * exchangeSeconds(line, kind, ranks, 0)
    seconds.latency += latency
    seconds.transfer += times * exchangeSeconds(line, kind, ranks, bytes) - latency
  }
  return seconds
}
