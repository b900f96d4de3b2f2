import { join } from 'node:path'
import type { Command } from 'commander'
import { addFlags, readFlags } from '../config/flags.js'
import type { Json } from '../storage/stage.js'
import { renderSyntheticRun } from '../synthetic/render-synthetic.js'
import { syntheticConfigSchema } from '../synthetic/synthetic-config.js'
import { readSyntheticRun, trainSynthetic } from '../synthetic/synthetic-run.js'
import { addCommand } from './command.js'
import { madeOrReused } from './outcome.js'

/** `monosem synth train` */
export function addSynthTrain(synth: Command): void {
  const command = addCommand(
    synth,
    'train',
    {
      description:
        'Train a sparse autoencoder on samples of a world whose features are known, SynthSAEBench-16k unless told otherwise ' +
        '(Chanin & Garriga-Alonso 2026), and measure how many of them it found. Stopped, the same command goes on.',
      example:
        'monosem synth train --architecture matryoshka --k 25 --samples 20M --out runs/synth-matryoshka',
    },
    async (session, command) => {
      const { out } = command.opts<{ out: string }>()
      const config = readFlags(command, syntheticConfigSchema)
      const context = { ...session.context, kernels: await session.kernels() }
      const [result] = await trainSynthetic([{ config, directory: out }], join(out, 'feature-model'), context)
      const run = await readSyntheticRun(out)
      return {
        json: { reused: result.reused, ...(run as unknown as Record<string, Json>) },
        text: `${madeOrReused(result)}\n\n${renderSyntheticRun(run)}`,
      }
    },
  )
  command.option(
    '--out <dir>',
    'directory to write: <dir>/feature-model, <dir>/sae, <dir>/recovery',
    'runs/synth',
  )
  addFlags(command, syntheticConfigSchema)
}
