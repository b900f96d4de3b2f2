import {
  checkAdamOptions,
  elementCount,
  expectInteger,
  expectInts,
  expectNumber,
  expectTensor,
  misfit,
  shapeText,
} from './check.js'
import type {
  AuxKOptions,
  Codes,
  SaeActivation,
  SaeForm,
  SaeInputNorm,
  SaePairs,
  SaePrecision,
  SaeRanks,
  SaeSparsity,
  SaeStepOptions,
  SaeTensors,
  SaeTraining,
  Tensor,
} from './kernels.js'
import { SAE_COMPARISON, SAE_RUNNING } from './sae-kernels.js'

/** Lengths found in the parameters. */
interface SaeSizes {
  features: number
  d: number
  dOut: number
}

const REQUIRED = ['wEnc', 'bEnc', 'wDec', 'bDec'] as const
const OPTIONAL = ['threshold', 'rMag', 'bMag', 'wSkip'] as const

/** Optional parameters that an activation needs; it has no others. */
const NEEDED: Record<SaeActivation['kind'], readonly string[]> = {
  relu: [],
  jumprelu: ['threshold'],
  gated: ['rMag', 'bMag'],
  topk: [],
  batchtopk: [],
}

/** A batch [N, D]; unlike the layers, the autoencoder wants at least one row. */
function expectBatch(op: string, name: string, x: Tensor, n: number | string = 'N'): readonly number[] {
  const shape = expectTensor(op, name, x, [n, 'D'])
  if (shape[0] < 1 || shape[1] < 1)
    throw misfit(op, `${name} [N, D] with N and D at least 1`, shapeText(shape))
  return shape
}

/** The parameters agree with each other; `d` is the width of the input or a letter. */
function expectParams(op: string, params: SaeTensors, d: number | string): SaeSizes {
  const [features, width] = expectTensor(op, 'params.wEnc', params.wEnc, ['F', d])
  if (features < 1 || width < 1)
    throw misfit(op, 'params.wEnc with at least one feature and one column', shapeText(params.wEnc.shape))
  expectTensor(op, 'params.bEnc', params.bEnc, [features])
  const [, dOut] = expectTensor(op, 'params.wDec', params.wDec, [features, 'Dout'])
  if (dOut < 1) throw misfit(op, 'params.wDec with at least one column', shapeText(params.wDec.shape))
  expectTensor(op, 'params.bDec', params.bDec, [dOut])
  for (const key of ['threshold', 'rMag', 'bMag'] as const) {
    const t = params[key]
    if (t !== undefined) expectTensor(op, `params.${key}`, t, [features])
  }
  if (params.wSkip !== undefined) expectTensor(op, 'params.wSkip', params.wSkip, [width, dOut])
  return { features, d: width, dOut }
}

/** A part of `count` things, from `first`, lies in `total`; whoever shares them with no one has all of them. */
function expectPart(
  op: string,
  what: string,
  first: number,
  count: number,
  total: number,
  shared: boolean,
): void {
  expectInteger(op, `ranks.first${what}`, first, 0)
  expectInteger(op, `ranks.total${what}s`, total, 1)
  const fits = shared ? first + count <= total : first === 0 && count === total
  if (fits) return
  throw misfit(
    op,
    shared
      ? `ranks whose ${what.toLowerCase()}s lie in 0 .. ${total - 1}`
      : `all ${total} ${what.toLowerCase()}s`,
    `${first} .. ${first + count - 1}`,
  )
}

/** How many features there are on all ranks. */
function expectFeatureRanks(op: string, ranks: SaeRanks | undefined, features: number): number {
  if (ranks === undefined) return features
  expectPart(op, 'Feature', ranks.firstFeature, features, ranks.totalFeatures, ranks.features !== null)
  return ranks.totalFeatures
}

/** The activation makes sense, and has the parameters that it needs and no others. `features` are those of all ranks. */
function expectForm(op: string, params: SaeTensors, form: SaeForm, { features, d, dOut }: SaeSizes): void {
  const { activation, subtractDecoderBias } = form
  const needed = Object.hasOwn(NEEDED, activation.kind) ? NEEDED[activation.kind] : undefined
  if (needed === undefined)
    throw misfit(op, `activation ${Object.keys(NEEDED).join(', ')}`, JSON.stringify(activation))
  if ('k' in activation) expectInteger(op, 'k', activation.k, 1, features)
  for (const key of ['threshold', 'rMag', 'bMag'] as const) {
    const t = params[key]
    if (needed.includes(key) && t === undefined)
      throw misfit(op, `params.${key}, which ${activation.kind} needs`, 'none')
    if (!needed.includes(key) && t !== undefined)
      throw misfit(op, `no params.${key} with ${activation.kind}`, shapeText(t.shape))
  }
  if (subtractDecoderBias && d !== dOut)
    throw misfit(op, 'D equal to Dout with subtractDecoderBias', `D ${d} and Dout ${dOut}`)
}

