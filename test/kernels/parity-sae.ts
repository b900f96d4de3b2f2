import type {
  AuxKOptions,
  Kernels,
  SaeActivation,
  SaeStepOptions,
  SaeTensors,
} from '../../src/kernels/kernels.js'
import { type Content, type ParityCase, parityCase, readAll, seedOf } from './parity-case.js'
import { RandomTensors } from './random-tensors.js'

/** N, F, D */
const SHAPES = [
  [1, 1, 1],
  [5, 1, 37],
  [5, 33, 1],
  [1, 33, 37],
  [5, 33, 37],
  [5, 33, 512],
  [5, 4096, 37],
  [1, 500, 512],
  [130, 257, 64],
  [4096, 33, 37],
] as const

const activationsFor = (features: number): SaeActivation[] => [
  { kind: 'relu' },
  ...[1, 3, features]
    .filter((k, i, all) => k <= features && all.indexOf(k) === i)
    .map((k) => ({ kind: 'topk', k }) as const),
]

const activationText = (a: SaeActivation): string => (a.kind === 'relu' ? 'relu' : `topk ${a.k}`)

/** The sparse autoencoder's fused operations. */
export function saeCases(): ParityCase[] {
  return [
    ...SHAPES.flatMap(([n, f, d]) =>
      activationsFor(f).flatMap((a) => [codesCase(n, f, d, a), stepCase(n, f, d, a)]),
    ),
    ...[1, 3, 500].map((k) =>
      stepCase(37, 257, 37, { kind: 'topk', k: 5 }, { k, coefficient: 0.5, deadAfterTokens: 700 }),
    ),
    stepCase(37, 257, 37, { kind: 'relu' }, { k: 4, coefficient: 0.5, deadAfterTokens: 700 }),
    stepCase(5, 33, 1, { kind: 'relu' }, { k: 4, coefficient: 0.5, deadAfterTokens: 700 }),
    stepCase(37, 33, 37, { kind: 'relu' }, { k: 4, coefficient: 0.5, deadAfterTokens: 2000 }),
    severalStepsCase({ kind: 'relu' }),
    severalStepsCase({ kind: 'topk', k: 4 }),
    silentCase,
  ]
}

function codesCase(n: number, f: number, d: number, activation: SaeActivation): ParityCase {
  const name = `saeEncode, saeDecode, saeReconstruct N ${n}, F ${f}, D ${d}, ${activationText(activation)}`
  return {
    name,
    tolerance: 1e-5,
    async run(k) {
      const random = new RandomTensors(k, seedOf(name))
      const params = random.sae(f, d)
      const x = random.eighths([n, d], 2)
      const codes = await k.saeEncode(params, x, activation)
      const [decoded, xHat, losses, xHatOnly] = [
        k.zeros([n, d]),
        k.zeros([n, d]),
        k.zeros([n]),
        k.zeros([n, d]),
      ]
      k.saeDecode(decoded, params, codes)
      k.saeReconstruct(xHat, losses, params, x, activation)
      k.saeReconstruct(xHatOnly, null, params, x, activation)
      return { ...codes, ...(await readAll(k, { decoded, xHat, losses, xHatOnly })) }
    },
  }
}

/** A large epsilon keeps Adam from magnifying rounding errors of gradients near zero. */
const options = (
  activation: SaeActivation,
  unitNormDecoder: boolean,
  auxK?: AuxKOptions,
): SaeStepOptions => ({
  activation,
  l1Coefficient: activation.kind === 'relu' ? 0.3 : 0,
  adam: { learningRate: 0.02, beta1: 0.9, beta2: 0.95, epsilon: 1, weightDecay: 0, step: 2 },
  unitNormDecoder,
  auxK,
})

