import { type StageContext, silentProgress, throwIfInterrupted } from '../progress/progress.js'
import { writeTracerFeatures } from './circuit-tracer.js'
import type { ExportConfig } from './export-config.js'
import { writeDirectory } from './export-directory.js'
import { type Findings, openExportSource } from './export-source.js'
import { writeNeuronpedia } from './neuronpedia.js'
import { writeDashboards } from './saedashboard.js'

/** Layouts of other programs that features can be written in. */
export const exportFormats = ['saedashboard', 'neuronpedia', 'circuit-tracer'] as const

export type ExportFormat = (typeof exportFormats)[number]

export interface ExportPaths {
  /** a finished `features` directory */
  features: string
  /** the directory to make */
  out: string
}

/**
 * Writes features in another program's layout. The directory appears when it is complete.
 * @param findings explanations and neighbours of features; default none. Only Neuronpedia's layout has a place for them
 * @throws MonosemError config (`out` is there, no such feature, no layer), missing, corrupt, busy, io, interrupted
 */
export async function runExport(
  format: ExportFormat,
  config: ExportConfig,
  paths: ExportPaths,
  context: StageContext = { progress: silentProgress },
  findings?: Findings,
): Promise<{ features: number }> {
  const source = await openExportSource(paths.features, config, findings)
  try {
    await writeDirectory(paths.out, async (partial) => {
      const task = context.progress.start(`export for ${format}`, source.features.length, 'features')
      let done = 0
      const wrote = (): void => {
        throwIfInterrupted(context.signal)
        task.update(++done)
      }
      if (format === 'saedashboard') await writeDashboards(source, partial, wrote)
      else if (format === 'neuronpedia') await writeNeuronpedia(source, partial, new Date(), wrote)
      else await writeTracerFeatures(source, partial, wrote)
      task.end()
    })
    return { features: source.features.length }
  } finally {
    source.close()
  }
}
