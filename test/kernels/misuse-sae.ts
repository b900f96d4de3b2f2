import type {
  Codes,
  Kernels,
  SaeActivation,
  SaeForm,
  SaePairs,
  SaePrecision,
  SaeSparsity,
  SaeStepOptions,
  SaeTensors,
  SaeTraining,
  Tensor,
} from '../../src/kernels/kernels.js'
import type { Misuse } from './misuse.js'
import { emptyPairs } from './parity-sae-statistics.js'
import { AUX, RELU_FORM, TOPK, TRAIN, topkForm, trainingOf } from './sae-setup.js'

const F = 6
const D = 3

const zeros = (k: Kernels, ...shape: number[]): Tensor => k.zeros(shape)
const ints = (k: Kernels, ...shape: number[]): Tensor => k.zeros(shape, 'i32')

const sae = (k: Kernels, changes: Partial<SaeTensors> = {}): SaeTensors => ({
  wEnc: zeros(k, F, D),
  bEnc: zeros(k, F),
  wDec: zeros(k, F, D),
  bDec: zeros(k, D),
  ...changes,
})

const formOf = (kind: 'relu' | 'jumprelu' | 'gated', subtractDecoderBias = true): SaeForm => ({
  activation: { kind },
  subtractDecoderBias,
})

const encode = (
  k: Kernels,
  changes: Partial<SaeTensors>,
  form: SaeForm = RELU_FORM,
  x = zeros(k, 2, D),
): unknown => k.saeEncode(sae(k, changes), x, form, null)

interface Changes {
  params?: Partial<SaeTensors>
  m?: Partial<SaeTensors>
  v?: Partial<SaeTensors>
  training?: Partial<SaeTraining>
  x?: Tensor
  y?: Tensor
}

/** A step that is right but for the options and arguments that are given. */
function step(k: Kernels, options: Partial<SaeStepOptions>, changes: Changes = {}): unknown {
  const training = trainingOf(k, sae(k, changes.params))
  Object.assign(training.m, changes.m)
  Object.assign(training.v, changes.v)
  const { x = zeros(k, 2, D), y = x } = changes
  return k.saeStep({ ...training, ...changes.training }, x, y, { ...TOPK, adam: TRAIN, ...options })
}

const stepWith = (k: Kernels, activation: unknown): unknown =>
  step(k, { form: { activation: activation as SaeActivation, subtractDecoderBias: true } })

const stepSparsely = (k: Kernels, sparsity: unknown): unknown =>
  step(
    k,
    { form: formOf('jumprelu'), sparsity: sparsity as SaeSparsity },
    { params: { threshold: zeros(k, F) } },
  )

const L1 = { kind: 'l1', coefficient: 1, byDecoderNorm: false } as const
const L0 = { kind: 'l0', coefficient: 1, bandwidth: 1 } as const
const TANH = { kind: 'tanh', coefficient: 1, scale: 4, bandwidth: 1, preAct: 1 } as const

