import type { Command } from 'commander'
import { z } from 'zod'
import { addFlags, readFlags } from '../config/flags.js'
import { MonosemError } from '../errors/monosem-error.js'
import { formatNumber } from '../progress/rate.js'
import { exportSite, type SiteReport } from '../server/site/export-site.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'

const siteSchema = z.object({
  features: z
    .array(z.string())
    .default([])
    .describe('features to export: numbers and ranges, e.g. 0-999 4000; default: all'),
})

/** `monosem export site` */
export function addExportSite(parent: Command): void {
  const command = addCommand(
    parent,
    'site',
    {
      description: 'Write the feature browser as files: all of it that needs no model, for any file server.',
      example: 'monosem export site runs/demo --out exports/site',
    },
    async (session, command) => {
      const out: string | undefined = command.getOptionValue('out')
      if (out === undefined)
        throw new MonosemError('config', '--out: expected a directory to make, got nothing')
      const { features } = readFlags(command, siteSchema)
      const report = await exportSite({ runs: command.args, out, features }, session.context)
      return { json: { directory: out, ...report } as unknown as Json, text: describe(report, out) }
    },
  )
  command.argument('<run...>', 'run directories').option('--out <dir>', 'directory to make')
  addFlags(command, siteSchema)
}

function describe({ runs, sizes }: SiteReport, out: string): string {
  const parts = Object.entries(sizes).map(
    ([kind, { files, bytes }]) =>
      `  ${kind.padEnd(6)} ${formatNumber(files).padStart(9)} files ${megabytes(bytes).padStart(10)}`,
  )
  const total = Object.values(sizes).reduce((sum, { bytes }) => sum + bytes, 0)
  return [
    `wrote ${runs.map(({ run, features }) => `${run} (${formatNumber(features)} features)`).join(', ')} to ${out}, ${megabytes(total)}`,
    ...parts,
    'Browsers load it from a file server only, not from the disk; any will do, in any folder:',
    `  npx serve ${out}`,
    `  python3 -m http.server --directory ${out}`,
  ].join('\n')
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 1)} MB`
