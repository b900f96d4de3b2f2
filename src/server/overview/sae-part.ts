import { z } from 'zod'
import type { OpenStage } from '../../storage/open-stage.js'
import type { Overview } from '../protocol.js'
import { curvesOf } from './curves.js'
import { type FigureMeaning, figuresFrom } from './figure.js'
import { openPart, readPartJson, readPartText } from './part-files.js'

const cfgSchema = z.looseObject({
  architecture: z.string(),
  d_in: z.number(),
  d_sae: z.number(),
  monosem: z.looseObject({ architecture: z.string().optional() }).optional(),
})

const sizes: readonly FigureMeaning[] = [
  { name: 'd_sae', label: 'Features', unit: 'count', explanation: 'directions to explain activations with' },
  { name: 'd_in', label: 'Activation width', unit: 'count', explanation: 'numbers in each activation' },
]

const measured: readonly FigureMeaning[] = [
  {
    name: 'l0',
    label: 'L0',
    unit: 'number',
    explanation: 'features active on a token, on average over training text',
  },
  {
    name: 'explainedVariance',
    label: 'Explained variance',
    unit: 'share',
    explanation: 'of the variance of activations, on training text',
  },
  {
    name: 'deadFraction',
    label: 'Dead features',
    unit: 'share',
    explanation: 'never active on the text that it was measured on after training',
  },
  {
    name: 'samplesPerSecond',
    label: 'Training speed',
    unit: 'rate',
    explanation: 'activations per second in training',
  },
  { name: 'steps', label: 'Steps', unit: 'count', explanation: 'updates of the weights' },
]

const curveNames = [
  ...['loss', 'l0', 'explainedVariance', 'dead', 'squaredError', 'sparsity', 'sparsityCoefficient'],
  ...['auxLoss', 'learningRate', 'gradientNorm', 'threshold', 'maxDensity'],
]

/** How the autoencoder was trained. @returns null without one @throws MonosemError missing (unfinished), corrupt */
export async function readSaePart(directory: string): Promise<Overview['sae']> {
  const stage = await openPart(directory, 'sae')
  const cfg = stage && (await readPartJson(stage, 'cfg.json', cfgSchema))
  if (!cfg) return null
  const metrics = (await readPartJson(stage, 'metrics.json', z.looseObject({}))) ?? {}
  const log = await readPartText(stage, 'metrics.jsonl')
  return {
    architecture: cfg.monosem?.architecture ?? cfg.architecture,
    figures: [
      ...figuresFrom('sae/cfg.json', cfg, sizes),
      {
        name: 'expansion',
        label: 'Expansion',
        value: cfg.d_sae / cfg.d_in,
        unit: 'number',
        interval: null,
        explanation: 'features for each number of an activation',
        source: 'sae/cfg.json: d_sae / d_in',
      },
      ...figuresFrom('sae/metrics.json', metrics, measured),
    ],
    curves: log === null ? [] : curvesOf(log, 'sae/metrics.jsonl', curveNames),
  }
}

/** Name of an autoencoder's architecture. @throws MonosemError corrupt */
export async function readArchitecture(stage: OpenStage<unknown>): Promise<string> {
  const cfg = await readPartJson(stage, 'cfg.json', cfgSchema)
  return cfg?.monosem?.architecture ?? cfg?.architecture ?? 'unknown'
}
