import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { formatNumber } from '../progress/rate.js'
import { plot } from '../report/plot.js'
import { type Figure, renderReportPage } from '../report/report-page.js'
import { storageError, writeFileAtomic } from '../storage/atomic-file.js'
import { runStage, type StageResult } from '../storage/stage.js'
import { runColumns, runRows } from './render-synthetic.js'
import { nameOfRun, readSyntheticRun, type SyntheticRun } from './synthetic-run.js'

/**
 * The finished autoencoders in directories that `synth train` or `synth sweep` wrote, by architecture and L0.
 * @throws MonosemError missing (none in one of them), corrupt, io
 */
export async function findSyntheticRuns(directories: readonly string[]): Promise<SyntheticRun[]> {
  const found: string[] = []
  for (const directory of directories) {
    const inner = await readdir(directory).catch((cause) => {
      throw storageError('read', directory, cause)
    })
    const runs = [directory, ...inner.map((name) => join(directory, name))].filter((path) =>
      existsSync(join(path, 'recovery', 'manifest.json')),
    )
    if (runs.length === 0)
      throw new MonosemError('missing', `${directory}: expected an autoencoder with its recovery, got none`, {
        hint: 'pass what `monosem synth train` or `monosem synth sweep` wrote, once it is done',
      })
    found.push(...runs)
  }
  const runs = await Promise.all([...new Set(found)].map(readSyntheticRun))
  const rank = ({ config }: SyntheticRun) => config.architecture
  return runs.sort((a, b) => (rank(a) === rank(b) ? a.l0 - b.l0 : rank(a) < rank(b) ? -1 : 1))
}

/**
 * Runs the `synthetic-table` stage: table.json and report.html, which compare autoencoders by what they found of the true features.
 * @throws MonosemError config (not the same world), io
 */
export async function runTableStage(runs: readonly SyntheticRun[], out: string): Promise<StageResult> {
  const inputs = Object.fromEntries(runs.map(({ directory }) => [directory, join(directory, 'recovery')]))
  return runStage({ stage: 'synthetic-table', out, config: {}, inputs }, async (partial) => {
    await writeFileAtomic(join(partial, 'table.json'), `${JSON.stringify(runs, null, 2)}\n`)
    await writeFileAtomic(join(partial, 'report.html'), await tableReport(runs))
  })
}

/** The comparison as a page. */
async function tableReport(runs: readonly SyntheticRun[]): Promise<string> {
  const samples = [...new Set(runs.map((run) => run.trainSamples))].sort((a, b) => a - b)
  return renderReportPage({
    title: 'Architectures on known features',
    lead:
      `${runs.length} autoencoders, trained on ${samples.map((n) => formatNumber(n)).join(' or ')} samples of a world whose features are known, and compared with ` +
      `these features on ${formatNumber(runs[0].samples)} others.`,
    blocks: [
      { kind: 'table', columns: runColumns, rows: runRows(runs) },
      {
        kind: 'text',
        text:
          'F1 says whether latents fire where their features do, MCC whether their directions are right, explained variance how much of the activations is ' +
          'reconstructed. More active latents always explain more; beyond the number of features that are there they fire on noise.',
      },
      { kind: 'figures', figures: await figuresOf(runs) },
    ],
  })
}

const measures = [
  {
    key: 'f1',
    label: 'F1',
    caption: 'Latents as detectors of their nearest true features, mean over latents.',
  },
  {
    key: 'mcc',
    label: 'MCC',
    caption: 'Mean absolute cosine of latents and true features, matched one to one.',
  },
  {
    key: 'explainedVariance',
    label: 'explained variance',
    caption:
      'Explained variance of the activations. It rises with L0 whether or not true features are found.',
  },
  {
    key: 'precision',
    label: 'precision',
    caption: 'Share of the firings of a latent with its feature there.',
  },
  {
    key: 'recall',
    label: 'recall',
    caption: 'Share of the samples with a feature on which its latent fires.',
  },
] as const

async function figuresOf(runs: readonly SyntheticRun[]): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const { key, label, caption } of measures) {
    const points = runs.map((run) => ({
      l0: run.l0,
      value: run[key],
      architecture: run.config.architecture,
      name: nameOfRun(run.config),
    }))
    const html = await plot((Plot) => ({
      ariaLabel: `${label} against L0, a line for each architecture`,
      color: { legend: true },
      x: { label: 'L0', nice: true },
      y: { label, grid: true, nice: true },
      marks: [
        Plot.line(points, { x: 'l0', y: 'value', stroke: 'architecture', sort: 'l0' }),
        Plot.dot(points, { x: 'l0', y: 'value', fill: 'architecture', title: 'name' }),
        ...(key === 'f1' || key === 'mcc' ? [Plot.ruleX([runs[0].trueL0], { strokeDasharray: '3,3' })] : []),
      ],
    }))
    figures.push({ html, caption })
  }
  return figures
}