/** Moments have the shapes of the parameters, and the same optional ones. */
function expectMoments(op: string, name: string, moments: SaeTensors, params: SaeTensors): void {
  for (const key of [...REQUIRED, ...OPTIONAL]) {
    const [moment, param] = [moments[key], params[key]]
    if (moment !== undefined && param !== undefined) expectTensor(op, `${name}.${key}`, moment, param.shape)
    else if (param !== undefined) throw misfit(op, `${name}.${key} as params.${key} is there`, 'none')
    else if (moment !== undefined)
      throw misfit(op, `no ${name}.${key} as there is no params.${key}`, shapeText(moment.shape))
  }
}

/** Requires a finite number above 0. */
function expectPositive(op: string, name: string, value: number): void {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return
  throw misfit(op, `a finite ${name} above 0`, String(value))
}

function expectSparsity(op: string, sparsity: SaeSparsity, activation: SaeActivation): void {
  if (!['none', 'l1', 'l0', 'tanh'].includes(sparsity.kind))
    throw misfit(op, 'sparsity none, l1, l0 or tanh', JSON.stringify(sparsity))
  if (sparsity.kind === 'none') return
  expectNumber(op, 'sparsity.coefficient', sparsity.coefficient, 0)
  if (sparsity.kind === 'l1') {
    // the gated loss penalises the gate, whose scale the decoder does not see
    if (sparsity.byDecoderNorm && activation.kind === 'gated')
      throw misfit(op, 'sparsity l1 without byDecoderNorm for gated', JSON.stringify(sparsity))
    return
  }
  if (activation.kind !== 'jumprelu')
    throw misfit(op, `activation jumprelu with sparsity ${sparsity.kind}`, activation.kind)
  expectPositive(op, 'sparsity.bandwidth', sparsity.bandwidth)
  if (sparsity.kind === 'l0') return
  expectPositive(op, 'sparsity.scale', sparsity.scale)
  expectNumber(op, 'sparsity.preAct', sparsity.preAct, 0)
}

function expectAuxK(op: string, auxK: AuxKOptions, activation: SaeActivation): void {
  if (!['relu', 'topk', 'batchtopk'].includes(activation.kind))
    throw misfit(op, 'activation relu, topk or batchtopk with auxK', activation.kind)
  expectInteger(op, 'auxK.k', auxK.k, 1)
  expectNumber(op, 'auxK.coefficient', auxK.coefficient, 0)
  expectInteger(op, 'auxK.deadAfterTokens', auxK.deadAfterTokens, 1)
}

function expectPrefixes(
  op: string,
  prefixes: readonly number[],
  activation: SaeActivation,
  features: number,
): void {
  if (activation.kind === 'gated') throw misfit(op, 'no prefixes with gated', `[${prefixes}]`)
  const ascending = prefixes.every((end, p) => Number.isInteger(end) && end > (p === 0 ? 0 : prefixes[p - 1]))
  if (!ascending || prefixes.at(-1) !== features)
    throw misfit(op, `prefixes that ascend from 1 or more to F = ${features}`, `[${prefixes}]`)
}

function checkSaeStepOptions(options: SaeStepOptions, features: number): void {
  const { activation } = options.form
  expectSparsity('saeStep', options.sparsity, activation)
  checkAdamOptions('saeStep', options.adam)
  if (options.gradientClip !== undefined) expectPositive('saeStep', 'gradientClip', options.gradientClip)
  if (options.auxK !== undefined) expectAuxK('saeStep', options.auxK, activation)
  if (options.prefixes !== undefined) expectPrefixes('saeStep', options.prefixes, activation, features)
  if (!['boolean', 'undefined'].includes(typeof options.freezeDecoder))
    throw misfit('saeStep', 'freezeDecoder true or false', String(options.freezeDecoder))
  if (options.badRows !== undefined && !['stop', 'skip'].includes(options.badRows))
    throw misfit('saeStep', 'badRows stop or skip', String(options.badRows))
}

export function checkSaeStep(training: SaeTraining, x: Tensor, y: Tensor, options: SaeStepOptions): void {
  const { params, m, v, tokensSinceFired, running } = training
  const [n, d] = expectBatch('saeStep', 'x', x)
  const sizes = expectParams('saeStep', params, d)
  expectTensor('saeStep', 'y', y, [n, sizes.dOut])
  const { ranks } = options
  const features = expectFeatureRanks('saeStep', ranks, sizes.features)
  if (ranks) expectPart('saeStep', 'Row', ranks.firstRow, n, ranks.totalRows, ranks.data !== null)
  expectForm('saeStep', params, options.form, { ...sizes, features })
  expectMoments('saeStep', 'm', m, params)
  expectMoments('saeStep', 'v', v, params)
  expectInts('saeStep', 'tokensSinceFired', tokensSinceFired, [sizes.features])
  expectTensor('saeStep', 'running', running, [SAE_RUNNING])
  checkSaeStepOptions(options, features)
}

