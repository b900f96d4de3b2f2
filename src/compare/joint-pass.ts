import type { TokenSplit } from '../corpus/corpus.js'
import { MonosemError } from '../errors/monosem-error.js'
import { sampleWindows } from '../eval/sample-windows.js'
import type { Kernels } from '../kernels/kernels.js'
import { type StageContext, silentProgress, throwIfInterrupted } from '../progress/progress.js'
import { type ColumnChunk, columnChunks, rotated } from './column-chunk.js'
import {
  addColumns,
  type ColumnStatistics,
  type ColumnSums,
  columnStatistics,
  createColumnSums,
} from './column-sums.js'
import { type Columns, type ColumnValues, requireColumnsFit, widthOf } from './columns.js'
import { type CrossSums, createCrossSums } from './cross-sums.js'
import { addMarked, createMarkSums, type MarkSums, markShares } from './mark-shares.js'
import { findPartners, type Partners } from './partners.js'
import { type ColumnBatch, readColumns } from './read-columns.js'
import { createTokenShares, type TokenShares, type TopTokens } from './token-shares.js'

/** What reads the same text, and what is asked about it. */
export interface JointPassOptions {
  /** all computed by the same kernels; models with other weights must share the tokenizer of the corpus */
  columns: readonly Columns[]
  /** for each column of `from` its partners in `to`: indices into `columns`; `shuffled` where this pair is not to be treated as all are */
  pairs: readonly { from: number; to: number; shuffled?: boolean }[]
  split: TokenSplit
  /** the token that opens every document (also called BOS); its positions are left out */
  startOfText: number
  /** size of the sample, spread evenly over the split */
  tokens: number
  /** windows of text per forward pass */
  batchWindows: number
  /** k, partners kept for each column */
  partners: number
  /** fewest tokens that a feature must have fired on to have partners or to be one */
  minFires: number
  /** also find partners on text that does not match: those that chance alone gives */
  shuffled: boolean
  /** tokens of the vocabulary kept for each feature, by the share of its activation that is on them; 0: do not count */
  topTokens: number
  /**
   * properties of tokens, e.g. that a predicate holds: asked about each position of the split that is read, in ascending order. Of each feature the share
   * of its activation on such tokens is found.
   */
  marks?: readonly ((position: number) => boolean)[]
  /** pairs that a table of counts holds at most; see `createPairTable` for the default */
  maximumPairs?: number
  /** about how many tokens are added up at once; default 32,768 */
  chunkTokens?: number
}

/** What one pass over text says about several sets of columns. */
export interface JointPass {
  /** text positions read */
  tokens: number
  /** by column set */
  columns: ColumnStatistics[]
  /** by column set; null for neurons, and where none were asked for */
  topTokens: (TopTokens | null)[]
  /** by column set, then by mark: [F] share of each feature's activation on marked tokens, 0 where it never fired; no lists for neurons */
  markShares: Float64Array[][]
  /** by pair; `shuffled` null unless asked for */
  pairs: { matched: Partners; shuffled: Partners | null }[]
}

/** Everything that is summed up during the pass. */
interface JointSums {
  columns: ColumnSums[]
  tokenShares: (TokenShares | null)[]
  marks: MarkSums[]
  pairs: { from: number; to: number; matched: CrossSums; shuffled: CrossSums | null }[]
}

const defaultChunkTokens = 32_768

/**
 * Several dictionaries (or the neurons of a hook point) read the same windows of text. For each column of one, the best partners in another by
 * the Pearson correlation of activations over the same tokens; for each column, its mean, its variance and how often it fires.
 *
 * The shuffled partners are found in the same way after the second set's activations were moved by half a chunk of text against the first's
 * (`rotated`): how large the largest of so many correlations gets by chance. Memory depends on the numbers of columns, not on the
 * length of the text.
 * @throws MonosemError missing, shape (columns that do not fit their model), config (fewer than two positions of text; models of different vocabularies),
 *   diverged (NaN or infinity in the activations), interrupted
 */
export async function jointPass(
  options: JointPassOptions,
  context: StageContext = { progress: silentProgress },
): Promise<JointPass> {
  const { columns } = options
  columns.forEach(requireColumnsFit)
  requireOneVocabulary(columns)
  const kernels = columns[0].model.kernels
  const contextLength = Math.min(...columns.map(({ model }) => model.config.context))
  const windows = sampleWindows(options.split, contextLength, options.tokens)
  const sums = createSums(kernels, options)
  const task = context.progress.start('read text', windows.length * contextLength, 'tokens')
  let done = 0
  const counted = async function* (): AsyncGenerator<ColumnBatch> {
    for await (const batch of readColumns({ ...options, contextLength, windows })) {
      throwIfInterrupted(context.signal)
      yield batch
      done += batch.windows
      task.update(done * contextLength)
    }
  }
  try {
    const chunkTokens = evenChunks(windows.length * contextLength, options.chunkTokens)
    for await (const chunk of columnChunks(counted(), chunkTokens)) addChunk(sums, chunk, options.marks ?? [])
    const tokens = sums.columns[0].tokens
    task.end()
    if (tokens < 2)
      throw new MonosemError('config', `joint pass: expected at least 2 positions of text, got ${tokens}`, {
        hint: 'ask for more tokens, or build the corpus from more text',
      })
    return await results(sums, options, tokens, context)
  } finally {
    freeSums(sums)
  }
}

