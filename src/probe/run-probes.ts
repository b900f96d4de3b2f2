import type { Tokenizer } from '../corpus/tokenizer.js'
import type { Transformer } from '../model/transformer.js'
import { type StageContext, silentProgress, throwIfInterrupted } from '../progress/progress.js'
import { Random } from '../random/random.js'
import type { Sae } from '../sae/sae.js'
import {
  type ClassifierMetrics,
  classifierMetrics,
  type FoldInterval,
  foldInterval,
  metricNames,
} from './classifier-metrics.js'
import { splitFold, stratifiedFolds } from './folds.js'
import type { LabelledTexts } from './labelled-texts.js'
import { type PooledTexts, poolTexts } from './pooled-texts.js'
import type { ProbeConfig } from './probe-config.js'
import { lassoProbe, type Probe, ridgeProbe, sparseProbe, type UsedColumn } from './probes.js'
import { type RepresentationName, representations } from './representations.js'

/** One probe on all folds. */
export interface ProbeResult {
  /** e.g. "k-sparse, k = 5" */
  name: string
  /** what it is fitted to: feature activations, raw activations, or token counts */
  representation: RepresentationName
  /** over folds */
  metrics: Record<keyof ClassifierMetrics, FoldInterval>
  folds: ClassifierMetrics[]
  /** columns with a weight that is not 0, mean over folds */
  columns: number
  /** the features that it uses when fitted to all texts, strongest first, at most `reportedFeatures` a class; null for other columns */
  features: ProbeFeature[] | null
}

/** A feature in a probe. */
export interface ProbeFeature {
  feature: number
  /** the class that it speaks for; with a negative weight, against */
  class: string
  /** in the score's log odds, for each standard deviation of the pooled activation */
  weight: number
  /** folds whose probe used it too */
  folds: number
}

/** Probes side by side. */
export interface ProbeReport {
  hookName: string
  pool: ProbeConfig['pool']
  texts: number
  classes: { name: string; texts: number }[]
  /** accuracy of always naming the largest class */
  majority: number
  /** texts left out because they were there before; those of them with another class */
  repeated: number
  contradicting: number
  /** texts longer than the context, which were cut into windows and pooled over them */
  longTexts: number
  windows: number
  folds: number
  probes: ProbeResult[]
}

/** Features that a report lists for each class, at most. */
const reportedFeatures = 20

interface NamedProbe {
  name: string
  representation: RepresentationName
  probe: Probe
}

const probesOf = ({ sparsity }: ProbeConfig): NamedProbe[] => [
  ...sparsity.map((k) => ({
    name: `k-sparse, k = ${k}`,
    representation: 'features' as const,
    probe: sparseProbe(k),
  })),
  { name: 'L1, all features', representation: 'features', probe: lassoProbe },
  { name: 'dense, raw activations', representation: 'raw', probe: ridgeProbe },
  { name: 'token bag', representation: 'tokens', probe: ridgeProbe },
]

/**
 * How well the features of an autoencoder tell classes of texts apart, beside the raw activations at its hook point and beside the mere
 * tokens. Stratified cross-validation; features, scales and penalties are chosen on the training folds alone.
 * @throws MonosemError shape (the autoencoder does not fit the model), interrupted
 */
export async function runProbes(
  data: LabelledTexts,
  config: ProbeConfig,
  inputs: { model: Transformer; sae: Sae; tokenizer: Tokenizer },
  context: StageContext = { progress: silentProgress },
): Promise<ProbeReport> {
  const pooled = await poolTexts(data.texts, config, inputs, context)
  const counts = data.classes.map((_, c) => data.labels.filter((label) => label === c).length)
  return {
    hookName: inputs.sae.hookName,
    pool: config.pool,
    texts: data.texts.length,
    classes: data.classes.map((name, c) => ({ name, texts: counts[c] })),
    majority: Math.max(...counts) / data.texts.length,
    repeated: data.repeated,
    contradicting: data.contradicting,
    longTexts: pooled.longTexts,
    windows: pooled.windows,
    folds: config.folds,
    probes: await crossValidate(pooled, data, config, context),
  }
}

