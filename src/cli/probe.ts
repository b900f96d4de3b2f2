import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { addFlags, readFlags } from '../config/flags.js'
import { MonosemError } from '../errors/monosem-error.js'
import { loadInputs } from '../eval/eval-stage.js'
import { firstTexts } from '../explain/feature-explanations.js'
import { openFeatureStore } from '../features/feature-store.js'
import { type FeatureName, type FeatureNames, namesFromStore } from '../probe/feature-names.js'
import { readLabelledTexts } from '../probe/labelled-texts.js'
import { probeConfigSchema } from '../probe/probe-config.js'
import { renderProbes } from '../probe/render-probes.js'
import { type ProbeReport, runProbes } from '../probe/run-probes.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { explanationsOf } from './feature-findings.js'
import { addOptionalPaths, addPaths, addRunArgument, readPaths } from './run-paths.js'

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
      // Opened first: what is wrong with it should be said before minutes of computing.
      const store = existsSync(paths.features) ? await openFeatureStore(paths.features) : null
      const explanations = firstTexts(store ? await explanationsOf(command, paths.features) : new Map())
      try {
        const { model, sae, corpus } = await loadInputs(paths, await session.kernels())
        const inputs = { model, sae, tokenizer: corpus.tokenizer }
        const report = await runProbes(data, config, inputs, session.context)
        const names = store ? await namesOf(report, namesFromStore(store, explanations)) : new Map()
        return { json: withNames(report, names) as unknown as Json, text: renderProbes(report, names) }
      } finally {
        store?.close()
      }
    },
  )
  addRunArgument(command)
  command.option('--data <file>', 'labelled texts: .jsonl, .csv, .csv.gz or .parquet')
  addPaths(command, ['corpus', 'model', 'sae', 'features'])
  addFlags(addOptionalPaths(command, ['explanations']), probeConfigSchema)
}

function dataPath(command: Command): string {
  const path: string | undefined = command.getOptionValue('data')
  if (path !== undefined) return path
  throw new MonosemError('config', '--data: expected a file of labelled texts, got nothing', {
    hint: 'pass --data FILE with one text and its class a line',
  })
}

/** The names of all features in a report. */
async function namesOf(report: ProbeReport, nameOf: FeatureNames): Promise<Map<number, FeatureName>> {
  const names = new Map<number, FeatureName>()
  for (const { features } of report.probes)
    for (const { feature } of features ?? [])
      if (!names.has(feature)) names.set(feature, await nameOf(feature))
  return names
}

const withNames = (report: ProbeReport, names: ReadonlyMap<number, FeatureName>) => ({
  ...report,
  probes: report.probes.map((probe) => ({
    ...probe,
    features: probe.features?.map((feature) => ({ ...feature, ...names.get(feature.feature) })) ?? null,
  })),
})