function stepCase(
  n: number,
  f: number,
  d: number,
  activation: SaeActivation,
  auxK?: AuxKOptions,
): ParityCase {
  const aux = auxK ? `, auxK ${auxK.k} dead after ${auxK.deadAfterTokens}` : ''
  const name = `saeStep N ${n}, F ${f}, D ${d}, ${activationText(activation)}${aux}`
  return {
    name,
    tolerance: 1e-5,
    async run(k) {
      const random = new RandomTensors(k, seedOf(name))
      const x = random.eighths([n, d], 2)
      const free = await oneStep(k, random, f, d, x, options(activation, false, auxK))
      if (f * d > 100_000) return free
      const unit = await oneStep(k, random, f, d, x, options(activation, true, auxK))
      return {
        ...free,
        ...Object.fromEntries(Object.entries(unit).map(([key, value]) => [`unit ${key}`, value])),
      }
    },
  }
}

async function oneStep(
  k: Kernels,
  random: RandomTensors,
  f: number,
  d: number,
  x: ReturnType<RandomTensors['signed']>,
  stepOptions: SaeStepOptions,
): Promise<Record<string, Content>> {
  const params = random.sae(f, d)
  const m = random.moments(f, d, -1, 1)
  const v = random.moments(f, d, 0.01, 1)
  const tokensSinceFired = random.ints([f], 0, 1000)
  const stats = await k.saeStep(params, m, v, tokensSinceFired, x, stepOptions)
  const { dead, l0, squaredError, l1, auxLoss } = stats
  return {
    ...(await readSae(k, { params, m, v })),
    tokensSinceFired: await k.read(tokensSinceFired),
    dead: new Int32Array([dead]),
    l0: new Float32Array([l0]),
    squaredError: new Float32Array([squaredError]),
    l1: new Float32Array([l1]),
    auxLoss: new Float32Array([auxLoss]),
  }
}

async function readSae(k: Kernels, saes: Record<string, SaeTensors>): Promise<Record<string, Content>> {
  const contents: Record<string, Content> = {}
  for (const [name, sae] of Object.entries(saes)) {
    for (const [key, tensor] of Object.entries(sae)) contents[`${name}.${key}`] = await k.read(tensor)
  }
  return contents
}

/** A few steps of training, as a trainer would make them: errors may add up, so the tolerance is wider. */
function severalStepsCase(activation: SaeActivation): ParityCase {
  const name = `saeStep six times, ${activationText(activation)}`
  const base = options(activation, true, { k: 3, coefficient: 1 / 32, deadAfterTokens: 40 })
  const [n, f, d] = [16, 33, 37]
  return {
    name,
    tolerance: 1e-4,
    async run(k) {
      const random = new RandomTensors(k, seedOf(name))
      const params = random.sae(f, d)
      const m = zeroMoments(k, f, d)
      const v = zeroMoments(k, f, d)
      const fired = k.zeros([f], 'i32')
      const errors: number[] = []
      for (let step = 1; step <= 6; step++) {
        const stepOptions = { ...base, adam: { ...base.adam, step } }
        const stats = await k.saeStep(params, m, v, fired, random.signed([n, d], 2), stepOptions)
        errors.push(stats.squaredError)
      }
      const tensors = await readSae(k, { params, m, v })
      return { ...tensors, fired: await k.read(fired), errors: Float32Array.from(errors) }
    },
  }
}

const zeroMoments = (k: Kernels, f: number, d: number): SaeTensors => ({
  wEnc: k.zeros([f, d]),
  bEnc: k.zeros([f]),
  wDec: k.zeros([f, d]),
  bDec: k.zeros([d]),
})

/** Tokens of which none activates anything: codes are empty and the reconstruction is the bias. */
const silentCase: ParityCase = parityCase('sae of which nothing is active', (k, random) => {
  const params = random.sae(33, 5)
  k.fill(params.bEnc, -100)
  const [xHat, losses] = [k.zeros([7, 5]), k.zeros([7])]
  k.saeReconstruct(xHat, losses, params, random.eighths([7, 5]), { kind: 'topk', k: 3 })
  return { xHat, losses }
})
