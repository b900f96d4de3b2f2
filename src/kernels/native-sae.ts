import { MonosemError } from '../errors/monosem-error.js'
import * as checkSae from './check-sae.js'
import type {
  Codes,
  SaeForm,
  SaeKernels,
  SaePacked,
  SaePrecision,
  SaeRanks,
  SaeSparsity,
  SaeStepOptions,
  SaeStepStats,
  SaeTensors,
  Tensor,
} from './kernels.js'
import { adamNumbers, type Boundary, enqueued } from './native-boundary.js'

// Places in the enumerations of native/kernels.h.
const KINDS = { relu: 0, jumprelu: 1, gated: 2, topk: 3, batchtopk: 4 } as const
const PRECISIONS: readonly SaePrecision[] = ['fp32', 'bf16', 'int8']

/** Packed weights that the addon owns. */
class NativePacked implements SaePacked {
  freed = false
  constructor(
    readonly precision: SaePrecision,
    readonly handle: unknown,
    /** [F, D] */
    readonly shape: readonly number[],
  ) {}
}

/** The eight parameters in the addon's order, null where the architecture has none. */
const tensorsOf = (t: SaeTensors): (Tensor | null)[] => [
  ...[t.wEnc, t.bEnc, t.wDec, t.bDec],
  ...[t.threshold ?? null, t.rMag ?? null, t.bMag ?? null, t.wSkip ?? null],
]

/** n, d, dOut and f */
const sizes = (params: SaeTensors, n: number): number[] => [
  n,
  params.wEnc.shape[1],
  params.wDec.shape[1],
  params.wEnc.shape[0],
]

const formOf = ({ activation, subtractDecoderBias }: SaeForm): unknown[] => [
  KINDS[activation.kind],
  'k' in activation ? activation.k : 0,
  activation.kind === 'jumprelu' && activation.logThreshold === true,
  subtractDecoderBias,
]

/** What every operation on a forward pass begins with. */
const forwardOf = (params: SaeTensors, x: Tensor, form: SaeForm): unknown[] => [
  ...sizes(params, x.shape[0]),
  ...formOf(form),
  ...tensorsOf(params),
]

/** penalty, coefficient, bandwidth, scale of tanh, weight of the pre-activation penalty */
function sparsityOf(sparsity: SaeSparsity): number[] {
  switch (sparsity.kind) {
    case 'none':
      return [0, 0, 0, 0, 0]
    case 'l1':
      return [sparsity.byDecoderNorm ? 2 : 1, sparsity.coefficient, 0, 0, 0]
    case 'l0':
      return [3, sparsity.coefficient, sparsity.bandwidth, 0, 0]
    case 'tanh':
      return [4, sparsity.coefficient, sparsity.bandwidth, sparsity.scale, sparsity.preAct]
  }
}

/** See saeRanks in native/addon_sae.cc. */
function ranksOf(ranks: SaeRanks | undefined, features: number, rows: number): unknown[] {
  if (!ranks) return [null, null, 0, features, 0, rows, false]
  const { firstFeature, totalFeatures, firstRow, totalRows, gradients } = ranks
  return [ranks.features, ranks.data, firstFeature, totalFeatures, firstRow, totalRows, gradients === 'bf16']
}

/** For operations on tokens that ranks with other features have too. */
const featureRanksOf = (ranks: SaeRanks | undefined, params: SaeTensors, rows: number): unknown[] =>
  ranksOf(ranks && { ...ranks, data: null, firstRow: 0, totalRows: rows }, params.wEnc.shape[0], rows)

function stepNumbers(options: SaeStepOptions, features: number, rows: number): unknown[] {
  const { auxK } = options
  return [
    ...sparsityOf(options.sparsity),
    ...adamNumbers(options.adam),
    ...[options.unitNormDecoder, options.freezeDecoder ?? false, options.gradientClip ?? 0],
    ...(auxK ? [auxK.k, auxK.coefficient, Math.min(auxK.deadAfterTokens, 2 ** 30)] : [0, 0, 0]),
    Int32Array.from(options.prefixes ?? [options.ranks?.totalFeatures ?? features]),
    options.badRows === 'skip',
    ...ranksOf(options.ranks, features, rows),
  ]
}

const arraysOf = ({ rowOffsets, featureIds, values }: Codes): unknown[] => [rowOffsets, featureIds, values]

/** The handle of a live packed copy of this W_enc. */
function packedHandle(op: string, packed: SaePacked | null, wEnc?: Tensor): unknown {
  if (packed === null) return null
  if (!(packed instanceof NativePacked))
    throw new MonosemError('shape', `${op}: packed weights of other kernels were given to the native kernels`)
  if (packed.freed) throw new MonosemError('shape', `${op}: packed weights were used after free`)
  if (wEnc) checkSae.expectPackedShape(op, packed.shape, wEnc)
  return packed.handle
}

