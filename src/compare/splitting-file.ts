import { join } from 'node:path'
import { FLOAT, INTEGER, LIST, SMALLINT, VARCHAR } from '@duckdb/node-api'
import { createTableWriter, readParquet } from '../features/feature-tables.js'
import { withDatabase } from '../formats/duckdb.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { openStage, readStageJson } from '../storage/open-stage.js'

/** The content of splitting.json: several autoencoders of one hook point, from the smallest to the largest, and what becomes of features between them. */
export interface SplittingSummary {
  hookName: string
  /** text positions read */
  tokens: number
  /** what a parent takes, and how often a feature must fire to be judged */
  thresholds: { cosine: number; correlation: number; fires: number }
  /** names of the predicates that `SplittingFeature.concepts` is about */
  concepts: string[]
  /** number of clusters of all features together */
  clusters: number
  /** smallest first */
  sizes: SplittingSize[]
  /** one fewer than sizes: step i goes from size i to size i + 1 */
  steps: SplittingStep[]
}

export interface SplittingSize {
  /** F */
  features: number
  /** its directory, seen from that of this file */
  directory: string
  /** mean number of active features per token */
  l0: number
  /** features that never fired, those that fired on fewer tokens than `thresholds.fires`, and the rest, which are judged */
  dead: number
  underpowered: number
  judged: number
  /** by concept: judged features with at least half of their activation where it holds */
  perConcept: number[]
}

/** How many features have which fate, and which origin. */
export interface StepCounts {
  /** judged features of the smaller autoencoder: with one child, with several, and with none */
  kept: number
  split: number
  lost: number
  /** judged features of the larger one: children of a kept feature, of a split one, and without a parent */
  ofKept: number
  ofSplit: number
  new: number
}

export interface SplittingStep extends StepCounts {
  /** by number of children, 0 first: judged features of the smaller autoencoder */
  childCounts: number[]
  /** the same counts if a parent took other cosines */
  sensitivity: (StepCounts & { cosine: number })[]
  agreement: SplittingAgreement
  /** share of children that are in the same cluster as their parent; null without children */
  sameCluster: number | null
  cosine: SimilarityDistribution
  correlation: SimilarityDistribution
}

/** How often the two criteria name the same feature. */
export interface SplittingAgreement {
  /** judged features of the larger autoencoder that have a partner by both */
  compared: number
  /** share of them whose nearest feature by cosine is the one of the largest correlation; null where there are none */
  sameBest: number | null
  /** share of the children whose parent is the nearest by cosine, and the one of the largest correlation */
  parentIsNearest: number | null
  parentIsMostCorrelated: number | null
  /**
   * share of the children that have the id of their parent: more than a few have it only where both autoencoders started from the same random weights (one
   * seed), and then a match may be one of initial weights
   */
  sameId: number | null
}

/** Of the judged features of the larger autoencoder: the similarity with the most similar judged feature of the smaller one. */
export interface SimilarityDistribution {
  median: number | null
  /** counts in `similarityBins` equal bins over [0, 1]; what is below 0 is in the first */
  histogram: number[]
  /** the same by chance: decoder rows with their dimensions permuted, or activations on text that was moved */
  chance: { median: number | null; p99: number | null; histogram: number[] }
}

export const similarityBins = 50

/** What becomes of a feature in the next larger autoencoder; `last` in the largest. */
export type Fate = 'kept' | 'split' | 'lost' | 'last' | 'underpowered' | 'dead'

/** One row of features.parquet. */
export interface SplittingFeature {
  /** index into `sizes` */
  size: number
  /** id in its autoencoder */
  feature: number
  /** tokens on which it fired */
  fires: number
  fate: Fate
  /** id in the next smaller autoencoder of the feature that it comes from; null: none, or not judged */
  parent: number | null
  /** with the parent: cosine of decoder rows, correlation of activations, and share of its tokens on which the parent fires too */
  cosine: number | null
  correlation: number | null
  overlap: number | null
  /** of the next smaller autoencoder, the nearest by cosine of decoder rows; null in the smallest, and where it is not judged */
  nearest: number | null
  nearestCosine: number | null
  /** the one of the largest correlation; null too where it fires together with none */
  mostCorrelated: number | null
  bestCorrelation: number | null
  /** ids in the next larger autoencoder, most similar first */
  children: number[]
  /** of all sizes together, 0 the largest; null for features that never fired */
  cluster: number | null
  /** 2-D UMAP of decoder directions of all sizes together */
  x: number | null
  y: number | null
  /** tokens with the largest shares of its activation */
  tokens: string[]
  shares: number[]
  /** by concept: share of its activation where the predicate holds */
  concepts: number[]
  /** of its autoencoder's feature store, where there is one */
  explanation: string | null
}

export interface Splitting {
  summary: SplittingSummary
  /** by size, then by id */
  features: SplittingFeature[][]
}

const columns = {
  size: SMALLINT,
  feature: INTEGER,
  fires: INTEGER,
  fate: VARCHAR,
  parent: INTEGER,
  cosine: FLOAT,
  correlation: FLOAT,
  overlap: FLOAT,
  nearest: INTEGER,
  nearestCosine: FLOAT,
  mostCorrelated: INTEGER,
  bestCorrelation: FLOAT,
  children: LIST(INTEGER),
  cluster: INTEGER,
  x: FLOAT,
  y: FLOAT,
  tokens: LIST(VARCHAR),
  shares: LIST(FLOAT),
  concepts: LIST(FLOAT),
  explanation: VARCHAR,
}

/** Writes splitting.json and features.parquet. */
export async function writeSplitting(directory: string, { summary, features }: Splitting): Promise<void> {
  const table = await createTableWriter(join(directory, 'features.parquet'), columns)
  for (const row of features.flat()) table.add({ ...row })
  await table.close()
  await writeFileAtomic(join(directory, 'splitting.json'), `${JSON.stringify(summary, null, 2)}\n`)
}

/**
 * Reads a finished `splitting` directory; its files are checked against their hashes.
 * @throws MonosemError missing (not a finished splitting directory), corrupt
 */
export async function readSplitting(directory: string): Promise<Splitting> {
  const summary = await readSplittingSummary(directory)
  const path = await (await openStage(directory, 'splitting')).file('features.parquet')
  const rows = await withDatabase(async (connection) => {
    const found = await connection.runAndReadAll(
      `SELECT * FROM ${readParquet([path])} ORDER BY size, feature`,
    )
    return found.getRowObjectsJS() as unknown as SplittingFeature[]
  })
  return { summary, features: summary.sizes.map((_, i) => rows.filter(({ size }) => size === i)) }
}

/** The summary alone. @throws MonosemError as `readSplitting` */
export async function readSplittingSummary(directory: string): Promise<SplittingSummary> {
  return readStageJson<SplittingSummary>(directory, 'splitting', 'splitting.json')
}
