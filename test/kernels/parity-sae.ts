import type {
  AuxKOptions,
  Kernels,
  SaeActivation,
  SaeForm,
  SaePrecision,
  SaeSparsity,
  SaeStepOptions,
  SaeStepStats,
  SaeTensors,
  SaeTraining,
  Tensor,
} from '../../src/kernels/kernels.js'
import { saeRunning } from '../../src/kernels/sae-kernels.js'
import { type Content, type ParityCase, parityCase, readAll, seedOf } from './parity-case.js'
import { RandomTensors, type SaeLayout } from './random-tensors.js'
import { RELU_FORM, topkForm, trainingOf } from './sae-setup.js'
import { separatedSae } from './separated-sae.js'

/** An architecture as far as kernels can tell; sizes that F limits follow from F. */
interface Architecture {
  activation: SaeActivation
  subtract: boolean
  sparsity: SaeSparsity
  unit: boolean
  clip?: number
  nested?: boolean
}

const NONE: SaeSparsity = { kind: 'none' }
const L1: SaeSparsity = { kind: 'l1', coefficient: 0.3, byDecoderNorm: false }
const BY_NORM: SaeSparsity = { ...L1, byDecoderNorm: true }
const L0: SaeSparsity = { kind: 'l0', coefficient: 0.3, bandwidth: 2 }
const TANH: SaeSparsity = { kind: 'tanh', coefficient: 0.3, scale: 0.5, bandwidth: 2, preAct: 0.2 }
const LOG = { kind: 'jumprelu', logThreshold: true } as const

const topk = (k: number): Architecture => ({
  activation: { kind: 'topk', k },
  subtract: true,
  sparsity: NONE,
  unit: true,
})
const batchtopk: Architecture = { ...topk(2), activation: { kind: 'batchtopk', k: 2 } }
const relu: Architecture = { activation: { kind: 'relu' }, subtract: true, sparsity: L1, unit: true }

const ARCHITECTURES = {
  relu,
  'relu-norm': { ...relu, subtract: false, sparsity: BY_NORM, unit: false, clip: 1 },
  gated: { ...relu, activation: { kind: 'gated' } },
  jumprelu: { activation: { kind: 'jumprelu' }, subtract: false, sparsity: L0, unit: true },
  'jumprelu-tanh': { activation: LOG, subtract: false, sparsity: TANH, unit: false, clip: 1 },
  'topk 1': topk(1),
  'topk 3': topk(3),
  batchtopk,
  matryoshka: { ...batchtopk, nested: true },
} satisfies Record<string, Architecture>

/** Combinations that no architecture of src/sae asks for, but the boundary allows. */
const UNUSUAL = {
  'relu, no penalty, free decoder': { ...relu, sparsity: NONE, unit: false },
  'relu by norm, bias subtracted, unit decoder': { ...relu, sparsity: BY_NORM },
  'relu, nested': { ...relu, nested: true },
  'gated, clipped': { ...relu, activation: { kind: 'gated' }, clip: 0.5 },
  'gated, bias not subtracted': { ...relu, activation: { kind: 'gated' }, subtract: false },
  'jumprelu, bias subtracted, nested': { ...ARCHITECTURES.jumprelu, subtract: true, nested: true },
  'jumprelu, log threshold': { ...ARCHITECTURES.jumprelu, activation: LOG },
  'jumprelu, L1': { ...ARCHITECTURES.jumprelu, sparsity: L1 },
  'jumprelu-tanh, bias subtracted, unit decoder': {
    ...ARCHITECTURES['jumprelu-tanh'],
    subtract: true,
    unit: true,
  },
  'topk of all, L1, clipped': { ...topk(1e9), sparsity: L1, clip: 0.5 },
  'topk, bias not subtracted, free decoder': { ...topk(3), subtract: false, unit: false },
  'batchtopk of all, clipped, nested': {
    ...batchtopk,
    activation: { kind: 'batchtopk', k: 1e9 },
    clip: 1,
    nested: true,
  },
} satisfies Record<string, Architecture>

/** N, F, D */
const SHAPES = [
  [1, 1, 1],
  [5, 1, 37],
  [5, 33, 1],
  [1, 33, 37],
  [5, 33, 512],
  [5, 4096, 37],
  [130, 257, 64],
] as const

/** N, F, D, Dout, and whether there is a skip connection */
const TRANSCODERS = [
  [5, 33, 37, 1, false],
  [5, 33, 1, 37, true],
  [37, 257, 64, 24, true],
  [130, 33, 24, 37, false],
] as const

