import type { Command } from 'commander'
import { MonosemError } from '../errors/monosem-error.js'
import { runFeaturePagesStage } from '../server/pages/feature-pages-stage.js'
import { addCommand } from './command.js'
import { madeOrReused } from './outcome.js'

/** `monosem features pages` */
export function addFeaturePages(features: Command): void {
  const command = addCommand(
    features,
    'pages',
    {
      description:
        'Make the browser page of every feature ready to be sent: with them `monosem serve` answers at once, however many features there are.',
      example: 'monosem features pages --run runs/demo',
    },
    async (session, command) => {
      const run: string | undefined = command.getOptionValue('run')
      if (run === undefined)
        throw new MonosemError('config', '--run: expected a directory, got nothing', {
          hint: 'pass --run DIR',
        })
      const result = await runFeaturePagesStage(run, session.context)
      return { json: { ...result }, text: madeOrReused(result) }
    },
  )
  command.option(
    '--run <dir>',
    'run directory: reads <dir>/features, and <dir>/feature-map and <dir>/ablation where they are there; writes <dir>/feature-pages',
  )
}
