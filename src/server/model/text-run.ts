import { segmentsOf } from '../../features/segments.js'
import type { Codes } from '../../kernels/kernels.js'
import { softmax } from '../../model/logit-metric.js'
import { createWorkspace, forward, freeWorkspace, loss } from '../../model/transformer.js'
import { requireFeature } from '../../sae/require-feature.js'
import { encode } from '../../sae/sae.js'
import type { FeatureName } from '../notes/notes-store.js'
import { shorter } from '../pages/example.js'
import type { TextRun, textRequestSchema } from '../protocol.js'
import { breather } from './breather.js'
import type { LoadedModel } from './model-runner.js'
import { firstTokens, type ModelTokens } from './model-tokens.js'
import {
  addSegment,
  createSegmentTable,
  largestFirst,
  rankFeatures,
  type Strength,
} from './segment-features.js'

/** What a forward pass says about a text. */
export interface TextPass extends ModelTokens {
  /** of every token, the start-of-text token too */
  codes: Codes
  /** [T] loss of the token after each, nats; the last has none */
  losses: Float32Array
  /** [V] logits of the token after the text */
  next: Float32Array
}

/** One forward pass over the beginning of a text, as much of it as the model sees at once. */
export async function passOver(loaded: LoadedModel, text: string): Promise<TextPass> {
  const { model, sae } = loaded
  const { kernels } = model
  const { tokens, truncated } = firstTokens(loaded, text)
  const T = tokens.length
  const workspace = createWorkspace(model, 1, T, { keep: [sae.hookName] })
  try {
    const targets = Int32Array.from({ length: T }, (_, t) => tokens[t + 1] ?? -1)
    forward(model, workspace, { tokens, targets, starts: new Int32Array(T) })
    const [codes, losses, next] = await Promise.all([
      encode(sae, workspace.activations[sae.hookName]),
      kernels.readF32(loss(model, workspace)),
      kernels.readF32(kernels.rows(workspace.logits, T - 1, 1)),
    ])
    return { tokens, truncated, codes, losses, next }
  } finally {
    freeWorkspace(model, workspace)
  }
}

/** Most probable next tokens that are told. */
const nextTokens = 10

/**
 * What the app shows of a pass. The start-of-text token is left out: no feature was trained on it.
 * @throws MonosemError missing (no feature of this number to trace)
 */
export async function describePass(
  pass: TextPass,
  { model, sae, tokenizer, maxima }: LoadedModel,
  names: ReadonlyMap<number, FeatureName>,
  request: TextOptions,
): Promise<TextRun> {
  for (const feature of request.features) requireFeature(feature, sae.features)
  const breathe = breather()
  const text = pass.tokens.subarray(1)
  const table = createSegmentTable()
  const segments: TextRun['segments'] = []
  const wanted = new Set(request.features)
  const traces: Map<number, number>[] = []
  for (const { text: shown, first, end } of segmentsOf(text, new Float32Array(text.length), tokenizer)) {
    const strengths = addSegment(table, pass.codes, first + 1, end + 1)
    if (wanted.size > 0)
      traces.push(new Map(strengths.filter(({ feature }) => wanted.has(feature)).map(pair)))
    segments.push({
      text: shown,
      tokens: [...text.subarray(first, end)],
      loss: shorter(sumOf(pass.losses, first, end)),
      top: largestFirst(strengths).slice(0, request.top).map(shortened),
    })
    await breathe()
  }
  return {
    segments,
    truncated: pass.truncated,
    tokens: text.length,
    context: model.config.context,
    features: rankFeatures(table, maxima, names, request.limit),
    traces: request.features.map((feature) => ({
      feature,
      max: shorter(maxima[feature]),
      activations: traces.map((trace) => shorter(trace.get(feature) ?? 0)),
    })),
    next: mostProbable(pass.next, nextTokens).map(({ id, probability }) => ({
      id,
      token: tokenizer.tokenText(id),
      probability,
    })),
  }
}

type TextOptions = Pick<ReturnType<typeof textRequestSchema.parse>, 'features' | 'top' | 'limit'>

const pair = ({ feature, activation }: Strength): [number, number] => [feature, activation]

const shortened = ({ feature, activation }: Strength): Strength => ({
  feature,
  activation: shorter(activation),
})

/** The loss of token t stands where it is predicted, one before it; text token t is token t + 1 of the pass. */
function sumOf(losses: Float32Array, first: number, end: number): number {
  let sum = 0
  for (let t = first; t < end; t++) sum += losses[t]
  return sum
}

/** The largest of the probabilities, without sorting a vocabulary. */
function mostProbable(logits: Float32Array, count: number): { id: number; probability: number }[] {
  const probabilities = softmax(logits)
  const found: { id: number; probability: number }[] = []
  for (const [id, probability] of probabilities.entries()) {
    if (found.length === count && !(probability > found[count - 1].probability)) continue
    const at = found.findIndex((other) => probability > other.probability)
    found.splice(at < 0 ? found.length : at, 0, { id, probability })
    if (found.length > count) found.pop()
  }
  return found.map(({ id, probability }) => ({ id, probability: shorter(probability) }))
}