/** One step, or the reading operations, of an architecture at a size. */
interface Case {
  architecture: string
  n: number
  f: number
  d: number
  dOut?: number
  skip?: boolean
  auxK?: AuxKOptions
  /** what `running` says of the step before: kernels may choose a way of computing by it */
  density?: number
  /** encoder biases are lowered by this many typical pre-activations, so that codes are sparse */
  lowered?: number
  badRows?: 'stop' | 'skip'
  freezeDecoder?: boolean
  /** data made for rounding: see separated-sae.ts */
  precision?: SaePrecision
  smoothing?: boolean
}

const AUX: AuxKOptions = { k: 3, coefficient: 0.5, deadAfterTokens: 700 }
const nameOf = (what: string, one: Case): string =>
  `${what} ${JSON.stringify(one).replaceAll('"', '').slice(1, -1)}`

const architectureOf = (one: Case): Architecture =>
  ({ ...ARCHITECTURES, ...UNUSUAL })[one.architecture as keyof typeof ARCHITECTURES]

const formOf = (one: Case): SaeForm => {
  const { activation, subtract } = architectureOf(one)
  const fitting = 'k' in activation ? { ...activation, k: Math.min(activation.k, one.f) } : activation
  return { activation: fitting, subtractDecoderBias: subtract && (one.dOut ?? one.d) === one.d }
}

const layoutOf = (one: Case): SaeLayout => ({
  features: one.f,
  d: one.d,
  dOut: one.dOut,
  activation: formOf(one).activation,
  skip: one.skip,
})

/** A large epsilon keeps Adam from magnifying rounding errors of gradients near zero. */
function optionsOf(one: Case): SaeStepOptions {
  const { sparsity, unit, clip, nested } = architectureOf(one)
  const prefixes = [...new Set([Math.ceil(one.f / 5), Math.ceil(one.f / 2), one.f])]
  return {
    form: formOf(one),
    sparsity,
    adam: { learningRate: 0.02, beta1: 0.8, beta2: 0.95, epsilon: 1, weightDecay: 0.01, step: 2 },
    unitNormDecoder: unit,
    gradientClip: clip,
    auxK: one.auxK,
    prefixes: nested ? prefixes : undefined,
    badRows: one.badRows,
    freezeDecoder: one.freezeDecoder,
  }
}

/** The autoencoder's fused operations. */
export function saeCases(): ParityCase[] {
  return [...sizeCases(), ...specialCases(), ...precisionCases(), ...severalStepsCases(), silentCase]
}

function sizeCases(): ParityCase[] {
  const names = Object.keys(ARCHITECTURES)
  const square = names.flatMap((architecture) => SHAPES.map(([n, f, d]) => ({ architecture, n, f, d })))
  const others = names.flatMap((architecture) =>
    TRANSCODERS.map(([n, f, d, dOut, skip]) => ({ architecture, n, f, d, dOut, skip })),
  )
  const unusual = Object.keys(UNUSUAL).map((architecture) => ({ architecture, n: 37, f: 65, d: 37 }))
  const dense = [...square, ...others, ...unusual]
  const sparse = dense.map((one) => ({ ...one, density: 0.05, lowered: 1.5 }))
  const wide = ['relu', 'topk 3'].map((architecture) => ({ architecture, n: 4096, f: 33, d: 7 }))
  return [...dense.map(codesCase), ...[...dense, ...sparse, ...wide].map(stepCase)]
}

function specialCases(): ParityCase[] {
  const names = Object.keys(ARCHITECTURES)
  const bad = names.flatMap((architecture) =>
    (['stop', 'skip'] as const).map((badRows) => ({ architecture, n: 37, f: 65, d: 37, badRows })),
  )
  const aux = ['relu', 'topk 3', 'batchtopk', 'matryoshka'].flatMap((architecture) =>
    [1, 3, 500].flatMap((k) => [
      { architecture, n: 37, f: 257, d: 37, auxK: { ...AUX, k } },
      { architecture, n: 37, f: 257, d: 37, auxK: { ...AUX, k }, density: 0.05, lowered: 1.5 },
    ]),
  )
  const frozen = [...names, ...Object.keys(UNUSUAL)].flatMap((architecture) => [
    { architecture, n: 37, f: 65, d: 37, freezeDecoder: true },
    { architecture, n: 37, f: 65, d: 37, freezeDecoder: true, density: 0.05, lowered: 1.5 },
  ])
  return [
    ...bad,
    ...frozen,
    { architecture: 'topk 3', n: 37, f: 257, d: 37, dOut: 20, skip: true, auxK: AUX, freezeDecoder: true },
    ...aux,
    { architecture: 'relu', n: 5, f: 33, d: 1, auxK: AUX },
    { architecture: 'topk 3', n: 37, f: 33, d: 37, auxK: { ...AUX, deadAfterTokens: 2000 } },
    { architecture: 'topk 3', n: 37, f: 257, d: 37, dOut: 20, skip: true, auxK: AUX },
    { architecture: 'topk 3', n: 37, f: 257, d: 37, auxK: AUX, badRows: 'skip' as const },
    // the guess from a dense step is wrong for a sparse one, and the other way round
    { architecture: 'relu', n: 130, f: 257, d: 64, density: 0.01 },
    { architecture: 'gated', n: 130, f: 257, d: 64, density: 0.9, lowered: 1.5 },
    ...manyPairs(),
  ].map(stepCase)
}

