import { join } from 'node:path'
import type { Command } from 'commander'
import { addFlags, readFlags } from '../config/flags.js'
import { parseConfig } from '../config/parse-config.js'
import { readVariations } from '../config/variations.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { Json } from '../storage/stage.js'
import { renderSyntheticTable } from '../synthetic/render-synthetic.js'
import { syntheticConfigSchema, syntheticSaeConfigSchema } from '../synthetic/synthetic-config.js'
import { readSyntheticRun, trainSynthetic } from '../synthetic/synthetic-run.js'
import { addCommand } from './command.js'
import type { Outcome, Session } from './session.js'

/** `monosem synth sweep` */
export function addSynthSweep(synth: Command): void {
  const command = addCommand(
    synth,
    'sweep',
    {
      description:
        'Train several sparse autoencoders on one stream of samples of a world whose features are known, and compare what they found. ' +
        'Each ends as if `synth train` had trained it alone with the same --stream-seed.',
      example:
        'monosem synth sweep --vary architecture=topk,batchtopk,matryoshka --vary k=15,20,25,35 --samples 2M --out runs/synth-sweep',
    },
    runSweep,
  )
  command
    .option('--out <dir>', 'directory to write, one directory for each autoencoder', 'runs/synth-sweep')
    .option(
      '--vary <option=values...>',
      'option of the autoencoder and its values, as k=20,25; given several times, every combination is trained',
    )
  addFlags(command, syntheticConfigSchema)
}

async function runSweep(session: Session, command: Command): Promise<Outcome> {
  const { out, vary } = command.opts<{ out: string; vary?: string[] }>()
  if (vary === undefined)
    throw new MonosemError('config', '--vary: expected an option and its values, got nothing', {
      hint: 'for example --vary architecture=batchtopk,matryoshka --vary k=20,25',
    })
  const base = readFlags(command, syntheticConfigSchema)
  const requests = readVariations(vary, syntheticSaeConfigSchema).map(({ name, values }) => ({
    directory: join(out, name),
    config: parseConfig(
      syntheticConfigSchema,
      { ...base, streamSeed: base.streamSeed ?? base.seed, ...values },
      (field) => (field in values ? `--vary ${field}` : field),
    ),
  }))
  const context = { ...session.context, kernels: await session.kernels() }
  await trainSynthetic(requests, join(out, 'feature-model'), context)
  const runs = await Promise.all(requests.map(({ directory }) => readSyntheticRun(directory)))
  return {
    json: { directory: out, autoencoders: runs as unknown as Json[] },
    text: `${out}\n\n${renderSyntheticTable(runs)}`,
  }
}