const OPTIONS: Misuse[] = [
  [/saeStep: .*integer k in \[1, 6\], got 7/, (k) => step(k, { form: topkForm(7) })],
  [/saeStep: .*integer k in \[1, 6\], got 0/, (k) => step(k, { form: topkForm(0) })],
  [/saeStep: .*got 1.5/, (k) => stepWith(k, { kind: 'batchtopk', k: 1.5 })],
  [/saeStep: .*activation relu, .*, batchtopk, got .*gelu/, (k) => stepWith(k, { kind: 'gelu' })],
  [/saeStep: .*sparsity none, l1, l0 or tanh/, (k) => stepSparsely(k, { kind: 'l2', coefficient: 1 })],
  [/saeStep: .*sparsity.coefficient/, (k) => stepSparsely(k, { ...L1, coefficient: -1 })],
  [/saeStep: .*sparsity.coefficient/, (k) => stepSparsely(k, { ...L0, coefficient: NaN })],
  [/saeStep: .*sparsity.bandwidth above 0, got 0/, (k) => stepSparsely(k, { ...L0, bandwidth: 0 })],
  [/saeStep: .*sparsity.bandwidth/, (k) => stepSparsely(k, { ...TANH, bandwidth: Infinity })],
  [/saeStep: .*sparsity.scale/, (k) => stepSparsely(k, { ...TANH, scale: 0 })],
  [/saeStep: .*sparsity.preAct/, (k) => stepSparsely(k, { ...TANH, preAct: -1 })],
  [/saeStep: .*jumprelu with sparsity l0, got topk/, (k) => step(k, { sparsity: L0 })],
  [/saeStep: .*jumprelu with sparsity tanh, got relu/, (k) => step(k, { form: RELU_FORM, sparsity: TANH })],
  [/saeStep: .*step/, (k) => step(k, { adam: { ...TRAIN, step: 0 } })],
  [/saeStep: .*gradientClip above 0, got 0/, (k) => step(k, { gradientClip: 0 })],
  [/saeStep: .*gradientClip/, (k) => step(k, { gradientClip: NaN })],
  [/saeStep: .*auxK.k/, (k) => step(k, { auxK: { ...AUX, k: 0 } })],
  [/saeStep: .*auxK.coefficient/, (k) => step(k, { auxK: { ...AUX, coefficient: Infinity } })],
  [/saeStep: .*auxK.deadAfterTokens/, (k) => step(k, { auxK: { ...AUX, deadAfterTokens: 0 } })],
  [
    /saeStep: .*relu, topk or batchtopk with auxK, got jumprelu/,
    (k) => step(k, { form: formOf('jumprelu'), auxK: AUX }, { params: { threshold: zeros(k, F) } }),
  ],
  ...[[], [3], [0, F], [2, 2, F], [4, 2, F], [1.5, F], [3, F, 9]].map(
    (prefixes): Misuse => [/saeStep: .*prefixes that ascend .* F = 6/, (k) => step(k, { prefixes })],
  ),
  [
    /saeStep: .*no prefixes with gated/,
    (k) =>
      step(
        k,
        { form: formOf('gated'), prefixes: [2, F] },
        { params: { rMag: zeros(k, F), bMag: zeros(k, F) } },
      ),
  ],
  [/saeStep: .*freezeDecoder true or false, got 1/, (k) => step(k, { freezeDecoder: 1 as never })],
  [/saeStep: .*badRows stop or skip, got drop/, (k) => step(k, { badRows: 'drop' as 'skip' })],
]

const TENSORS: Misuse[] = [
  [
    /saeStep: .*tokensSinceFired of type i32/,
    (k) => step(k, {}, { training: { tokensSinceFired: zeros(k, F) } }),
  ],
  [/saeStep: .*tokensSinceFired \[6\]/, (k) => step(k, {}, { training: { tokensSinceFired: ints(k, D) } })],
  [/saeStep: .*running \[8\]/, (k) => step(k, {}, { training: { running: zeros(k, 5) } })],
  [/saeStep: .*running of type f32/, (k) => step(k, {}, { training: { running: ints(k, 8) } })],
  [/saeStep: .*at least 1, got \[0, 3\]/, (k) => step(k, {}, { x: zeros(k, 0, D) })],
  [/saeEncode: .*at least 1, got \[0, 3\]/, (k) => encode(k, {}, RELU_FORM, zeros(k, 0, D))],
  [/saeEncode: .*at least one feature/, (k) => encode(k, { wEnc: zeros(k, 0, D) })],
  [/saeEncode: .*wDec with at least one column/, (k) => encode(k, { wDec: zeros(k, F, 0) })],
  [/saeStep: .*params.wEnc \[F, 4\]/, (k) => step(k, {}, { x: zeros(k, 2, 4) })],
  [/saeStep: .*y \[2, 3\], got \[3, 3\]/, (k) => step(k, {}, { y: zeros(k, 3, D) })],
  [/saeStep: .*y \[2, 3\], got \[2, 4\]/, (k) => step(k, {}, { y: zeros(k, 2, 4) })],
  [/saeStep: .*m.bDec \[3\]/, (k) => step(k, {}, { m: { bDec: zeros(k, F) } })],
  [/saeStep: .*v.wEnc of type f32/, (k) => step(k, {}, { v: { wEnc: ints(k, F, D) } })],
  [
    /saeStep: .*m.wSkip as params.wSkip is there, got none/,
    (k) => step(k, {}, { params: { wSkip: zeros(k, D, D) }, m: { wSkip: undefined } }),
  ],
  [/saeStep: .*no v.rMag as there is no params.rMag/, (k) => step(k, {}, { v: { rMag: zeros(k, F) } })],
  [/saeEncode: .*params.bEnc \[6\]/, (k) => encode(k, { bEnc: zeros(k, D) })],
  [/saeEncode: .*params.wSkip \[3, 3\]/, (k) => encode(k, { wSkip: zeros(k, F, D) })],
  [/saeEncode: .*params.threshold, which jumprelu needs, got none/, (k) => encode(k, {}, formOf('jumprelu'))],
  [/saeEncode: .*params.threshold \[6\]/, (k) => encode(k, { threshold: zeros(k, 1) }, formOf('jumprelu'))],
  [/saeEncode: .*no params.threshold with relu, got \[6\]/, (k) => encode(k, { threshold: zeros(k, F) })],
  [/saeEncode: .*params.bMag, which gated needs/, (k) => encode(k, { rMag: zeros(k, F) }, formOf('gated'))],
  [/saeEncode: .*integer k/, (k) => encode(k, {}, topkForm(7))],
  [
    /saeEncode: .*D equal to Dout with subtractDecoderBias, got D 3 and Dout 4/,
    (k) => encode(k, { wDec: zeros(k, F, 4), bDec: zeros(k, 4) }),
  ],
]

