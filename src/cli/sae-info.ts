import type { Command } from 'commander'
import { formatNumber } from '../progress/rate.js'
import { describeSae, type Range, type SaeDescription } from '../sae/formats/describe-sae.js'
import { listSaes } from '../sae/formats/detect.js'
import { readSae } from '../sae/formats/read-sae.js'
import type { SaeConventions } from '../sae/formats/sae-file.js'
import type { Json } from '../storage/stage.js'
import { renderTable } from '../terminal/table.js'
import { addCommand } from './command.js'
import { addSaeSource, readSaeSource } from './sae-files.js'
import type { Outcome, Session } from './session.js'

/** `monosem sae info` */
export function addSaeInfo(sae: Command): void {
  const info = addCommand(
    sae,
    'info',
    {
      description:
        'Say what an autoencoder is, whoever trained it: layout, sizes, and every convention that the weights do not say.',
      example: 'monosem sae info google/gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71',
    },
    runInfo,
  )
  addSaeSource(
    info.argument('<source>', 'directory, file of weights, or owner/name/folder on the Hugging Face hub'),
  )
}

async function runInfo(session: Session, command: Command): Promise<Outcome> {
  const [source] = command.args
  const several = await listSaes(source)
  if (several.length > 0)
    return {
      json: { source, autoencoders: several },
      text: `${source} holds ${several.length}:\n${several.map((name) => `  ${name}`).join('\n')}`,
    }
  const description = describeSae(await readSae(source, readSaeSource(session, command)))
  return { json: description as unknown as Json, text: renderDescription(description) }
}

/** For people: one line for each thing. */
export function renderDescription(sae: SaeDescription): string {
  const { conventions: c } = sae
  const rows: [string, string][] = [
    ['layout', `${c.format} (${sae.detected})`],
    ['architecture', `${c.architecture}: ${activationText(c)}`],
    ['reads', hookText(c.hookName, sae.d)],
    ...(c.targetHookName !== c.hookName || sae.d !== sae.dOut
      ? [['reconstructs', hookText(c.targetHookName, sae.dOut)] as [string, string]]
      : []),
    ['model', c.modelName ?? unknown],
    ['features', `${formatNumber(sae.features)} (${formatNumber(sae.parameters)} parameters)`],
    ['b_dec before encoding', c.subtractDecoderBias ? 'subtracted' : 'not subtracted'],
    ['input normalisation', normalizationText(c)],
    ['activation scale', scaleText(c)],
    ['feature units', unitsText(c)],
    ['thresholds', thresholdText(c, sae.threshold)],
    ['decoder norms', `${c.decoderNorms}; ${rangeText(sae.decoderNorm)}`],
    ['skip connection', sae.skipConnection ? 'yes' : 'no'],
    ...(c.reshapeActivations === 'none' ? [] : [['heads', 'side by side in one vector'] as [string, string]]),
    ['weights on disk', c.dtype],
    ['SAELens', sae.saelens.loads ? `${sae.saelens.architecture}` : `has no ${sae.saelens.architecture}`],
  ]
  const table = renderTable(
    [
      { heading: '', align: 'left' },
      { heading: '', align: 'left' },
    ],
    rows,
  )
  return [
    sae.source,
    ...(sae.commit ? [`commit ${sae.commit}`] : []),
    table,
    ...sae.warnings.map((text) => `warning: ${text}`),
  ].join('\n')
}

const unknown = 'the files do not say'

const hookText = (name: string | null, width: number): string => `${name ?? unknown}, ${width} wide`

const activationText = ({ activation, k }: SaeConventions): string =>
  ({
    relu: 'ReLU',
    jumprelu: 'JumpReLU, z where it is above its threshold',
    gated: 'gated',
    topk: `the ${k} largest that are positive`,
  })[activation]

const normalizationText = ({ inputNormalization }: SaeConventions): string =>
  ({
    none: 'none',
    layer_norm: 'each token (x - mean) / (std + 1e-5), undone after decoding',
    constant_norm_rescale: 'each token to norm sqrt(D), undone after decoding',
  })[inputNormalization]

const scaleText = ({ activationScale: s, targetScale: t }: SaeConventions): string =>
  s === 1 && t === 1
    ? 'none'
    : `${figure(s)}${s === t ? '' : `, targets ${figure(t)}`}, folded into the weights`

const unitsText = ({ featureUnits }: SaeConventions): string =>
  ({
    raw: 'raw activations',
    scaled: 'activations times the scale',
    normalized: 'normalised tokens',
  })[featureUnits]

const thresholdText = ({ thresholdSpace }: SaeConventions, range: Range | null): string =>
  range === null
    ? 'none'
    : `${rangeText(range)}; on ${thresholdSpace}${thresholdSpace.endsWith('norm') ? ' in the files' : ''}`

const rangeText = ({ smallest, mean, largest }: Range): string =>
  smallest === largest
    ? `all ${figure(mean)}`
    : `${figure(smallest)} to ${figure(largest)}, mean ${figure(mean)}`

const figure = (value: number): string =>
  Number.isFinite(value) ? Number(value.toPrecision(4)).toString() : String(value)
