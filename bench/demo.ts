import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Summary } from '../src/cli/summary.js'
import { machine } from './machine.js'

export interface DemoFigure {
  figure: string
  measured: number
  /** what the project set out to reach */
  target: string
  reached: boolean
}

const MAIN = fileURLToPath(new URL('../src/cli/main.js', import.meta.url))

/** Runs the demo three times (default, `--architecture topk --k 32` on the same model, `--quick`) and holds its figures against the targets. */
export async function benchDemo(): Promise<DemoFigure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'monosem-bench-'))
  try {
    console.log(`the demo, ${machine()}`)
    const full = await demo(join(directory, 'full'), [])
    const topk = await demo(join(directory, 'topk'), ['--architecture', 'topk', '--k', '32'])
    const quick = await demo(join(directory, 'quick'), ['--quick'])
    const figures = [
      ...fullFigures(full),
      atLeast('topk: loss recovered', topk.sae.lossRecovered, 0.92),
      atMost('quick: seconds', quick.seconds, 90),
    ]
    for (const { figure, measured, target, reached } of figures)
      console.log(
        `${reached ? 'ok  ' : 'MISS'} ${figure.padEnd(44)} ${measured.toFixed(3).padStart(10)}   ${target}`,
      )
    return figures
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function fullFigures({ seconds, peakRssMiB, model, sae, caseStudies }: Summary): DemoFigure[] {
  return [
    atMost('seconds', seconds, availableParallelism() >= 4 ? 480 : 900),
    atMost('peak resident memory, MiB', peakRssMiB, 3072),
    atLeast('nats per token below the bigram baseline', model.bigramLoss - model.valLoss, 0.5),
    atLeast('loss recovered (zero ablation)', sae.lossRecovered, 0.85),
    atMost('L0', sae.l0, 40),
    atLeast('explained variance', sae.explainedVariance, 0.75),
    atMost('dead features', sae.deadFraction, 0.05),
    ...caseStudies.flatMap((study) => [
      atLeast(`${study.name}: precision above half maximum`, study.precisionAboveHalfMax, 0.9),
      atLeast(
        `${study.name}: correlation above the best neuron's`,
        (study.correlation ?? 0) - (study.bestNeuronCorrelation ?? 0),
        0,
      ),
    ]),
  ]
}

/** A figure that could not be measured counts as missed. */
const atLeast = (figure: string, measured: number | null, bound: number): DemoFigure => ({
  ...{ figure, measured: measured ?? Number.NaN, target: `>= ${bound}` },
  reached: measured !== null && measured >= bound,
})

const atMost = (figure: string, measured: number | null, bound: number): DemoFigure => ({
  ...{ figure, measured: measured ?? Number.NaN, target: `<= ${bound}` },
  reached: measured !== null && measured <= bound,
})

async function demo(out: string, options: string[]): Promise<Summary> {
  const { status } = spawnSync(process.execPath, [MAIN, 'demo', '--quiet', '--out', out, ...options], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (status !== 0) throw new Error(`monosem demo ${options.join(' ')} ended with status ${status}`)
  return JSON.parse(await readFile(join(out, 'summary.json'), 'utf8')) as Summary
}