interface Reconstruction {
  xHat?: Tensor
  losses?: Tensor
  y?: Tensor
}

function reconstruct(k: Kernels, { xHat, losses, y }: Reconstruction): unknown {
  const x = zeros(k, 2, D)
  return k.saeReconstruct(xHat ?? x, losses ?? null, sae(k), x, y ?? x, RELU_FORM, null)
}

const codes = (rowOffsets: number[], featureIds: number[], values: number[]): Codes => ({
  rowOffsets: Int32Array.from(rowOffsets),
  featureIds: Int32Array.from(featureIds),
  values: Float32Array.from(values),
})

const decode = (k: Kernels, xHat: Tensor, from: Codes, params = sae(k), x: Tensor | null = null): unknown =>
  k.saeDecode(xHat, params, from, x)

const DECODING: Misuse[] = [
  [/saeReconstruct: .*losses \[2\]/, (k) => reconstruct(k, { losses: zeros(k, 3) })],
  [/saeReconstruct: .*xHat \[2, 3\]/, (k) => reconstruct(k, { xHat: zeros(k, 2, 4) })],
  [/saeReconstruct: .*y \[2, 3\]/, (k) => reconstruct(k, { y: zeros(k, 1, D) })],
  [/saeDecode: .*at least 1, got \[0, 3\]/, (k) => decode(k, zeros(k, 0, D), codes([0], [], []))],
  [/saeDecode: .*xHat \[N, 3\]/, (k) => decode(k, zeros(k, 1, 4), codes([0, 0], [], []))],
  [
    /saeDecode: .*x, which params.wSkip needs, got null/,
    (k) => decode(k, zeros(k, 1, D), codes([0, 0], [], []), sae(k, { wSkip: zeros(k, D, D) })),
  ],
  [
    /saeDecode: .*x \[1, 3\]/,
    (k) => decode(k, zeros(k, 1, D), codes([0, 0], [], []), sae(k), zeros(k, 2, D)),
  ],
  [/saeDecode: .*3 rowOffsets/, (k) => decode(k, zeros(k, 2, D), codes([0, 1], [0], [1]))],
  [/saeDecode: .*featureIds in 0 .. 5, got 6/, (k) => decode(k, zeros(k, 1, D), codes([0, 1], [6], [1]))],
  [/saeDecode: .*ascending/, (k) => decode(k, zeros(k, 2, D), codes([0, 2, 1], [0], [1]))],
  [/saeDecode: .*as many values/, (k) => decode(k, zeros(k, 1, D), codes([0, 1], [0], [1, 2]))],
]

