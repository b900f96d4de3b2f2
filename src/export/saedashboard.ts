import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { MonosemError } from '../errors/monosem-error.js'
import type { FeatureDetail, FeatureExample } from '../features/feature-store.js'
import { storageError, writeFileAtomic } from '../storage/atomic-file.js'
import {
  activationBars,
  barsOf,
  type ExportSource,
  figure,
  intervalGroups,
  intervalLimits,
  shareBetween,
} from './export-source.js'
import { angledByte, tokenString } from './token-string.js'

const numbers = z.array(z.number())
const strings = z.array(z.string())

const activationSchema = z.object({
  /** limits of the interval that it was drawn from; -1 and the maximum for top examples */
  bin_min: z.number(),
  bin_max: z.number(),
  /** share of all tokens with an activation in the interval; -1 for top examples */
  bin_contains: z.number(),
  tokens: strings,
  values: numbers,
  /** index of the token that the example is about; null in files that do not say */
  qualifying_token_index: z.int().nullish().default(null),
  /** direct feature attribution, where the autoencoder reads attention heads: Monosem writes none */
  dfa_values: numbers.optional(),
  dfa_maxValue: z.number().optional(),
  dfa_targetIndex: z.int().optional(),
})

const featureSchema = z.object({
  feature_index: z.int(),
  neuron_alignment_indices: numbers,
  neuron_alignment_values: numbers,
  neuron_alignment_l1: numbers,
  correlated_neurons_indices: numbers,
  /** cosine, whatever the name says */
  correlated_neurons_l1: numbers,
  correlated_neurons_pearson: numbers,
  correlated_features_indices: numbers,
  /** cosine */
  correlated_features_l1: numbers,
  correlated_features_pearson: numbers,
  neg_str: strings,
  neg_values: numbers,
  pos_str: strings,
  pos_values: numbers,
  /** share of tokens on which it fires */
  frac_nonzero: z.number(),
  freq_hist_data_bar_values: numbers,
  freq_hist_data_bar_heights: numbers,
  logits_hist_data_bar_heights: numbers,
  logits_hist_data_bar_values: numbers,
  n_prompts_total: z.number(),
  n_tokens_in_prompt: z.number(),
  dataset: z.string(),
  /** by attention head, where the autoencoder reads heads: Monosem writes none */
  decoder_weights_dist: numbers,
  activations: z.array(activationSchema),
  /** the decoder direction */
  vector: numbers.default([]),
})

const batchSchema = z.object({
  model_id: z.string(),
  layer: z.number(),
  sae_set: z.string(),
  sae_id_suffix: z.string().nullish().default(null),
  features: z.array(featureSchema),
})

/** One feature as SAEDashboard writes it. */
export type DashboardFeature = z.infer<typeof featureSchema>
/** One example. */
export type DashboardActivation = z.infer<typeof activationSchema>
/** The content of a `batch-N.json`. */
export type DashboardBatch = z.infer<typeof batchSchema>

/**
 * Writes features as SAEDashboard's `batch-N.json`. Its own fields only: its reader takes no others. Lists of what Monosem has not
 * measured are empty, as SAEDashboard leaves what it did not compute.
 */
export async function writeDashboards(
  source: ExportSource,
  directory: string,
  wrote: (feature: number) => void = () => {},
): Promise<void> {
  const { batchFeatures, modelId, sourceSet } = source.config
  for (let first = 0; first < source.features.length; first += batchFeatures) {
    const features: DashboardFeature[] = []
    for await (const detail of source.details(source.features.slice(first, first + batchFeatures))) {
      features.push(dashboardFeature(detail, source))
      wrote(detail.feature)
    }
    const batch: DashboardBatch = {
      model_id: modelId,
      layer: source.layer,
      sae_set: sourceSet,
      sae_id_suffix: null,
      features,
    }
    await writeFileAtomic(
      join(directory, `batch-${first / batchFeatures}.json`),
      `${JSON.stringify(batch)}\n`,
    )
  }
}

