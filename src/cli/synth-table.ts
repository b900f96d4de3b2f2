import type { Command } from 'commander'
import type { Json } from '../storage/stage.js'
import { renderSyntheticTable } from '../synthetic/render-synthetic.js'
import { findSyntheticRuns, runTableStage } from '../synthetic/table-stage.js'
import { addCommand } from './command.js'
import { madeOrReused } from './outcome.js'

/** `monosem synth table` */
export function addSynthTable(synth: Command): void {
  const command = addCommand(
    synth,
    'table',
    {
      description:
        'Compare autoencoders that were trained on worlds whose features are known: architectures by L0, as a table and as report.html.',
      example: 'monosem synth table runs/synth runs/synth-sweep --out runs/synth-table',
    },
    async (_session, command) => {
      const { out } = command.opts<{ out: string }>()
      const runs = await findSyntheticRuns(command.args)
      const result = await runTableStage(runs, out)
      return {
        json: { ...result, autoencoders: runs as unknown as Json[] },
        text: `${madeOrReused(result)}\n\n${renderSyntheticTable(runs)}`,
      }
    },
  )
  command
    .argument('<dirs...>', 'what `synth train` or `synth sweep` wrote')
    .option('--out <dir>', 'directory to write', 'runs/synth-table')
}
