import { join } from 'node:path'
import type { Command } from 'commander'
import { addFlags, readFlags } from '../config/flags.js'
import { parseConfig } from '../config/parse-config.js'
import { readVariations } from '../config/variations.js'
import { MonosemError } from '../errors/monosem-error.js'
import { type SaeConfig, saeConfigSchema } from '../sae/sae-config.js'
import { runSaeStage, type SaeMetrics, trainSaes } from '../sae/sae-stage.js'
import type { TrainContext } from '../sae/train-together.js'
import { readStageJson } from '../storage/open-stage.js'
import type { Json, StageResult } from '../storage/stage.js'
import { decimals, percent } from '../terminal/figures.js'
import { renderTable } from '../terminal/table.js'
import { addCommand } from './command.js'
import { addMeshFlags, trainContext } from './mesh-flags.js'
import { madeOrReused, renderJson } from './outcome.js'
import { addPaths, readPaths } from './run-paths.js'
import { addSaeConvert } from './sae-convert.js'
import { addSaeEncode } from './sae-encode.js'
import { addSaeInfo } from './sae-info.js'
import {
  addActivationsPath,
  defaultsFor,
  openSaeSource,
  readSaeInputs,
  type SaeInputs,
} from './sae-source.js'
import type { Outcome, Session } from './session.js'

/** `monosem sae train`, `sweep`, `info`, `convert` and `encode` */
export function addSae(program: Command): void {
  const sae = program
    .command('sae')
    .description('sparse autoencoders: train them, read those of others, run them')
  const train = addCommand(
    sae,
    'train',
    {
      description: 'Train a sparse autoencoder on the activations of a transformer at one hook point.',
      example: 'monosem sae train --run runs/demo --architecture topk --k 32 --out runs/topk/sae',
      ranks: true,
    },
    async (session, command) => {
      const { out } = readPaths(command, [], 'sae')
      const inputs = readSaeInputs(command)
      const config = readFlags(command, saeConfigSchema, await defaultsFor(inputs))
      const context = await trainContext(session, command)
      const result = await trainSae(session, config, inputs, out, context)
      const metrics = await readMetrics(result)
      return { json: { ...result, ...metrics }, text: `${madeOrReused(result)}\n${renderJson(metrics)}` }
    },
  )
  addMeshFlags(addFlags(addActivationsPath(addPaths(train, ['corpus', 'model'], 'sae')), saeConfigSchema))
  addSweep(sae)
  addSaeInfo(sae)
  addSaeConvert(sae)
  addSaeEncode(sae)
}

function addSweep(sae: Command): void {
  const sweep = addCommand(
    sae,
    'sweep',
    {
      description:
        'Train several sparse autoencoders on one stream of activations, which is computed once. Each ends in a directory of its own, ' +
        'as if it had been trained alone with the same --stream-seed.',
      example: 'monosem sae sweep --run runs/demo --vary l1Coefficient=2,3,5 --vary seed=0,1',
      ranks: true,
    },
    runSweep,
  )
  addActivationsPath(addPaths(sweep, ['corpus', 'model']))
    .option('--out <dir>', 'directory to write, one directory for each autoencoder (default: <run>/sweep)')
    .option(
      '--vary <option=values...>',
      'option and its values, as l1Coefficient=2,3,5; given several times, every combination is trained',
    )
  addMeshFlags(addFlags(sweep, saeConfigSchema))
}

async function runSweep(session: Session, command: Command): Promise<Outcome> {
  const inputs = readSaeInputs(command)
  const base = readFlags(command, saeConfigSchema, await defaultsFor(inputs))
  const variations = readVariations(command.getOptionValue('vary') ?? [], saeConfigSchema)
  const directory = sweepDirectory(command)
  const members = variations.map(({ name, values }) => ({
    out: join(directory, name),
    config: parseConfig(
      saeConfigSchema,
      { ...base, streamSeed: base.streamSeed ?? base.seed, ...values },
      (field) => (field in values ? `--vary ${field}` : field),
    ),
  }))
  const kernels = await session.kernels()
  const context = await trainContext(session, command)
  const source = await openSaeSource(kernels, members[0].config, inputs, context.ranks)
  const results = await trainSaes(members, { source, inputs }, { ...context, kernels })
  const rows: { name: string; directory: string; reused: boolean; metrics: Record<string, Json> }[] = []
  for (const [i, result] of results.entries())
    rows.push({ name: variations[i].name, ...result, metrics: await readMetrics(result) })
  return {
    json: { directory, autoencoders: rows.map(({ metrics, ...row }) => ({ ...row, ...metrics })) },
    text: renderSweep(directory, rows),
  }
}

function sweepDirectory(command: Command): string {
  const run: string | undefined = command.getOptionValue('run')
  const directory: string | undefined = command.getOptionValue('out') ?? (run && join(run, 'sweep'))
  if (directory === undefined)
    throw new MonosemError('config', '--out: expected a directory, got nothing', {
      hint: 'pass --out DIR, or --run DIR for DIR/sweep',
    })
  if (command.getOptionValue('vary') === undefined)
    throw new MonosemError('config', '--vary: expected an option and its values, got nothing', {
      hint: 'for example --vary l1Coefficient=2,3,5',
    })
  return directory
}

function renderSweep(
  directory: string,
  rows: readonly { name: string; reused: boolean; metrics: Record<string, Json> }[],
): string {
  const columns = [
    { heading: 'autoencoder', align: 'left' as const },
    { heading: 'L0' },
    { heading: 'explained variance' },
    { heading: 'dead features' },
    { heading: '' },
  ]
  const cells = rows.map(({ name, reused, metrics }) => {
    const { l0, explainedVariance, deadFraction } = metrics as unknown as SaeMetrics
    return [
      name,
      decimals(l0, 1),
      percent(explainedVariance),
      percent(deadFraction),
      reused ? 'was there' : '',
    ]
  })
  return `${directory}\n\n${renderTable(columns, cells)}`
}

const readMetrics = ({ directory }: StageResult): Promise<Record<string, Json>> =>
  readStageJson<Record<string, Json>>(directory, 'sae', 'metrics.json')

/** The `sae` stage, fed with stored activations or with those of a model that reads the training split of a corpus. */
export async function trainSae(
  session: Session,
  config: SaeConfig,
  inputs: SaeInputs,
  out: string,
  context: TrainContext = session.context,
): Promise<StageResult> {
  const kernels = await session.kernels()
  const source = await openSaeSource(kernels, config, inputs, context.ranks)
  return runSaeStage(config, { source, out, inputs }, { ...context, kernels })
}