/** One feature in SAEDashboard's fields. */
export function dashboardFeature(detail: FeatureDetail, source: ExportSource): DashboardFeature {
  const text = (token: number): string => tokenString(token, source.tokenizer, angledByte)
  const frequencies = activationBars(detail)
  const { logitHistogram } = detail
  const logits = logitHistogram
    ? barsOf(logitHistogram.low, logitHistogram.high, logitHistogram.counts)
    : { values: [], heights: [] }
  return {
    feature_index: detail.feature,
    neuron_alignment_indices: detail.alignedNeurons.map(({ neuron }) => neuron),
    neuron_alignment_values: detail.alignedNeurons.map(({ value }) => figure(value)),
    neuron_alignment_l1: detail.alignedNeurons.map(({ l1 }) => figure(l1)),
    correlated_neurons_indices: detail.correlatedNeurons.map(({ neuron }) => neuron),
    correlated_neurons_l1: detail.correlatedNeurons.map(({ cosine }) => figure(cosine)),
    correlated_neurons_pearson: detail.correlatedNeurons.map(({ pearson }) => figure(pearson)),
    correlated_features_indices: detail.coActive.map(({ feature }) => feature),
    correlated_features_l1: detail.coActive.map(({ cosine }) => figure(cosine)),
    correlated_features_pearson: detail.coActive.map(({ pearson }) => figure(pearson)),
    neg_str: detail.bottomLogits.map(({ token }) => text(token)),
    neg_values: detail.bottomLogits.map(({ weight }) => figure(weight)),
    pos_str: detail.topLogits.map(({ token }) => text(token)),
    pos_values: detail.topLogits.map(({ weight }) => figure(weight)),
    frac_nonzero: figure(detail.density),
    freq_hist_data_bar_values: frequencies.values,
    freq_hist_data_bar_heights: frequencies.heights,
    logits_hist_data_bar_heights: logits.heights,
    logits_hist_data_bar_values: logits.values,
    n_prompts_total: source.prompts,
    n_tokens_in_prompt: source.promptTokens,
    dataset: source.config.dataset,
    decoder_weights_dist: [],
    activations: activationsOf(detail, source),
    vector: source.vector(detail.feature),
  }
}

function activationsOf(detail: FeatureDetail, source: ExportSource): DashboardActivation[] {
  const of = (
    examples: readonly FeatureExample[],
    bin: Pick<DashboardActivation, 'bin_min' | 'bin_max' | 'bin_contains'>,
  ): DashboardActivation[] =>
    examples.map(({ tokens, activations, tokenIndex }) => ({
      ...bin,
      tokens: tokens.map((token) => tokenString(token, source.tokenizer, angledByte)),
      values: activations.map(figure),
      qualifying_token_index: tokenIndex,
    }))
  const top = { bin_min: -1, bin_max: figure(detail.max), bin_contains: -1 }
  const groups = intervalGroups(detail).flatMap(({ interval, examples }) => {
    const { low, high } = intervalLimits(interval, detail.max, source.summary.intervals)
    return of(examples, { bin_min: low, bin_max: high, bin_contains: shareBetween(detail, low, high) })
  })
  return [...of(detail.top, top), ...groups]
}

/**
 * Reads SAEDashboard's `batch-N.json` files, whoever wrote them: one file, or all of a directory in the order of their numbers.
 * @throws MonosemError missing (no such file, or none in the directory), format (names the file and the field), io
 */
export async function readDashboards(path: string): Promise<DashboardBatch[]> {
  const batches: DashboardBatch[] = []
  for (const file of await batchFiles(path)) batches.push(await readBatch(file))
  return batches
}

async function batchFiles(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path]
    const numbered = (await readdir(path)).flatMap((name) => {
      const number = /^batch-(\d+)\.json$/.exec(name)?.[1]
      return number === undefined ? [] : [{ name, number: Number(number) }]
    })
    if (numbered.length > 0)
      return numbered.sort((a, b) => a.number - b.number).map(({ name }) => join(path, name))
  } catch (cause) {
    throw storageError('read', path, cause)
  }
  throw new MonosemError(
    'missing',
    `${path}: expected files called batch-0.json, batch-1.json, ..., found none`,
  )
}

async function readBatch(path: string): Promise<DashboardBatch> {
  let value: unknown
  try {
    value = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw storageError('read', path, cause)
    throw new MonosemError('format', `${path}: expected JSON`, { cause, hint: 'is the file cut short?' })
  }
  const parsed = batchSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new MonosemError('format', `${path}: ${issue.path.join('.') || 'top level'}: ${issue.message}`, {
    hint: 'expected the fields of SAEDashboard\u2019s batch files',
  })
}
