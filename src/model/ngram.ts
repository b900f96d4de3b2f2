/** What the baselines read: a stretch of token ids. */
type Tokens = Uint16Array | Uint32Array | Int32Array

/** Probabilities of the next token that a model has to beat. Natural logarithms; -Infinity never occurs. */
export interface NgramModel {
  /** log P(token) in nats */
  unigram(token: number): number
  /** log P(token | previous) in nats */
  bigram(previous: number, token: number): number
}

/**
 * Successor counts of every token, in compressed rows: token u owns entries rowOffsets[u] ..
 * rowOffsets[u+1]-1.
 */
interface SuccessorCounts {
  /** [V + 1] */
  rowOffsets: Int32Array
  /** [nnz] ascending within a row */
  successors: Int32Array
  /** [nnz] */
  counts: Int32Array
}

/** How much is taken off a count of 1, of 2, and of 3 or more. */
type Discounts = [one: number, two: number, more: number]

/**
 * Counts the training split once and returns both baselines: the unigram with add-one smoothing, and the
 * bigram with interpolated modified Kneser-Ney smoothing (Chen & Goodman 1999, section 4), the strongest of
 * the usual ones. Transitions into `startOfText` are not counted, as no measured target is one.
 * @param tokens ids of the training split, each below vocabularySize
 */
export function trainNgram(tokens: Tokens, vocabularySize: number, startOfText: number): NgramModel {
  const table = countSuccessors(tokens, vocabularySize, startOfText)
  const unigram = unigramLogs(table, vocabularySize)
  const discounts = estimateDiscounts(table.counts)
  const continuation = continuationProbabilities(table, vocabularySize)
  const rows = rowStatistics(table, discounts)
  const bigram = (previous: number, token: number): number => {
    const backoff = continuation[token]
    const total = rows.totals[previous]
    if (total === 0) return Math.log(backoff)
    const count = countOf(table, previous, token)
    const kept = count - discountOf(discounts, count)
    return Math.log((kept + rows.reserved[previous] * backoff) / total)
  }
  return { unigram: (token) => unigram[token], bigram }
}

/** Sorts the successors of each token by counting, so that memory grows with the text and not with V * V. */
function countSuccessors(tokens: Tokens, V: number, startOfText: number): SuccessorCounts {
  const starts = new Int32Array(V + 1)
  for (let i = 0; i + 1 < tokens.length; i++) if (tokens[i + 1] !== startOfText) starts[tokens[i] + 1]++
  for (let u = 0; u < V; u++) starts[u + 1] += starts[u]
  const bucketed = new Int32Array(starts[V])
  const next = starts.slice()
  for (let i = 0; i + 1 < tokens.length; i++)
    if (tokens[i + 1] !== startOfText) bucketed[next[tokens[i]]++] = tokens[i + 1]

  const rowOffsets = new Int32Array(V + 1)
  const counts = new Int32Array(bucketed.length)
  let size = 0
  for (let u = 0; u < V; u++) {
    const row = bucketed.subarray(starts[u], starts[u + 1]).sort()
    // The distinct successors are written over the sorted ones: they never need more room.
    for (let i = 0; i < row.length; i++) {
      if (i === 0 || row[i] !== row[i - 1]) bucketed[size++] = row[i]
      counts[size - 1]++
    }
    rowOffsets[u + 1] = size
  }
  return { rowOffsets, successors: bucketed.slice(0, size), counts: counts.slice(0, size) }
}

/** log((count + 1) / (total + V - 1)): every token but <|endoftext|> may follow. */
function unigramLogs({ successors, counts }: SuccessorCounts, V: number): Float64Array {
  const sums = new Float64Array(V)
  let total = 0
  for (let e = 0; e < counts.length; e++) {
    sums[successors[e]] += counts[e]
    total += counts[e]
  }
  return sums.map((count) => Math.log((count + 1) / (total + Math.max(1, V - 1))))
}

/**
 * Probability of a token as a *new* successor: how many different tokens it follows, discounted and mixed
 * with uniform.
 */
function continuationProbabilities({ successors }: SuccessorCounts, V: number): Float64Array {
  const predecessors = new Int32Array(V)
  for (const token of successors) predecessors[token]++
  if (successors.length === 0) return new Float64Array(V).fill(1 / V)
  const discounts = estimateDiscounts(predecessors)
  let reserved = 0
  for (const count of predecessors) reserved += discountOf(discounts, count)
  const uniform = reserved / Math.max(1, V - 1)
  return Float64Array.from(
    predecessors,
    (count) => (count - discountOf(discounts, count) + uniform) / successors.length,
  )
}

/** Per row: the sum of its counts, and the sum of what its discounts leave for the backoff. */
function rowStatistics({ rowOffsets, counts }: SuccessorCounts, discounts: Discounts) {
  const V = rowOffsets.length - 1
  const [totals, reserved] = [new Float64Array(V), new Float64Array(V)]
  for (let u = 0; u < V; u++)
    for (let e = rowOffsets[u]; e < rowOffsets[u + 1]; e++) {
      totals[u] += counts[e]
      reserved[u] += discountOf(discounts, counts[e])
    }
  return { totals, reserved }
}

const discountOf = ([one, two, more]: Discounts, count: number): number =>
  count === 0 ? 0 : count === 1 ? one : count === 2 ? two : more

/**
 * Equation 26 of Chen & Goodman, from the numbers of entries that occur once to four times; 0.75 where
 * there are too few.
 */
function estimateDiscounts(counts: Int32Array): Discounts {
  const times = [0, 0, 0, 0, 0]
  for (const count of counts) if (count >= 1 && count <= 4) times[count]++
  const [, n1, n2, n3, n4] = times
  const y = n1 / (n1 + 2 * n2)
  const discount = (c: number, here: number, next: number): number => {
    const value = c - ((c + 1) * y * next) / here
    return value > 0 && value < c ? value : 0.75
  }
  return [discount(1, n1, n2), discount(2, n2, n3), discount(3, n3, n4)]
}

/** Binary search in the row of `previous`; 0 when the pair never occurred. */
function countOf(
  { rowOffsets, successors, counts }: SuccessorCounts,
  previous: number,
  token: number,
): number {
  let low = rowOffsets[previous]
  let high = rowOffsets[previous + 1]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (successors[middle] < token) low = middle + 1
    else high = middle
  }
  return low < rowOffsets[previous + 1] && successors[low] === token ? counts[low] : 0
}