export function checkSaeReconstruct(
  xHat: Tensor,
  losses: Tensor | null,
  params: SaeTensors,
  x: Tensor,
  y: Tensor,
  form: SaeForm,
  ranks?: SaeRanks,
): void {
  const [n, d] = expectBatch('saeReconstruct', 'x', x)
  const sizes = expectParams('saeReconstruct', params, d)
  expectTensor('saeReconstruct', 'xHat', xHat, [n, sizes.dOut])
  expectTensor('saeReconstruct', 'y', y, [n, sizes.dOut])
  if (losses !== null) expectTensor('saeReconstruct', 'losses', losses, [n])
  const features = expectFeatureRanks('saeReconstruct', ranks, sizes.features)
  expectForm('saeReconstruct', params, form, { ...sizes, features })
}

export function checkSaeEncode(params: SaeTensors, x: Tensor, form: SaeForm, ranks?: SaeRanks): void {
  const [, d] = expectBatch('saeEncode', 'x', x)
  const sizes = expectParams('saeEncode', params, d)
  const features = expectFeatureRanks('saeEncode', ranks, sizes.features)
  expectForm('saeEncode', params, form, { ...sizes, features })
}

/** The ids are a plain array, so they are looked through. */
export function checkSaeEncodeFeatures(
  out: Tensor,
  params: SaeTensors,
  x: Tensor,
  ids: Int32Array,
  form: SaeForm,
): void {
  const [n, d] = expectBatch('saeEncodeFeatures', 'x', x)
  const sizes = expectParams('saeEncodeFeatures', params, d)
  expectForm('saeEncodeFeatures', params, form, sizes)
  if (!(ids instanceof Int32Array) || ids.length < 1)
    throw misfit('saeEncodeFeatures', 'ids as an Int32Array with at least one id', String(ids))
  expectTensor('saeEncodeFeatures', 'out', out, [n, ids.length])
  expectIds('saeEncodeFeatures', 'ids', ids, sizes.features)
}

function expectIds(op: string, name: string, ids: Int32Array, features: number): void {
  const stray = ids.find((id) => id < 0 || id >= features)
  if (stray !== undefined) throw misfit(op, `${name} in 0 .. ${features - 1}`, String(stray))
}

/** Also looks through the codes, which are plain arrays: offsets ascend from 0 to nnz, ids are below F. */
export function checkSaeDecode(
  xHat: Tensor,
  params: SaeTensors,
  codes: Codes,
  x: Tensor | null,
  ranks?: SaeRanks,
): void {
  const [n, width] = expectBatch('saeDecode', 'xHat', xHat)
  const { features, d, dOut } = expectParams('saeDecode', params, 'D')
  if (width !== dOut) throw misfit('saeDecode', `xHat [N, ${dOut}]`, shapeText(xHat.shape))
  if (x !== null) expectTensor('saeDecode', 'x', x, [n, d])
  else if (params.wSkip !== undefined) throw misfit('saeDecode', 'x, which params.wSkip needs', 'null')
  expectFeatureRanks('saeDecode', ranks, features)
  expectCodes('saeDecode', codes, n, features)
}

function expectCodes(
  op: string,
  { rowOffsets, featureIds, values }: Codes,
  n: number,
  features: number,
  ids = 'featureIds',
): void {
  if (rowOffsets.length !== n + 1) throw misfit(op, `${n + 1} rowOffsets`, String(rowOffsets.length))
  if (featureIds.length !== values.length) {
    throw misfit(op, `as many values as the ${featureIds.length} featureIds`, String(values.length))
  }
  const ascending = rowOffsets.every((offset, i) => i === 0 || offset >= rowOffsets[i - 1])
  if (rowOffsets[0] !== 0 || rowOffsets[n] !== values.length || !ascending)
    throw misfit(
      op,
      `rowOffsets ascending from 0 to ${values.length}`,
      `${rowOffsets[0]} .. ${rowOffsets[n]}`,
    )
  expectIds(op, ids, featureIds, features)
}

export function checkSaeNormalize(
  out: Tensor | null,
  offsets: Tensor,
  scales: Tensor,
  x: Tensor,
  norm: SaeInputNorm,
): void {
  const op = 'saeNormalize'
  const [n, d] = expectBatch(op, 'x', x)
  if (out !== null) expectTensor(op, 'out', out, [n, d])
  expectTensor(op, 'offsets', offsets, [n])
  expectTensor(op, 'scales', scales, [n])
  if (!['layer_norm', 'constant_norm_rescale'].includes(norm))
    throw misfit(op, 'norm layer_norm or constant_norm_rescale', String(norm))
}