async function crossValidate(
  pooled: PooledTexts,
  data: Pick<LabelledTexts, 'labels' | 'classes'>,
  config: ProbeConfig,
  context: StageContext,
): Promise<ProbeResult[]> {
  const probes = probesOf(config)
  const random = Random.named(config.seed, 'probe.folds')
  const foldOf = stratifiedFolds(data.labels, data.classes.length, config.folds, random)
  const task = context.progress.start('fit probes', (config.folds + 1) * probes.length, 'fits')
  const all = data.labels.map((_, i) => i)
  let done = 0
  const outcomes: FoldOutcome[][] = []
  // The last round fits all texts, for the weights that are reported.
  for (let fold = 0; fold <= config.folds; fold++) {
    const parts = fold < config.folds ? splitFold(foldOf, fold) : { train: all, test: new Int32Array(0) }
    const numbers = representations(pooled, parts.train, parts.test)
    const round: FoldOutcome[] = []
    for (const { probe, representation } of probes) {
      throwIfInterrupted(context.signal)
      if (fold === config.folds && representation !== 'features') round.push({ metrics: null, used: [] })
      else round.push(fitFold(probe, numbers[representation], data, parts, config.seed))
      task.update(++done)
      // Progress and Ctrl-C get their turn.
      await new Promise((resolve) => setImmediate(resolve))
    }
    outcomes.push(round)
  }
  task.end()
  const whole = outcomes.pop() as FoldOutcome[]
  return probes.map((probe, i) =>
    resultOf(
      probe,
      outcomes.map((round) => round[i]),
      probe.representation === 'features' ? whole[i].used : null,
      data.classes,
    ),
  )
}

interface FoldOutcome {
  /** null for the round over all texts */
  metrics: ClassifierMetrics | null
  used: UsedColumn[]
}

function fitFold(
  probe: Probe,
  numbers: Pick<Parameters<Probe>[0], 'train' | 'test'>,
  { labels, classes }: Pick<LabelledTexts, 'labels' | 'classes'>,
  { train, test }: { train: Int32Array; test: Int32Array },
  seed: number,
): FoldOutcome {
  const fitted = probe({ ...numbers, labels: train.map((i) => labels[i]), classes: classes.length, seed })
  const testLabels = test.map((i) => labels[i])
  return {
    metrics: test.length > 0 ? classifierMetrics(fitted.scores, testLabels, classes.length) : null,
    used: fitted.used,
  }
}

function resultOf(
  { name, representation }: NamedProbe,
  folds: readonly FoldOutcome[],
  whole: UsedColumn[] | null,
  classes: readonly string[],
): ProbeResult {
  const metrics = folds.map(({ metrics }) => metrics as ClassifierMetrics)
  const intervals = metricNames.map((metric) => [metric, foldInterval(metrics.map((fold) => fold[metric]))])
  return {
    name,
    representation,
    metrics: Object.fromEntries(intervals) as ProbeResult['metrics'],
    folds: metrics,
    columns: folds.reduce((sum, { used }) => sum + used.length, 0) / folds.length,
    features: whole === null ? null : strongest(whole, folds, classes),
  }
}

function strongest(
  whole: readonly UsedColumn[],
  folds: readonly FoldOutcome[],
  classes: readonly string[],
): ProbeFeature[] {
  const inFolds = (column: UsedColumn): number =>
    folds.filter(({ used }) =>
      used.some((other) => other.column === column.column && other.class === column.class),
    ).length
  return classes.flatMap((name, c) =>
    whole
      .filter((column) => column.class === c)
      .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight) || a.column - b.column)
      .slice(0, reportedFeatures)
      .map((column) => ({
        feature: column.column,
        class: name,
        weight: column.weight,
        folds: inFolds(column),
      })),
  )
}
