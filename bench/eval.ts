import { join } from 'node:path'
import { fillWindows } from '../src/corpus/windows.js'
import { evalConfigSchema } from '../src/eval/eval-config.js'
import { loadInputs } from '../src/eval/eval-stage.js'
import { type EvaluateInputs, evaluateWindows } from '../src/eval/evaluate.js'
import { batchesOf, sampleWindows, textRows } from '../src/eval/sample-windows.js'
import { loadKernels } from '../src/kernels/load.js'
import { createWorkspace, forward, freeWorkspace, hooksToStartAt } from '../src/model/transformer.js'
import { silentProgress } from '../src/progress/progress.js'
import { decode, encode } from '../src/sae/sae.js'
import { machine } from './machine.js'

const ROUNDS = 3

export interface EvalFigures {
  tokens: number
  /** tokens per second: the whole pass over the text; four whole forward passes; the passes that it makes, alone and with encoding and decoding */
  evaluation: number
  fourPasses: number
  passes: number
  passesWithAutoencoder: number
}

/**
 * An evaluation against the forward passes that it needs: the clean one, and three that begin at the hook point, each with its losses. Nothing is
 * measured, read back or summed in those. Runs take turns; each figure is the best of its rounds. MONOSEM_BENCH_RUN names the directory of a finished
 * demo, MONOSEM_BENCH_TOKENS its tokens (65,536).
 */
export async function benchEval(): Promise<EvalFigures | null> {
  console.log(`evaluation, ${machine()}`)
  const run = process.env.MONOSEM_BENCH_RUN
  if (!run) {
    console.log('MONOSEM_BENCH_RUN is not set: nothing to evaluate')
    return null
  }
  const kernels = await loadKernels({
    ...(process.env.MONOSEM_THREADS && { threads: Number(process.env.MONOSEM_THREADS) }),
  })
  const paths = { corpus: join(run, 'corpus'), model: join(run, 'model'), sae: join(run, 'sae') }
  const { model, sae, corpus } = await loadInputs(paths, kernels)
  const inputs = { model, sae, split: corpus.validation, startOfText: corpus.tokenizer.startOfText }
  const tokens = Number(process.env.MONOSEM_BENCH_TOKENS ?? 65_536)
  const { batchWindows } = evalConfigSchema.parse({})
  const sample = sampleWindows(inputs.split, model.config.context, tokens)
  const windows = sample.subarray(0, sample.length - (sample.length % batchWindows))
  const measured = windows.length * model.config.context
  // the mean of the whole sample would be passes of its own
  const config = evalConfigSchema.parse({ tokens, meanTokens: model.config.context })
  const cases: Record<Exclude<keyof EvalFigures, 'tokens'>, () => Promise<unknown>> = {
    evaluation: () => evaluateWindows(config, inputs, windows, { progress: silentProgress }),
    fourPasses: () => passes(inputs, windows, batchWindows, { fromHook: false, autoencoder: false }),
    passes: () => passes(inputs, windows, batchWindows, { fromHook: true, autoencoder: false }),
    passesWithAutoencoder: () => passes(inputs, windows, batchWindows, { fromHook: true, autoencoder: true }),
  }
  const figures = { tokens: measured, evaluation: 0, fourPasses: 0, passes: 0, passesWithAutoencoder: 0 }
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, body] of Object.entries(cases) as [keyof typeof cases, () => Promise<unknown>][]) {
      const start = performance.now()
      await body()
      figures[name] = Math.max(figures[name], (measured * 1000) / (performance.now() - start))
    }
  print(figures, `${kernels.description}; ${sae.features} features at ${sae.hookName}`)
  return figures
}

/** Only kernels: nothing is replaced, read back or summed. They never wait for JavaScript, but for what is enqueued four batches ahead. */
async function passes(
  { model, sae, split, startOfText }: EvaluateInputs,
  windows: Int32Array,
  batchWindows: number,
  { fromHook, autoencoder }: { fromHook: boolean; autoencoder: boolean },
): Promise<void> {
  const { kernels, config } = model
  const { hookName, targetHookName } = sae
  const workspace = createWorkspace(model, batchWindows, config.context, {
    keep: [hookName, targetHookName, ...hooksToStartAt(config, targetHookName)],
  })
  for (const [i, batch] of batchesOf(windows, batchWindows).entries()) {
    const filled = fillWindows(split, config.context, batch)
    const pass = (startAt: string | undefined): void => {
      forward(model, workspace, filled, startAt === undefined ? {} : { startAt })
      kernels.crossEntropyForward(workspace.losses, workspace.logits, workspace.targets)
    }
    pass(undefined)
    const encoded = autoencoder ? startEncoding() : null
    for (let times = 0; times < 3; times++) pass(fromHook ? targetHookName : undefined)
    await encoded?.then(({ x, codes }) => {
      decode(sae, x, codes, x)
      kernels.free(x)
    })
    if (i % 4 === 3) await kernels.finish()

    async function startEncoding() {
      const ids = textRows(filled.tokens, startOfText)
      const rows = kernels.tensor(ids, [ids.length])
      const x = kernels.zeros([ids.length, sae.d])
      kernels.gatherRows(x, workspace.activations[hookName], rows)
      kernels.free(rows)
      return { x, codes: await encode(sae, x) }
    }
  }
  await kernels.finish()
  freeWorkspace(model, workspace)
}

function print(figures: EvalFigures, what: string): void {
  const { tokens, evaluation, ...others } = figures
  console.log(`${what}; ${tokens} tokens, best of ${ROUNDS} rounds`)
  console.log(`evaluation                              ${evaluation.toFixed(0)} tokens/s`)
  const labels = {
    fourPasses: 'four whole forward passes',
    passes: 'the passes that it makes',
    passesWithAutoencoder: 'the same, with encoding and decoding',
  }
  for (const [name, label] of Object.entries(labels)) {
    const rate = others[name as keyof typeof labels]
    const share = ((100 * evaluation) / rate).toFixed(0)
    console.log(`${label.padEnd(38)}  ${rate.toFixed(0)} tokens/s; evaluation ${share}%   (target >= 80%)`)
  }
}
