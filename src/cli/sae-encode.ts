import type { Command } from 'commander'
import { type EncodeSummary, encodeFile } from '../sae/encode-file.js'
import { loadSae, unloadSae } from '../sae/sae.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { addSaeSource, readSaeSource, requiredOption } from './sae-files.js'
import type { Outcome, Session } from './session.js'

/** `monosem sae encode` */
export function addSaeEncode(sae: Command): void {
  const encode = addCommand(
    sae,
    'encode',
    {
      description:
        'Run an autoencoder on activations in a safetensors file: tensor x [N, D] in, feature activations f [N, F] and reconstructions x_hat [N, D] out.',
      example: 'monosem sae encode --sae runs/demo/sae --input x.safetensors --out f.safetensors --sparse',
    },
    runEncode,
  )
  addSaeSource(
    encode
      .option('--sae <source>', 'directory, file of weights, or owner/name/folder on the Hugging Face hub')
      .option('--input <file>', 'safetensors file with a tensor x [N, D]')
      .option('--out <file>', 'safetensors file to write')
      .option(
        '--sparse',
        'write f as compressed rows: row_offsets [N + 1], feature_ids and values, one for each active feature of a token',
      ),
  )
}

async function runEncode(session: Session, command: Command): Promise<Outcome> {
  const source = requiredOption(command, 'sae', 'an autoencoder')
  const input = requiredOption(command, 'input', 'a safetensors file')
  const out = requiredOption(command, 'out', 'a file to write')
  const sae = await loadSae(await session.kernels(), source, readSaeSource(session, command))
  try {
    const summary = await encodeFile(sae, input, out, {
      sparse: command.getOptionValue('sparse') === true,
      ...session.context,
    })
    return { json: { out, ...summary } as unknown as Json, text: renderSummary(out, summary) }
  } finally {
    unloadSae(sae)
  }
}

const renderSummary = (out: string, { tensors, l0, relativeError }: EncodeSummary): string =>
  [
    `wrote ${out}`,
    ...Object.entries(tensors).map(([name, shape]) => `  ${name} [${shape}]`),
    `${l0.toFixed(1)} active features per token, ||x - x_hat||^2 / ||x||^2 = ${relativeError?.toPrecision(4) ?? '–'}`,
  ].join('\n')
