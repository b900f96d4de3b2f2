import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { addFlags, readFlags } from '../config/flags.js'
import { MonosemError } from '../errors/monosem-error.js'
import { loadInputs } from '../eval/eval-stage.js'
import { openFeatureStore } from '../features/feature-store.js'
import { type FeatureName, namesFromStore } from '../probe/feature-names.js'
import { readLabelledTexts } from '../probe/labelled-texts.js'
import { probeConfigSchema } from '../probe/probe-config.js'
import { renderProbes } from '../probe/render-probes.js'
import { type ProbeReport, runProbes } from '../probe/run-probes.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { addPaths, readPaths } from './run-paths.js'

/** `monosem probe` */
export function addProbe(program: Command): void {
  const command = addCommand(
    program,
    'probe',
    {
      description:
        'Classify labelled texts with features: k-sparse and L1 probes, beside raw activations and a token bag.',
      example: 'monosem probe runs/demo --data reviews.jsonl --text-field review --label-field stars',
    },
    async (session, command) => {
      if (command.args.length > 0) command.setOptionValueWithSource('run', command.args[0], 'cli')
      const paths = readPaths(command, ['corpus', 'model', 'sae', 'features'])
      const config = readFlags(command, probeConfigSchema)
      const data = await readLabelledTexts(dataPath(command), config)
      const { model, sae, corpus } = await loadInputs(paths, await session.kernels())
      const report = await runProbes(
        data,
        config,
        { model, sae, tokenizer: corpus.tokenizer },
        session.context,
      )
      const names = await namesOf(report, paths.features)
      return { json: withNames(report, names) as unknown as Json, text: renderProbes(report, names) }
    },
  )
  command.argument('[run]', 'run directory, as --run')
  command.option('--data <file>', 'labelled texts: .jsonl, .csv, .csv.gz or .parquet')
  addFlags(addPaths(command, ['corpus', 'model', 'sae', 'features']), probeConfigSchema)
}

function dataPath(command: Command): string {
  const path: string | undefined = command.getOptionValue('data')
  if (path !== undefined) return path
  throw new MonosemError('config', '--data: expected a file of labelled texts, got nothing', {
    hint: 'pass --data FILE with one text and its class a line',
  })
}

/** Names of the features in a report; none where the run has no features directory. */
async function namesOf(report: ProbeReport, features: string): Promise<Map<number, FeatureName>> {
  const names = new Map<number, FeatureName>()
  if (!existsSync(features)) return names
  const store = await openFeatureStore(features)
  try {
    const nameOf = namesFromStore(store)
    for (const { features } of report.probes)
      for (const { feature } of features ?? [])
        if (!names.has(feature)) names.set(feature, await nameOf(feature))
  } finally {
    store.close()
  }
  return names
}

const withNames = (report: ProbeReport, names: ReadonlyMap<number, FeatureName>) => ({
  ...report,
  probes: report.probes.map((probe) => ({
    ...probe,
    features: probe.features?.map((feature) => ({ ...feature, ...names.get(feature.feature) })) ?? null,
  })),
})
