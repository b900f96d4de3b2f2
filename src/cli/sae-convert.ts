import { basename } from 'node:path'
import type { Command } from 'commander'
import { MonosemError } from '../errors/monosem-error.js'
import { convertSae } from '../sae/formats/convert-sae.js'
import { describeSae } from '../sae/formats/describe-sae.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { madeOrReused } from './outcome.js'
import { addSaeSource, readSaeSource, requiredOption } from './sae-files.js'
import { renderDescription } from './sae-info.js'
import type { Outcome, Session } from './session.js'

/** `monosem sae convert` */
export function addSaeConvert(sae: Command): void {
  const convert = addCommand(
    sae,
    'convert',
    {
      description:
        'Write an autoencoder of any layout as a SAELens v6 directory, which is also one of ours. f and x_hat stay the same bits.',
      example: 'monosem sae convert sparsify/layers.3 --to saelens --out saes/layer3',
    },
    runConvert,
  )
  addSaeSource(
    convert
      .argument('<source>', 'directory, file of weights, or owner/name/folder on the Hugging Face hub')
      .option('--to <layout>', 'layout to write: saelens (the only one)', 'saelens')
      .option('--out <dir>', 'directory to write; one that is there is never overwritten'),
  )
}

async function runConvert(session: Session, command: Command): Promise<Outcome> {
  const [source] = command.args
  const layout: string = command.getOptionValue('to')
  if (layout !== 'saelens')
    throw new MonosemError('config', `--to: expected saelens, got ${layout}`, {
      hint: 'the others are read, not written',
    })
  const out = requiredOption(command, 'out', 'a directory to write')
  const { read, ...result } = await convertSae(source, out, readSaeSource(session, command))
  const description = describeSae(read)
  const files = Object.entries(result.sourceFiles).map(([name, hash]) => `  from ${name}, sha256 ${hash}`)
  const { architecture, loads } = description.saelens
  const lacking = [
    ...(loads ? [] : [`SAELens has no architecture ${architecture}`]),
    ...(result.sharded ? ['SAELens reads weights from a single file, these are in shards'] : []),
  ].map((reason) => `${reason}: it will refuse this directory, Monosem reads it`)
  return {
    json: { ...result, sae: description } as unknown as Json,
    text: [
      madeOrReused(result),
      ...files,
      ...lacking,
      '',
      renderDescription({ ...description, source: basename(source) }),
    ].join('\n'),
  }
}
