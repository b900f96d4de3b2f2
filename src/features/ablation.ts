import { requireSaeFits } from '../activations/sae-on-model.js'
import { fillWindows } from '../corpus/windows.js'
import type { EvaluateInputs } from '../eval/evaluate.js'
import { batchesOf } from '../eval/sample-windows.js'
import { type StageContext, silentProgress, throwIfInterrupted } from '../progress/progress.js'
import type { AblationConfig } from './ablation-config.js'
import type { PlacedExample } from './ablation-examples.js'
import { packPasses, type Removal } from './ablation-packing.js'
import {
  type AblationRunner,
  createAblationRunner,
  freeAblationRunner,
  runAblated,
  runUntouched,
  type UntouchedPass,
  untouchedLosses,
} from './ablation-passes.js'

/** What taking a feature out of an example's context does to the model's predictions. */
export interface AblationEffect {
  /**
   * For each token that the example shows: log-likelihood of the token after it with the feature taken out, minus that of the
   * untouched model, in nats. Negative where the feature helps. NaN where the document ends.
   */
  effects: Float32Array
  /** sum over the whole context, shown or not */
  total: number
  /** tokens at which the feature was taken out */
  tokens: number
}

export type AblationOptions = Pick<AblationConfig, 'where' | 'batchWindows' | 'batchTokens'>

/**
 * The direct effect of features on the loss (Bricken et al. 2023, feature ablations): in the context of each example, f_j d_j is
 * subtracted from the activation wherever feature j fires (or, with `where: 'token'`, only at the example's token), and the
 * change of each next token's log-likelihood recorded. The context is what the model saw when the example was collected: the
 * example's document within its window.
 *
 * Many examples share a forward pass, each with a feature of its own taken out; passes start at the hook point from the
 * activations of an untouched one; and only tokens that the change can reach are predicted: those at which the feature
 * fires where no attention follows, else those from its first firing on.
 * @returns one for each example, in their order
 * @throws MonosemError shape, missing (the autoencoder does not fit the model), interrupted
 */
export async function ablateExamples(
  options: AblationOptions,
  inputs: EvaluateInputs,
  examples: readonly PlacedExample[],
  context: StageContext = { progress: silentProgress },
): Promise<AblationEffect[]> {
  requireSaeFits(inputs.model, inputs.sae)
  const byWindow = groupByWindow(examples, inputs.model.config.context)
  const results = examples.map(({ first, end }) => ({
    effects: new Float32Array(end - first),
    total: 0,
    tokens: 0,
  }))
  const task = context.progress.start('ablate features', examples.length, 'examples')
  const runner = createAblationRunner(inputs, options.batchTokens)
  let done = 0
  try {
    for (const windows of batchesOf(Int32Array.from(byWindow.keys()).sort(), options.batchWindows)) {
      throwIfInterrupted(context.signal)
      const wanted = Array.from(windows).flatMap((window) => byWindow.get(window) as number[])
      await ablateBatch({ runner, split: inputs.split, windows, options, wanted, examples, results })
      done += wanted.length
      task.update(done)
    }
  } finally {
    freeAblationRunner(runner)
  }
  task.end()
  return results
}

/** Indices of the examples of each window that has any. */
function groupByWindow(examples: readonly PlacedExample[], contextSize: number): Map<number, number[]> {
  const byWindow = new Map<number, number[]>()
  examples.forEach(({ token }, i) => {
    const window = Math.floor(token / contextSize)
    const group = byWindow.get(window) ?? []
    group.push(i)
    byWindow.set(window, group)
  })
  return byWindow
}

/** Some windows, the examples in them, and where their results go. */
interface BatchWork {
  runner: AblationRunner
  split: EvaluateInputs['split']
  windows: Int32Array
  options: AblationOptions
  /** indices of the examples in these windows */
  wanted: readonly number[]
  examples: readonly PlacedExample[]
  results: AblationEffect[]
}

/** One untouched pass, and as many with features taken out as the examples need. */
async function ablateBatch(work: BatchWork): Promise<void> {
  const { runner, windows, wanted } = work
  const contextSize = runner.inputs.model.config.context
  const batch = fillWindows(work.split, contextSize, windows)
  const features = new Set(wanted.map((i) => work.examples[i].feature))
  const untouched = await runUntouched(runner, batch, windows.length, features)
  const removals = wanted.map((example) => removalOf(work, untouched, example))
  const passes = packPasses(removals, runner.layout, untouched.batch.targets)
  const rows = Int32Array.from(new Set(passes.flatMap(({ predicted }) => Array.from(predicted.source))))
  const [before, ...after] = await Promise.all([
    untouchedLosses(runner, untouched, rows),
    ...passes.map((pass) => runAblated(runner, untouched, pass)),
  ])
  const lossBefore = new Map(Array.from(rows, (row, i) => [row, before[i]]))
  for (const removal of removals) startResult(work, untouched, removal)
  for (const [p, { predicted }] of passes.entries())
    for (const [i, row] of predicted.source.entries()) {
      const effect = (lossBefore.get(row) as number) - after[p][i]
      addEffect(work, removals[predicted.removals[i]], row, effect)
    }
}

/** Where an example's feature fires in its context. */
function removalOf(work: BatchWork, untouched: UntouchedPass, index: number): Removal {
  const { feature, token, position } = work.examples[index]
  const { batch, activationAt } = untouched
  const contextSize = work.runner.inputs.model.config.context
  const window = Math.floor(token / contextSize)
  const windowStart = work.windows.indexOf(window) * contextSize
  const shift = windowStart - window * contextSize
  const own = token + shift
  let contextEnd = own + 1
  while (contextEnd < windowStart + contextSize && batch.targets[contextEnd - 1] >= 0) contextEnd++
  const removal: Removal = {
    example: index,
    feature,
    shift,
    windowStart,
    contextEnd,
    rows: [],
    activations: [],
  }
  const [first, end] =
    work.options.where === 'token' ? [own, own + 1] : [Math.max(windowStart, own - position), contextEnd]
  for (let row = first; row < end; row++) {
    const activation = activationAt(row, feature)
    if (activation <= 0) continue
    removal.rows.push(row)
    removal.activations.push(activation)
  }
  return removal
}

function startResult(work: BatchWork, { batch }: UntouchedPass, { example, shift, rows }: Removal): void {
  const { effects } = work.results[example]
  work.results[example].tokens = rows.length
  const { first } = work.examples[example]
  for (let i = 0; i < effects.length; i++) if (batch.targets[first + shift + i] < 0) effects[i] = Number.NaN
}

function addEffect(work: BatchWork, { example, shift }: Removal, row: number, effect: number): void {
  const result = work.results[example]
  const { first, end } = work.examples[example]
  const token = row - shift
  result.total += effect
  if (token >= first && token < end) result.effects[token - first] = effect
}