/** Codes so dense, and shapes so large, that kernels take pairs in several blocks of rows and features; none of them is full. */
function manyPairs(): Case[] {
  const names = [
    ...['relu', 'relu-norm', 'gated', 'jumprelu', 'jumprelu-tanh'],
    ...['relu, nested', 'gated, clipped', 'topk of all, L1, clipped', 'batchtopk of all, clipped, nested'],
  ]
  const size = { n: 301, f: 1100, d: 101, density: 0.2, lowered: 0.7 }
  return [
    ...names.map((architecture) => ({ architecture, ...size })),
    { architecture: 'gated', ...size, dOut: 37, skip: true },
    { architecture: 'jumprelu', ...size, d: 37, dOut: 64 },
    { architecture: 'relu', ...size, auxK: AUX },
    { architecture: 'relu', ...size, badRows: 'skip' },
    { architecture: 'jumprelu', ...size, freezeDecoder: true },
  ]
}

function precisionCases(): ParityCase[] {
  const formats = [
    { precision: 'bf16' },
    { precision: 'int8' },
    { precision: 'int8', smoothing: true },
  ] as const
  return Object.keys(ARCHITECTURES).flatMap((architecture) =>
    formats.flatMap((format) => {
      const one = { architecture, n: 37, f: 257, d: 512, density: 0.02, ...format }
      return [codesCase(one), stepCase(one)]
    }),
  )
}

interface Data {
  params: SaeTensors
  x: Tensor
  y: Tensor
}

function dataOf(k: Kernels, random: RandomTensors, one: Case): Data {
  const layout = layoutOf(one)
  const { subtractDecoderBias } = formOf(one)
  if (one.precision) {
    const { params, x } = separatedSae(k, seedOf(nameOf('data', one)), layout, one.n, subtractDecoderBias)
    return { params, x, y: x }
  }
  const params = random.sae(layout)
  const typical = Math.round(8 * 0.9 * Math.sqrt(one.d)) / 8
  if (one.lowered) k.addInPlace(params.bEnc, filled(k, [one.f], -one.lowered * typical))
  const x = random.eighths([one.n, one.d], 2)
  const y = one.dOut === undefined && !one.skip ? x : random.signed([one.n, one.dOut ?? one.d], 2)
  return { params, x, y }
}

function filled(k: Kernels, shape: number[], value: number): Tensor {
  const t = k.zeros(shape)
  k.fill(t, value)
  return t
}

/** Encoding, decoding and both at once, with W_enc packed before and for the call. */
function codesCase(one: Case): ParityCase {
  const name = nameOf('sae codes', one)
  return {
    name,
    tolerance: 1e-5,
    async run(k) {
      const random = new RandomTensors(k, seedOf(name))
      const { params, x, y } = dataOf(k, random, one)
      const form = formOf(one)
      const packed = packedOf(k, params, one)
      const codes = await k.saeEncode(params, x, form, packed)
      const forCall = await k.saeEncode(params, x, form, null)
      const [decoded, xHat, losses, xHatOnly] = [y.shape, y.shape, [one.n], y.shape].map((s) => k.zeros(s))
      k.saeDecode(decoded, params, codes, one.skip ? x : null)
      k.saeReconstruct(xHat, losses, params, x, y, form, packed)
      k.saeReconstruct(xHatOnly, null, params, x, y, form, null)
      const ids = Int32Array.from({ length: 7 }, (_, i) => (i * 29) % one.f)
      const features = k.zeros([one.n, ids.length])
      k.saeEncodeFeatures(features, params, x, ids, form)
      k.saeFreePacked(packed)
      return {
        ...codes,
        idsForCall: forCall.featureIds,
        valuesForCall: forCall.values,
        ...(await readAll(k, { decoded, xHat, losses, xHatOnly, features })),
      }
    },
  }
}

/** Packed in the precision of the case; smoothing factors that leave their mark. */
function packedOf(k: Kernels, params: SaeTensors, { precision = 'fp32', smoothing, d }: Case) {
  const factors = Float32Array.from({ length: d }, (_, c) => 1 + 0.5 * Math.sin(c))
  return k.saePack(params.wEnc, precision, smoothing ? k.tensor(factors, [d]) : null)
}

