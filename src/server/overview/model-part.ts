import { z } from 'zod'
import type { Overview } from '../protocol.js'
import { curvesOf } from './curves.js'
import { type FigureMeaning, figuresFrom } from './figure.js'
import { openPart, readPartJson, readPartText } from './part-files.js'

const figure = (
  name: string,
  label: string,
  unit: FigureMeaning['unit'],
  explanation: string,
): FigureMeaning => ({ name, label, unit, explanation })

const measured: readonly FigureMeaning[] = [
  figure('valLoss', 'Validation loss', 'nats', 'mean -log p of the next token on validation text'),
  figure('bigramLoss', 'Bigram loss', 'nats', 'the same of a table of pairs of tokens: to be beaten'),
  figure('unigramLoss', 'Unigram loss', 'nats', 'the same of the mere frequencies of tokens'),
  figure('bitsPerByte', 'Compression', 'bits', 'validation loss by byte of text, whatever the tokens are'),
  figure('parameters', 'Parameters', 'count', 'numbers that were trained'),
  figure('trainTokens', 'Training tokens', 'count', 'tokens that it was trained on'),
  figure('tokensPerSecond', 'Training speed', 'rate', 'tokens per second in training, checkpoints included'),
]

const sizes: readonly FigureMeaning[] = [
  figure('layers', 'Layers', 'count', 'transformer blocks'),
  figure('dModel', 'Width', 'count', 'numbers in the residual stream'),
  figure('heads', 'Heads', 'count', 'of attention, in each layer'),
  figure('dMlp', 'MLP width', 'count', 'neurons in each layer'),
  figure('context', 'Context', 'count', 'tokens that it sees at once'),
]

const curveNames = ['loss', 'learningRate', 'gradientNorm']
const numbersSchema = z.looseObject({})

/** How well the transformer learned. @returns null without a model @throws MonosemError missing (unfinished), corrupt */
export async function readModelPart(directory: string): Promise<Overview['model']> {
  const stage = await openPart(directory, 'model')
  if (!stage) return null
  const metrics = (await readPartJson(stage, 'metrics.json', numbersSchema)) ?? {}
  const config = (await readPartJson(stage, 'model.json', numbersSchema)) ?? {}
  const log = await readPartText(stage, 'metrics.jsonl')
  return {
    figures: [
      ...figuresFrom('model/metrics.json', metrics, measured),
      ...figuresFrom('model/model.json', config, sizes),
    ],
    curves: log === null ? [] : curvesOf(log, 'model/metrics.jsonl', curveNames),
  }
}
