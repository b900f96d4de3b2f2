import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { FeatureDetail, FeatureExample } from '../features/feature-store.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { activationBars, type ExportSource, figure, intervalGroups, intervalLimits } from './export-source.js'
import { escapedByte, tokenString } from './token-string.js'

/** One example on a circuit-tracer feature page. */
export interface TracerExample {
  tokens: string[]
  tokens_acts_list: number[]
  /** index of the token that the example is about */
  train_token_ind: number
  is_repeated_datapoint: boolean
}

/** The JSON of one feature as circuit-tracer's pages read it. */
export interface TracerFeature {
  transcoder_id: string
  index: number
  examples_quantiles: { quantile_name: string; examples: TracerExample[] }[]
  top_logits: string[]
  bottom_logits: string[]
  act_min: number
  act_max: number
  /** of the activations where it fires, at the probabilities of the feature store */
  quantile_values: number[]
  /** heights of equal bins over (0, act_max] */
  histogram: number[]
  /** share of tokens on which it fires */
  activation_frequency: number
}

/**
 * Writes one `<number>.json` per feature, where circuit-tracer's pages look for it: the number is the Cantor pairing of layer and
 * feature.
 */
export async function writeTracerFeatures(
  source: ExportSource,
  directory: string,
  wrote: (feature: number) => void = () => {},
): Promise<void> {
  const folder = join(directory, source.config.sourceSet)
  await mkdir(folder)
  for await (const detail of source.details(source.features)) {
    const { feature } = detail
    const content = JSON.stringify(tracerFeature(detail, source))
    await writeFileAtomic(join(folder, `${cantorPair(source.layer, feature)}.json`), content)
    wrote(feature)
  }
}

/** The Cantor pairing function: one number for two. */
export const cantorPair = (a: number, b: number): number => ((a + b) * (a + b + 1)) / 2 + b

/** One feature in circuit-tracer's fields. */
function tracerFeature(detail: FeatureDetail, source: ExportSource): TracerFeature {
  const text = (token: number): string => tokenString(token, source.tokenizer, escapedByte)
  const examples = (list: readonly FeatureExample[]): TracerExample[] =>
    list.map(({ tokens, activations, tokenIndex }) => ({
      tokens: tokens.map(text),
      tokens_acts_list: activations.map(figure),
      train_token_ind: tokenIndex,
      is_repeated_datapoint: false,
    }))
  const groups = intervalGroups(detail).map(({ interval, examples: list }) => {
    const { low, high } = intervalLimits(interval, detail.max, source.summary.intervals)
    return { quantile_name: `Activation ${figure(low)} to ${figure(high)}`, examples: examples(list) }
  })
  const top = { quantile_name: 'Top activations', examples: examples(detail.top) }
  return {
    transcoder_id: `${source.config.modelId}-${source.config.sourceSet}-${source.layer}`,
    index: detail.feature,
    // The first group is always there: pages take the scale of their colours from it.
    examples_quantiles: [top, ...groups],
    top_logits: detail.topLogits.map(({ token }) => text(token)),
    bottom_logits: detail.bottomLogits.map(({ token }) => text(token)),
    act_min: 0,
    act_max: figure(detail.max),
    quantile_values: detail.quantiles.map(({ activation }) => figure(activation)),
    histogram: activationBars(detail).heights,
    activation_frequency: figure(detail.density),
  }
}