function stepCase(one: Case): ParityCase {
  const name = nameOf('saeStep', one)
  return {
    name,
    tolerance: 1e-5,
    // gradients that nearly cancel are added to moments of this size
    floor: 0.1,
    async run(k) {
      const random = new RandomTensors(k, seedOf(name))
      const { params, x, y } = dataOf(k, random, one)
      const training: SaeTraining = {
        ...trainingOf(k, params),
        m: random.moments(params, -0.2, 0.2),
        v: random.moments(params, 0.01, 1),
        packed: packedOf(k, params, one),
        tokensSinceFired: random.ints([one.f], 0, 1000),
      }
      k.fill(k.rows(training.running, saeRunning.density, 1), one.density ?? 0)
      const batch = one.badRows ? await spoil(k, x, y) : { x, y }
      const stats = await k.saeStep(training, batch.x, batch.y, optionsOf(one))
      // separated codes stay so after a step: what is packed now must be the new W_enc
      const packedAgain = one.precision ? await k.saeEncode(params, x, formOf(one), training.packed) : {}
      return { ...(await readTraining(k, training)), ...statistics(stats), ...packedAgain }
    },
  }
}

/** NaN in one row of x, infinity in one row of y. */
async function spoil(k: Kernels, x: Tensor, y: Tensor): Promise<{ x: Tensor; y: Tensor }> {
  const [xs, ys] = [await k.readF32(x), await k.readF32(y)]
  xs[4 * x.shape[1] - 1] = NaN
  ys[20 * y.shape[1]] = Infinity
  return { x: k.tensor(xs, x.shape), y: k.tensor(ys, y.shape) }
}

async function readTraining(k: Kernels, training: SaeTraining): Promise<Record<string, Content>> {
  const { params, m, v, tokensSinceFired, running } = training
  const tensors: Record<string, Tensor> = { tokensSinceFired, running: k.rows(running, 0, 2) }
  for (const [name, sae] of Object.entries({ params, m, v }))
    for (const [key, tensor] of Object.entries(sae)) tensors[`${name}.${key}`] = tensor
  return readAll(k, tensors)
}

/** All but times and the precision, which belong to the implementation. */
function statistics(stats: SaeStepStats): Record<string, Content> {
  const {
    dead,
    badRow,
    skippedRows,
    preActLoss,
    precision,
    scanned,
    encodeMs,
    decodeMs,
    updateMs,
    ...numbers
  } = stats
  const contents: Record<string, Content> = {
    counts: Int32Array.of(dead, badRow, skippedRows),
    // a small rest of large sums: it is judged beside a 1
    preActLoss: Float32Array.of(preActLoss, 1),
  }
  for (const [name, value] of Object.entries(numbers)) contents[name] = Float32Array.of(value)
  return contents
}

/** A few steps of training, as a trainer would make them: errors may add up, so the tolerance is wider. */
function severalStepsCases(): ParityCase[] {
  return Object.keys(ARCHITECTURES).map((architecture) => {
    const auxK = /topk|matryoshka/.test(architecture)
      ? { k: 3, coefficient: 1 / 32, deadAfterTokens: 40 }
      : undefined
    const one: Case = { architecture, n: 16, f: 33, d: 37, auxK }
    const name = nameOf('saeStep six times', one)
    return {
      name,
      tolerance: 1e-4,
      async run(k) {
        const random = new RandomTensors(k, seedOf(name))
        const training = trainingOf(k, random.sae(layoutOf(one)))
        const errors: number[] = []
        for (let step = 1; step <= 6; step++) {
          const options = { ...optionsOf(one), badRows: 'skip' as const }
          const x = random.signed([one.n, one.d], 2)
          const adam = { ...options.adam, step }
          errors.push((await k.saeStep(training, x, x, { ...options, adam })).squaredError)
        }
        return { ...(await readTraining(k, training)), errors: Float32Array.from(errors) }
      },
    }
  })
}

/** Tokens of which none activates anything: codes are empty and the reconstruction is the bias. */
const silentCase: ParityCase = parityCase('sae of which nothing is active', (k, random) => {
  const params = random.sae({ features: 33, d: 5 })
  k.fill(params.bEnc, -100)
  const [xHat, losses, other] = [k.zeros([7, 5]), k.zeros([7]), k.zeros([7, 5])]
  const x = random.eighths([7, 5])
  k.saeReconstruct(xHat, losses, params, x, x, topkForm(3), null)
  k.saeReconstruct(other, null, params, x, x, RELU_FORM, null)
  return { xHat, losses, other }
})