function encodeFeatures(k: Kernels, ids: number[], out = zeros(k, 2, ids.length)): unknown {
  return k.saeEncodeFeatures(out, sae(k), zeros(k, 2, D), Int32Array.from(ids), RELU_FORM)
}

const PACKING: Misuse[] = [
  [/saePack: .*wEnc \[F, D\]/, (k) => k.saePack(zeros(k, F), 'fp32', null)],
  [/saePack: .*wEnc of type f32/, (k) => k.saePack(ints(k, F, D), 'fp32', null)],
  [/saePack: .*at least 1, got \[0, 3\]/, (k) => k.saePack(zeros(k, 0, D), 'fp32', null)],
  [/saePack: .*fp32, bf16 or int8, got fp16/, (k) => k.saePack(zeros(k, F, D), 'fp16' as SaePrecision, null)],
  [/saePack: .*smoothing \[3\]/, (k) => k.saePack(zeros(k, F, D), 'int8', zeros(k, F))],
  [/saeRepack: .*\[6, 4\], got \[6, 3\]/, (k) => k.saeRepack(packed(k), zeros(k, F, 4))],
  [
    /saeStep: .*packed W_enc \[6, 3\], got \[7, 3\]/,
    (k) => step(k, {}, { training: { packed: packed(k, F + 1) } }),
  ],
  [
    /saeEncode: .*packed W_enc \[6, 3\], got \[5, 3\]/,
    (k) => k.saeEncode(sae(k), zeros(k, 2, D), RELU_FORM, packed(k, 5)),
  ],
  [
    /saeReconstruct: .*packed W_enc \[6, 3\], got \[5, 3\]/,
    (k) => {
      const x = zeros(k, 2, D)
      k.saeReconstruct(x, null, sae(k), x, x, RELU_FORM, packed(k, 5))
    },
  ],
  [/saeEncodeFeatures: .*ids in 0 .. 5, got 6/, (k) => encodeFeatures(k, [0, 6])],
  [/saeEncodeFeatures: .*ids in 0 .. 5, got -1/, (k) => encodeFeatures(k, [-1])],
  [/saeEncodeFeatures: .*at least one id/, (k) => encodeFeatures(k, [])],
  [/saeEncodeFeatures: .*out \[2, 2\]/, (k) => encodeFeatures(k, [0, 1], zeros(k, 2, 3))],
  [/mixInPlace: .*6 elements of \[2, 3\], got \[5\]/, (k) => k.mixInPlace(zeros(k, 2, 3), zeros(k, 5), 0.5)],
  [/mixInPlace: .*x of type f32/, (k) => k.mixInPlace(zeros(k, 2), ints(k, 2), 0.5)],
  [/mixInPlace: .*weight/, (k) => k.mixInPlace(zeros(k, 2), zeros(k, 2), 1.5)],
  [/mixInPlace: .*weight/, (k) => k.mixInPlace(zeros(k, 2), zeros(k, 2), NaN)],
]

const EMPTY = codes([0, 0], [], [])

const addPairs = (
  k: Kernels,
  changes: Partial<SaePairs>,
  from: Codes = EMPTY,
  columns: Codes = EMPTY,
  capacity = 4,
): unknown => k.saeAddPairs({ ...emptyPairs(k, F, 9, capacity), ...changes }, from, columns)

