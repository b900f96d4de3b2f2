import { z } from 'zod'
import type { OpenStage } from '../../storage/open-stage.js'
import type { Overview } from '../protocol.js'
import { type FigureMeaning, figuresFrom } from './figure.js'
import { openPart, readPartJson } from './part-files.js'

const intervals = z.record(z.string(), z.tuple([z.number(), z.number()]).nullable())
const evalSchema = z.looseObject({
  features: z.number(),
  l0: z.number(),
  lossRecovered: z.number().nullable(),
  losses: z.record(z.string(), z.number()),
  lossIntervals: intervals.default({}),
  density: z.looseObject({
    dead: z.number().nullable(),
    neverFired: z.number().optional(),
    histogram: z.object({ edges: z.array(z.number()), counts: z.array(z.number()) }),
  }),
  intervals: intervals.default({}),
})
type Evaluation = z.output<typeof evalSchema>

const measures: readonly FigureMeaning[] = [
  { name: 'l0', label: 'L0', unit: 'number', explanation: 'features active on a token, on average' },
  {
    name: 'explainedVariance',
    label: 'Explained variance',
    unit: 'share',
    explanation: 'of the variance of activations that the reconstruction keeps',
  },
  {
    name: 'lossRecovered',
    label: 'Loss recovered, zero',
    unit: 'share',
    explanation: 'of the loss that setting the activation to zero costs',
  },
  {
    name: 'lossRecoveredMean',
    label: 'Loss recovered, mean',
    unit: 'share',
    explanation: 'of the loss that setting the activation to its mean costs',
  },
  {
    name: 'kl',
    label: 'KL divergence',
    unit: 'nats',
    explanation: 'between next-token probabilities without and with the reconstruction',
  },
  {
    name: 'cosine',
    label: 'Cosine',
    unit: 'number',
    explanation: 'mean similarity of direction of activations and their reconstructions',
  },
  {
    name: 'l2Ratio',
    label: 'L2 ratio',
    unit: 'number',
    explanation: 'mean norm of reconstructions by that of activations; below 1 is shrinkage',
  },
  {
    name: 'relativeBias',
    label: 'Relative bias',
    unit: 'number',
    explanation: 'gamma of Rajamanoharan et al.; below 1 is shrinkage that no better direction explains',
  },
  {
    name: 'mse',
    label: 'Squared error',
    unit: 'number',
    explanation: 'mean over tokens and numbers of an activation',
  },
  {
    name: 'deadFraction',
    label: 'Dead features',
    unit: 'share',
    explanation: 'never active on the evaluation text',
  },
  { name: 'tokens', label: 'Tokens', unit: 'count', explanation: 'of validation text that were measured' },
]

const lossMeanings: readonly FigureMeaning[] = [
  { name: 'losses.clean', label: 'Loss', unit: 'nats', explanation: 'of the model as it is' },
  {
    name: 'losses.spliced',
    label: 'Loss, reconstructed',
    unit: 'nats',
    explanation: 'with the reconstruction in place of the activation',
  },
  {
    name: 'losses.zeroAblated',
    label: 'Loss, zero',
    unit: 'nats',
    explanation: 'with zero in place of the activation',
  },
  {
    name: 'losses.meanAblated',
    label: 'Loss, mean',
    unit: 'nats',
    explanation: 'with its mean in place of the activation',
  },
]

/** @throws MonosemError corrupt */
export async function readEvaluation(stage: OpenStage<unknown>): Promise<Evaluation | null> {
  return readPartJson(stage, 'eval.json', evalSchema)
}

/** What the autoencoder keeps of the model. @returns null without an evaluation @throws MonosemError missing (unfinished), corrupt */
export async function readEvaluationPart(
  directory: string,
): Promise<{ evaluation: Overview['evaluation']; density: Overview['density'] } | null> {
  const stage = await openPart(directory, 'eval')
  const found = stage && (await readEvaluation(stage))
  if (!found) return null
  const prefixed = <T>(values: Record<string, T>): Record<string, T> =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [`losses.${name}`, value]))
  const { histogram, dead, neverFired } = found.density
  return {
    evaluation: {
      figures: [
        ...figuresFrom('eval/eval.json', found, measures, found.intervals),
        ...figuresFrom('eval/eval.json', prefixed(found.losses), lossMeanings, prefixed(found.lossIntervals)),
      ],
    },
    density: { ...histogram, dead: neverFired ?? dead ?? 0, source: 'eval/eval.json: density.histogram' },
  }
}