export function checkSaeDenormalizeInPlace(y: Tensor, offsets: Tensor | null, scales: Tensor): void {
  const [n] = expectBatch('saeDenormalizeInPlace', 'y', y)
  if (offsets !== null) expectTensor('saeDenormalizeInPlace', 'offsets', offsets, [n])
  expectTensor('saeDenormalizeInPlace', 'scales', scales, [n])
}

export function checkSaeSquaredErrors(losses: Tensor, y: Tensor, xHat: Tensor): void {
  const shape = expectBatch('saeSquaredErrors', 'y', y)
  expectTensor('saeSquaredErrors', 'xHat', xHat, shape)
  expectTensor('saeSquaredErrors', 'losses', losses, [shape[0]])
}

export function checkSaeCompare(sums: Tensor, shift: Tensor, y: Tensor, xHat: Tensor, center: Tensor): void {
  const [n, d] = expectBatch('saeCompare', 'y', y)
  expectTensor('saeCompare', 'xHat', xHat, [n, d])
  expectTensor('saeCompare', 'sums', sums, [n, SAE_COMPARISON])
  expectTensor('saeCompare', 'shift', shift, [d])
  expectTensor('saeCompare', 'center', center, [d])
}

export function checkSaeAddProducts(out: Tensor, codes: Codes, x: Tensor): void {
  const [n, d] = expectBatch('saeAddProducts', 'x', x)
  const [features] = expectTensor('saeAddProducts', 'out', out, ['F', d])
  expectCodes('saeAddProducts', codes, n, features)
}

export function checkSaeAddPairs(pairs: SaePairs, codes: Codes, columns: Codes): void {
  const op = 'saeAddPairs'
  expectInteger(op, 'pairs.columns', pairs.columns, 1)
  if (!['count', 'sum'].includes(pairs.weighBy))
    throw misfit(op, 'weighBy count or sum', String(pairs.weighBy))
  const shape = expectTensor(op, 'pairs.sum', pairs.sum, ['F', 'capacity'])
  expectInts(op, 'pairs.count', pairs.count, shape)
  expectInts(op, 'pairs.size', pairs.size, [shape[0]])
  expectTensor(op, 'pairs.missed', pairs.missed, [shape[0]])
  if (pairs.ids !== null) expectInts(op, 'pairs.ids', pairs.ids, shape)
  if (pairs.before !== null) expectTensor(op, 'pairs.before', pairs.before, shape)
  const exact = shape[1] === pairs.columns && pairs.ids === null && pairs.before === null
  if (!exact && (pairs.ids === null || pairs.before === null))
    throw misfit(op, 'pairs.ids and pairs.before, or neither and a place for every column', shapeText(shape))
  const n = codes.rowOffsets.length - 1
  expectCodes(op, codes, n, shape[0])
  expectCodes(op, columns, n, pairs.columns, 'ids of columns')
}

export function checkSaePack(wEnc: Tensor, precision: SaePrecision, smoothing: Tensor | null): void {
  const [features, d] = expectTensor('saePack', 'wEnc', wEnc, ['F', 'D'])
  if (features < 1 || d < 1)
    throw misfit('saePack', 'wEnc [F, D] with F and D at least 1', shapeText(wEnc.shape))
  if (!['fp32', 'bf16', 'int8'].includes(precision))
    throw misfit('saePack', 'precision fp32, bf16 or int8', String(precision))
  if (smoothing !== null) expectTensor('saePack', 'smoothing', smoothing, [d])
}

/** A packed copy, made of a W_enc of `shape`, can only be used with a `wEnc` of the same shape. */
export function expectPackedShape(op: string, shape: readonly number[], wEnc: Tensor): void {
  if (shape.length === wEnc.shape.length && shape.every((s, i) => s === wEnc.shape[i])) return
  throw misfit(op, `a packed W_enc ${shapeText(wEnc.shape)}`, shapeText(shape))
}

/** Any shapes with as many elements; weight in [0, 1]. */
export function checkMixInPlace(y: Tensor, x: Tensor, weight: number): void {
  expectTensor('mixInPlace', 'y', y, y.shape)
  expectTensor('mixInPlace', 'x', x, x.shape)
  const count = elementCount(y.shape)
  if (elementCount(x.shape) !== count) {
    throw misfit('mixInPlace', `x with the ${count} elements of ${shapeText(y.shape)}`, shapeText(x.shape))
  }
  expectNumber('mixInPlace', 'weight', weight, 0, 1)
}