function requireOneVocabulary(columns: readonly Columns[]): void {
  const sizes = columns.map(({ model }) => model.config.vocabularySize)
  const other = sizes.find((size) => size !== sizes[0])
  if (columns.length === 0 || other !== undefined)
    throw new MonosemError(
      'config',
      columns.length === 0
        ? 'joint pass: expected something to read text with, got nothing'
        : `joint pass: expected models that read the same tokens, got vocabularies of ${sizes[0]} and ${other}`,
      { hint: 'compare models that were trained with one tokenizer' },
    )
}

/** Tokens of a chunk such that all are about as long: half of a short last one would be too little to move text by. */
function evenChunks(tokens: number, wanted = defaultChunkTokens): number {
  return Math.ceil(tokens / Math.max(1, Math.round(tokens / wanted)))
}

function createSums(kernels: Kernels, options: JointPassOptions): JointSums {
  const { columns, pairs, topTokens, maximumPairs } = options
  const cross = (from: Columns, to: Columns): CrossSums =>
    createCrossSums(kernels, {
      ...{ from: from.kind, to: to.kind, maximumPairs },
      ...{ rows: widthOf(from), columns: widthOf(to) },
    })
  return {
    columns: columns.map((set) => createColumnSums(widthOf(set))),
    tokenShares: columns.map((set) =>
      topTokens > 0 && set.kind === 'features'
        ? createTokenShares(kernels, widthOf(set), set.model.config.vocabularySize, maximumPairs)
        : null,
    ),
    marks: columns.map((set) =>
      createMarkSums(widthOf(set), set.kind === 'features' ? (options.marks?.length ?? 0) : 0),
    ),
    pairs: pairs.map(({ from, to, shuffled = options.shuffled }) => ({
      ...{ from, to },
      matched: cross(columns[from], columns[to]),
      shuffled: shuffled ? cross(columns[from], columns[to]) : null,
    })),
  }
}

function addChunk(
  sums: JointSums,
  chunk: ColumnChunk,
  marks: readonly ((position: number) => boolean)[],
): void {
  const n = chunk.tokens.length
  const values = chunk.values.map((held, i) => addColumns(sums.columns[i], held, n))
  const moved = new Map<number, ColumnValues>()
  const movedValues = (i: number): ColumnValues => {
    const made = moved.get(i) ?? rotated(values[i], n)
    moved.set(i, made)
    return made
  }
  for (const { from, to, matched, shuffled } of sums.pairs) {
    matched.add(values[from], values[to])
    shuffled?.add(values[from], movedValues(to))
  }
  sums.tokenShares.forEach((shares, i) => {
    shares?.add(values[i], chunk.tokens)
  })
  const marked = marks.map((holds) => Uint8Array.from(chunk.positions, (at) => (holds(at) ? 1 : 0)))
  sums.marks.forEach((mark, i) => {
    addMarked(mark, values[i], marked)
  })
}

async function results(
  sums: JointSums,
  { columns, partners, minFires, topTokens }: JointPassOptions,
  tokens: number,
  context: StageContext,
): Promise<JointPass> {
  const statistics = sums.columns.map((column, i) => columnStatistics(column, columns[i].kind, minFires))
  // Sums of products are made of values with the centre taken off.
  const correlated = statistics.map(({ variance, powered }, i) => ({
    ...{ variance, powered },
    mean: sums.columns[i].sum.map((total) => total / tokens),
  }))
  const find = (from: number, to: number, cross: CrossSums): Promise<Partners> =>
    findPartners(cross, { from: correlated[from], to: correlated[to] }, { k: partners, tokens }, context)
  const pairs: JointPass['pairs'] = []
  for (const { from, to, matched, shuffled } of sums.pairs)
    pairs.push({
      matched: await find(from, to, matched),
      shuffled: shuffled && (await find(from, to, shuffled)),
    })
  const shares: JointPass['topTokens'] = []
  for (const [i, counted] of sums.tokenShares.entries())
    shares.push(counted && (await counted.read(topTokens, sums.columns[i].sum)))
  return {
    tokens,
    columns: statistics,
    topTokens: shares,
    markShares: sums.marks.map((mark, i) => markShares(mark, sums.columns[i].sum)),
    pairs,
  }
}

function freeSums({ tokenShares, pairs }: JointSums): void {
  for (const shares of tokenShares) shares?.free()
  for (const { matched, shuffled } of pairs) {
    matched.free()
    shuffled?.free()
  }
}