const STATISTICS: Misuse[] = [
  [/saeAddProducts: .*x \[N, D\]/, (k) => k.saeAddProducts(zeros(k, F, D), EMPTY, zeros(k, D))],
  [/saeAddProducts: .*out \[F, 3\]/, (k) => k.saeAddProducts(zeros(k, F, 4), EMPTY, zeros(k, 1, D))],
  [/saeAddProducts: .*3 rowOffsets/, (k) => k.saeAddProducts(zeros(k, F, D), EMPTY, zeros(k, 2, D))],
  [
    /saeAddProducts: .*featureIds in 0 .. 5, got 6/,
    (k) => k.saeAddProducts(zeros(k, F, D), codes([0, 1], [6], [1]), zeros(k, 1, D)),
  ],
  [/saeAddPairs: .*count \[6, 4\]/, (k) => addPairs(k, { count: ints(k, F, 5) })],
  [/saeAddPairs: .*ids of type i32/, (k) => addPairs(k, { ids: zeros(k, F, 4) })],
  [/saeAddPairs: .*ids and pairs.before/, (k) => addPairs(k, { before: null })],
  [/saeAddPairs: .*a place for every column/, (k) => addPairs(k, { ids: null, before: null })],
  [/saeAddPairs: .*weighBy/, (k) => addPairs(k, { weighBy: 'mass' as 'sum' })],
  [/saeAddPairs: .*featureIds in 0 .. 5, got 6/, (k) => addPairs(k, {}, codes([0, 1], [6], [1]))],
  [
    /saeAddPairs: .*columns in 0 .. 8, got 9/,
    (k) => addPairs(k, {}, codes([0, 1], [5], [1]), codes([0, 1], [9], [1])),
  ],
  [/saeAddPairs: .*2 rowOffsets, got 3/, (k) => addPairs(k, {}, EMPTY, codes([0, 0, 0], [], []))],
]

const NORMALIZING: Misuse[] = [
  [
    /saeNormalize: .*offsets \[3\]/,
    (k) => k.saeNormalize(null, zeros(k, 2), zeros(k, 3), zeros(k, 3, D), 'layer_norm'),
  ],
  [
    /saeNormalize: .*out \[3, 3\]/,
    (k) => k.saeNormalize(zeros(k, 3, 4), zeros(k, 3), zeros(k, 3), zeros(k, 3, D), 'layer_norm'),
  ],
  [
    /saeNormalize: .*norm layer_norm or/,
    (k) => k.saeNormalize(null, zeros(k, 3), zeros(k, 3), zeros(k, 3, D), 'rms' as 'layer_norm'),
  ],
  [
    /saeDenormalizeInPlace: .*scales \[3\]/,
    (k) => k.saeDenormalizeInPlace(zeros(k, 3, D), null, zeros(k, 2)),
  ],
  [
    /saeSquaredErrors: .*xHat \[3, 3\]/,
    (k) => k.saeSquaredErrors(zeros(k, 3), zeros(k, 3, D), zeros(k, 3, 4)),
  ],
  [
    /saeCompare: .*sums \[3, 5\]/,
    (k) => k.saeCompare(zeros(k, 3, 4), zeros(k, D), zeros(k, 3, D), zeros(k, 3, D), zeros(k, D)),
  ],
  [
    /saeCompare: .*center \[3\]/,
    (k) => k.saeCompare(zeros(k, 3, 5), zeros(k, D), zeros(k, 3, D), zeros(k, 3, D), zeros(k, 4)),
  ],
]

const packed = (k: Kernels, features = F) => k.saePack(zeros(k, features, D), 'fp32', null)

/** Wrong arguments to the operations of autoencoders. */
export const SAE_MISUSES: Misuse[] = [
  ...OPTIONS,
  ...TENSORS,
  ...DECODING,
  ...STATISTICS,
  ...NORMALIZING,
  ...PACKING,
]

function freed(k: Kernels, ...shape: number[]): Tensor {
  const t = k.zeros(shape)
  k.free(t)
  return t
}

/** Uses of freed tensors and of a freed packed copy. */
export function saeUsesAfterFree(k: Kernels): (() => unknown)[] {
  const copy = packed(k)
  k.saeFreePacked(copy)
  return [
    () => encode(k, {}, RELU_FORM, freed(k, 2, D)),
    () => step(k, {}, { x: freed(k, 2, D) }),
    () => step(k, {}, { m: { wDec: freed(k, F, D) } }),
    () => step(k, {}, { training: { running: freed(k, 8) } }),
    () => k.saePack(freed(k, F, D), 'fp32', null),
    () => k.mixInPlace(zeros(k, 2), freed(k, 2), 0.5),
    () => step(k, {}, { training: { packed: copy } }),
    () => k.saeRepack(copy, zeros(k, F, D)),
    () => k.saeFreePacked(copy),
    () => k.saeEncode(sae(k), zeros(k, 2, D), RELU_FORM, copy),
  ]
}
