import type { Command } from 'commander'
import { addFlags, readFlags } from '../config/flags.js'
import type { Json } from '../storage/stage.js'
import { renderToy } from '../synthetic/toy/render-toy.js'
import { toyConfigSchema } from '../synthetic/toy/toy-config.js'
import { readToyReport, runToyStage } from '../synthetic/toy/toy-stage.js'
import { addCommand } from './command.js'
import { madeOrReused } from './outcome.js'

/** `monosem synth toy` */
export function addSynthToy(synth: Command): void {
  const command = addCommand(
    synth,
    'toy',
    {
      description:
        'Train toy models of superposition (Elhage et al. 2022), draw their geometry, and find their features with autoencoders.',
      example: 'monosem synth toy --features 200 --dimensions 40 --no-sweeps --out runs/toy-200',
    },
    async (session, command) => {
      const { out } = command.opts<{ out: string }>()
      const config = readFlags(command, toyConfigSchema)
      const result = await runToyStage(
        config,
        { out },
        { ...session.context, kernels: await session.kernels() },
      )
      const report = await readToyReport(result.directory)
      return {
        json: { ...result, ...(report as unknown as Record<string, Json>) },
        text: `${madeOrReused(result)}\n\n${renderToy(report)}`,
      }
    },
  )
  command.option('--out <dir>', 'directory to write', 'runs/toy')
  addFlags(command, toyConfigSchema)
}