/** The operations on autoencoders; see `SaeKernels`. */
export function sae(b: Boundary): SaeKernels {
  /** The best the processor has that is not beyond what was asked for. */
  const granted = (wanted: SaePrecision): SaePrecision =>
    b.call('saeHasPrecision', PRECISIONS.indexOf(wanted)) ? wanted : 'fp32'
  return {
    saePack(wEnc, precision, smoothing) {
      checkSae.checkSaePack(wEnc, precision, smoothing)
      const given = granted(precision)
      const handle = b.call('saePack', wEnc, smoothing, ...wEnc.shape, PRECISIONS.indexOf(given))
      return new NativePacked(given, handle, wEnc.shape)
    },
    saeRepack(packed, wEnc) {
      b.call('saeRepack', packedHandle('saeRepack', packed, wEnc), wEnc, ...wEnc.shape)
    },
    saeFreePacked(packed) {
      b.call('saeFreePacked', packedHandle('saeFreePacked', packed))
      ;(packed as NativePacked).freed = true
    },
    saeStep(training, x, y, options) {
      checkSae.checkSaeStep(training, x, y, options)
      const { params, m, v, packed, tokensSinceFired, running } = training
      const stats = b.promise<
        Omit<SaeStepStats, 'precision' | 'scanned'> & { precision: number; scanned: number }
      >(
        'saeStep',
        ...[...sizes(params, x.shape[0]), ...formOf(options.form)],
        ...[...tensorsOf(params), ...tensorsOf(m), ...tensorsOf(v)],
        ...[packedHandle('saeStep', packed, params.wEnc), tokensSinceFired, running, x, y],
        ...stepNumbers(options, params.wEnc.shape[0], x.shape[0]),
      )
      return stats.then((found) => ({
        ...found,
        ...{ precision: PRECISIONS[found.precision], scanned: PRECISIONS[found.scanned] },
      }))
    },
    saeEncode(params, x, form, packed, ranks) {
      checkSae.checkSaeEncode(params, x, form, ranks)
      return b.promise<Codes>(
        'saeEncode',
        ...forwardOf(params, x, form),
        ...[packedHandle('saeEncode', packed, params.wEnc), x],
        ...featureRanksOf(ranks, params, x.shape[0]),
      )
    },
    saeDecode(xHat, params, codes, x, ranks) {
      checkSae.checkSaeDecode(xHat, params, codes, x, ranks)
      b.call(
        'saeDecode',
        ...[...sizes(params, xHat.shape[0]), ...tensorsOf(params), xHat, x],
        ...arraysOf(codes),
        ...featureRanksOf(ranks, params, xHat.shape[0]),
      )
    },
    saeReconstruct(xHat, losses, params, x, y, form, packed, ranks) {
      checkSae.checkSaeReconstruct(xHat, losses, params, x, y, form, ranks)
      b.call(
        'saeReconstruct',
        ...forwardOf(params, x, form),
        ...[packedHandle('saeReconstruct', packed, params.wEnc), xHat, losses, x, y],
        ...featureRanksOf(ranks, params, x.shape[0]),
      )
    },
    saeEncodeFeatures(out, params, x, ids, form) {
      checkSae.checkSaeEncodeFeatures(out, params, x, ids, form)
      b.call('saeEncodeFeatures', ...forwardOf(params, x, form), ...[out, x, ids])
    },
    saeNormalize: enqueued(b, 'saeNormalize', checkSae.checkSaeNormalize, (out, offsets, scales, x, norm) => [
      ...x.shape,
      norm === 'layer_norm',
      ...[out, offsets, scales, x],
    ]),
    saeDenormalizeInPlace: enqueued(
      b,
      'saeDenormalizeInPlace',
      checkSae.checkSaeDenormalizeInPlace,
      (y, offsets, scales) => [...y.shape, y, offsets, scales],
    ),
    saeSquaredErrors: enqueued(b, 'saeSquaredErrors', checkSae.checkSaeSquaredErrors, (losses, y, xHat) => [
      ...y.shape,
      ...[losses, y, xHat],
    ]),
    saeCompare: enqueued(b, 'saeCompare', checkSae.checkSaeCompare, (sums, shift, y, xHat, center) => [
      ...y.shape,
      ...[sums, shift, y, xHat, center],
    ]),
    saeAddProducts(out, codes, x) {
      checkSae.checkSaeAddProducts(out, codes, x)
      b.call('saeAddProducts', ...x.shape, out.shape[0], out, x, ...arraysOf(codes))
    },
    saeAddPairs(pairs, codes, columns) {
      checkSae.checkSaeAddPairs(pairs, codes, columns)
      const { ids, size, count, sum, before, missed } = pairs
      b.call(
        'saeAddPairs',
        ...[sum.shape[0], pairs.columns, sum.shape[1], pairs.weighBy === 'count'],
        ...[ids, size, count, sum, before, missed],
        ...[...arraysOf(codes), ...arraysOf(columns)],
      )
    },
    mixInPlace: enqueued(b, 'mixInPlace', checkSae.checkMixInPlace, (y, x, weight) => [y, x, weight]),
  }
}
