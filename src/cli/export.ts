import type { Command } from 'commander'
import { addFlags, readFlags } from '../config/flags.js'
import { MonosemError } from '../errors/monosem-error.js'
import { exportConfigSchema } from '../export/export-config.js'
import type { Findings } from '../export/export-source.js'
import { renderDashboards } from '../export/render-dashboards.js'
import { type ExportFormat, exportFormats, runExport } from '../export/run-export.js'
import { readDashboards } from '../export/saedashboard.js'
import { formatNumber } from '../progress/rate.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { addExportSite } from './export-site.js'
import { explanationsOf, mapRowsOf } from './feature-findings.js'
import { addOptionalPaths, addPaths, readPaths } from './run-paths.js'

const about: Record<ExportFormat, string> = {
  saedashboard: "Write features as SAEDashboard's batch-N.json.",
  neuronpedia: "Write features in the layout of Neuronpedia's bulk import.",
  'circuit-tracer': 'Write one JSON file for each feature, as circuit-tracer shows them.',
}

/** `monosem export saedashboard`, `neuronpedia`, `circuit-tracer`, `read` and `site` */
export function addExport(program: Command): void {
  const parent = program.command('export').description('features in the layouts of other programs')
  for (const format of exportFormats) addFormat(parent, format)
  addRead(parent)
  addExportSite(parent)
}

function addFormat(parent: Command, format: ExportFormat): void {
  const command = addCommand(
    parent,
    format,
    {
      description: about[format],
      example: `monosem export ${format} --run runs/demo --features 0-99 --out exports/${format}`,
    },
    async (session, command) => {
      const { features } = readPaths(command, ['features'])
      const out: string | undefined = command.getOptionValue('out')
      if (out === undefined)
        throw new MonosemError('config', '--out: expected a directory to make, got nothing')
      const config = readFlags(command, exportConfigSchema)
      const findings = await findingsFor(format, command, features)
      const written = await runExport(format, config, { features, out }, session.context, findings)
      return {
        json: { directory: out, ...written },
        text: `wrote ${formatNumber(written.features)} features to ${out}`,
      }
    },
  )
  addPaths(command, ['features'])
  if (format === 'neuronpedia') addOptionalPaths(command, ['feature-map', 'explanations'])
  command.option('--out <dir>', 'directory to make')
  addFlags(command, exportConfigSchema)
}

/** What is known of the features besides their store, where the layout has a place for it. */
async function findingsFor(
  format: ExportFormat,
  command: Command,
  features: string,
): Promise<Findings | undefined> {
  if (format !== 'neuronpedia') return undefined
  const places = await mapRowsOf(command, features)
  return {
    explanations: await explanationsOf(command, features),
    neighbours: new Map(Array.from(places, ([feature, { neighbours }]) => [feature, neighbours])),
  }
}

function addRead(parent: Command): void {
  const command = addCommand(
    parent,
    'read',
    {
      description: "List the features in SAEDashboard's batch-N.json, whoever wrote them.",
      example: 'monosem export read exports/saedashboard',
    },
    async (session, command) => {
      const batches = await readDashboards(command.args[0])
      return { json: batches as unknown as Json, text: renderDashboards(batches, session.width) }
    },
  )
  command.argument('<path>', 'a batch-N.json, or a directory of them')
}
