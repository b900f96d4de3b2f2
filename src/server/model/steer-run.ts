import { MonosemError } from '../../errors/monosem-error.js'
import type { FeatureStore } from '../../features/feature-store.js'
import { generate, type HooksFor, type WrittenToken } from '../../model/generate.js'
import { featureEdits } from '../../steer/feature-edits.js'
import { judgeTexts } from '../../steer/judge-texts.js'
import { type Mover, nextTokenChange } from '../../steer/next-token.js'
import { createSteering, type FeatureEdit, type Steering } from '../../steer/steering.js'
import { shorter } from '../pages/example.js'
import type { SteerEvent, steerRequestSchema } from '../protocol.js'
import type { Job } from './job-queue.js'
import type { LoadedModel } from './model-runner.js'
import { lastTokens } from './model-tokens.js'
import { createWrittenText, type WrittenTextStream } from './written-text.js'

type SteerOptions = ReturnType<typeof steerRequestSchema.parse>
type Side = Extract<SteerEvent, { type: 'text' }>['side']
type Emit = (event: SteerEvent) => void

/**
 * What a request asks to do to the features.
 * @throws MonosemError config (a feature twice), missing (no such feature, or a dead one)
 */
export async function editsOf(
  store: Pick<FeatureStore, 'get'>,
  edits: SteerOptions['edits'],
): Promise<FeatureEdit[]> {
  const seen = new Set<number>()
  for (const { feature } of edits) {
    if (seen.has(feature)) throw new MonosemError('config', `edits: feature ${feature} is named twice`)
    seen.add(feature)
  }
  const found = await Promise.all(
    edits.map(({ feature, mode, strength }) =>
      featureEdits(store, [feature], { mode, strength, unit: 'max' }),
    ),
  )
  return found.flat()
}

/** Tokens that move most, in each direction. */
const moverCount = 10

/**
 * Writes on from a prompt twice, with and without the edits and with the same random numbers, a token of each in turn.
 * @param emit hears `start`, `next`, `text`... and `done`
 * @throws MonosemError interrupted, diverged (the edits are too strong)
 */
export async function runSteering(
  loaded: LoadedModel,
  edits: readonly FeatureEdit[],
  request: SteerOptions,
  job: Job,
  emit: Emit,
): Promise<void> {
  const { model, sae, tokenizer } = loaded
  const { tokens: prompt, truncated } = lastTokens(loaded, request.prompt)
  emit({ type: 'start', truncated })
  const scope = { tokens: request.scope }
  const steering = createSteering(model, sae, tokenizer.startOfText, edits, { scope })
  try {
    const { klDivergence, up, down } = await nextTokenChange(model, tokenizer, prompt, steering, moverCount)
    emit({ type: 'next', klDivergence: shorter(klDivergence), up: up.map(moverOf), down: down.map(moverOf) })
    const sides: Record<Side, SideWriter> = {
      unsteered: startSide(loaded, prompt, request),
      steered: startSide(loaded, prompt, request, steering.hooks),
    }
    await writeSides(sides, job, emit)
    const judge = (side: Side) => judgementOf(loaded, prompt, sides[side].written, steering, job)
    emit({ type: 'done', unsteered: await judge('unsteered'), steered: await judge('steered') })
  } finally {
    steering.free()
  }
}

const moverOf = ({ token, text, before, after }: Mover) => ({
  id: token,
  token: text,
  before: shorter(before),
  after: shorter(after),
})

/** One of the two texts. */
interface SideWriter {
  tokens: AsyncGenerator<WrittenToken, void, void>
  written: number[]
  text: WrittenTextStream
  ended: boolean
}

/** Each side is a generation of its own: the same seed gives both the same random numbers. */
function startSide(
  { model, tokenizer }: LoadedModel,
  prompt: Int32Array,
  { maxTokens, temperature, topP, seed }: SteerOptions,
  hooks?: HooksFor,
): SideWriter {
  const { startOfText, endTokens } = tokenizer
  // The prompt is tokens already, and those that fit the context.
  const given = { startOfText, endTokens, encode: () => prompt.subarray(1) }
  const options = { maxTokens, temperature, topP, seed }
  const tokens = generate(model, given, [''], options, { hooks })
  return { tokens, written: [], text: createWrittenText(tokenizer), ended: false }
}

async function writeSides(sides: Record<Side, SideWriter>, job: Job, emit: Emit): Promise<void> {
  const writers = Object.entries(sides) as [Side, SideWriter][]
  try {
    for (let live = writers; live.length > 0; live = writers.filter(([, { ended }]) => !ended)) {
      await job.pause()
      await Promise.all(live.map(([side, writer]) => writeToken(side, writer, emit)))
    }
  } finally {
    // Frees what the texts keep of the model's state, also when one of them failed.
    await Promise.all(writers.map(([, { tokens }]) => tokens.return()))
  }
}

async function writeToken(side: Side, writer: SideWriter, emit: Emit): Promise<void> {
  const { value, done } = await writer.tokens.next()
  if (value) writer.written.push(value.token)
  if (done) writer.ended = true
  const text = value ? writer.text.add(value.token) : writer.text.end()
  if (text !== '') emit({ type: 'text', side, text })
}

async function judgementOf(
  { model, sae }: LoadedModel,
  prompt: Int32Array,
  written: readonly number[],
  steering: Steering,
  job: Job,
): Promise<{ tokens: number; loss: number | null; klDivergence: number | null }> {
  await job.pause()
  const text = { tokens: [...prompt, ...written], promptLength: prompt.length }
  const { tokens, loss, klDivergence } = await judgeTexts(model, sae, [text], steering)
  const short = (value: number | null) => (value === null ? null : shorter(value))
  return { tokens, loss: short(loss), klDivergence: short(klDivergence) }
}
