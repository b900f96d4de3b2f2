import type { AdamOptions, AttentionOptions, DType } from '../../src/kernels/kernels.js'
import { type ParityCase, parityCase, readAll } from './parity-case.js'
import { RandomTensors } from './random-tensors.js'

const SHAPES = [
  [1, 1],
  [5, 1],
  [1, 37],
  [5, 512],
  [4096, 37],
] as const

const ADAM: AdamOptions = {
  learningRate: 1e-2,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.1,
  step: 3,
}

const ATTENTION: AttentionOptions = { heads: 1, keyValueHeads: 1, scale: 1, softCap: null, window: null }

/** Memory, elementwise operations, reductions and Adam. */
export function elementwiseCases(): ParityCase[] {
  return [
    ...SHAPES.flatMap(([n, d]) => [...simpleCases(n, d), ...rowCases(n, d), ...optimizerCases(n, d)]),
    parityCase('adam, first step from zero moments', (k, random) => {
      const [p, m, v] = [random.signed([999]), k.zeros([999]), k.zeros([999])]
      k.adam(p, random.signed([999]), m, v, { ...ADAM, step: 1 }, null)
      return { p, m, v }
    }),
    ...conversionCases(),
    windowsCase(),
    emptyCase(),
  ]
}

function simpleCases(n: number, d: number): ParityCase[] {
  const at = `[${n}, ${d}]`
  return [
    parityCase(`fill ${at}`, (k) => {
      const t = k.zeros([n, d])
      k.fill(t, 0.1)
      const half = k.zeros([n, d], 'bf16')
      k.fill(half, 0.1)
      const ints = k.zeros([n, d], 'i32')
      k.fill(ints, -7)
      return { t, half, ints }
    }),
    parityCase(`addInPlace and scaleInPlace ${at}`, (k, random) => {
      const y = random.signed([n, d])
      k.addInPlace(y, random.signed([n, d]))
      k.scaleInPlace(y, -0.3)
      return { y }
    }),
    parityCase(`mixInPlace ${at}`, (k, random) => {
      const y = random.signed([n, d])
      k.mixInPlace(y, random.signed([d * n]), 0.3)
      return { y }
    }),
    parityCase(`columnSums ${at}`, (k, random) => {
      const out = random.signed([d])
      k.columnSums(out, random.signed([n, d]))
      return { out }
    }),
    parityCase(`broadcastRow ${at}`, (k, random) => {
      const out = random.signed([n, d])
      k.broadcastRow(out, random.signed([d]))
      return { out }
    }),
  ]
}

function rowCases(n: number, d: number): ParityCase[] {
  const types: [DType, DType][] = [
    ['f32', 'f32'],
    ['bf16', 'f32'],
    ['f32', 'bf16'],
    ['bf16', 'bf16'],
  ]
  return types.map(([to, from]) =>
    parityCase(`gatherRows and scatterRows ${from} to ${to} [${n}, ${d}]`, (k, random) => {
      const src = k.zeros([n + 3, d], from)
      k.copy(src, random.signed([n + 3, d]))
      const gathered = k.zeros([n, d], to)
      k.gatherRows(gathered, src, random.ints([n], 0, n + 3))
      const scattered = k.zeros([n + 3, d], to)
      k.fill(scattered, 2)
      const x = k.rows(src, 1, n)
      k.scatterRows(scattered, x, random.distinct(n, n + 3))
      return { gathered, scattered }
    }),
  )
}

/** Batches without a single row are no work, not an error. */
function emptyCase(): ParityCase {
  return {
    name: 'operations on no rows',
    tolerance: 0,
    async run(k) {
      const [d, v] = [5, 7]
      const random = new RandomTensors(k, 1)
      const none = k.zeros([0, d])
      const ids = k.zeros([0], 'i32')
      const [w, row, sums, logits] = [
        random.signed([d, v]),
        random.signed([d]),
        random.signed([d]),
        k.zeros([0, v]),
      ]
      k.linearForward(logits, none, w, null)
      k.linearBackward(none, w, null, logits, none, random.signed([d, v]))
      k.layerNormForward(none, k.zeros([0]), k.zeros([0]), none, row, row, 1e-5)
      k.layerNormBackward(none, row, null, none, none, sums, k.zeros([0]), k.zeros([0]))
      k.activationForward(none, none, 'gelu_tanh')
      k.embedForward(none, ids, random.signed([v, d]), null, 1)
      k.gatherRows(none, random.signed([v, d]), ids)
      k.crossEntropyForward(k.zeros([0]), logits, ids)
      k.crossEntropyBackward(logits, logits, ids, 1)
      k.attentionForward(none, k.zeros([0, 1, 3, 3]), none, none, none, null, 3, ATTENTION)
      k.columnSums(sums, none)
      return readAll(k, { w, row, sums, none })
    },
  }
}

function optimizerCases(n: number, d: number): ParityCase[] {
  const at = `[${n}, ${d}]`
  return [
    ...[1e-3, 1e6].map((maxNorm) =>
      parityCase(`clipNorm at ${maxNorm} ${at}`, (k, random) => {
        const out = k.zeros([2])
        k.clipNorm(out, [random.signed([n, d]), random.signed([d], 3)], maxNorm)
        return { out }
      }),
    ),
    ...[null, 0.25].map((factor) =>
      parityCase(`adam with gradient scale ${factor} ${at}`, (k, random) => {
        const shape = [n, d]
        const [p, g, m] = [random.signed(shape), random.signed(shape), random.signed(shape)]
        const v = random.between(shape, 0.01, 1)
        const scale = factor === null ? null : k.tensor(new Float32Array([7, factor]), [2])
        k.adam(p, g, m, v, ADAM, scale)
        return { p, m, v }
      }),
    ),
  ]
}

/** Values that round up, down and to even, subnormals, infinities: bf16 rounding has to agree to the bit. */
function conversionCases(): ParityCase[] {
  const special = [
    0,
    -0,
    1,
    1 + 2 ** -8,
    1 + 3 * 2 ** -8,
    1.005859375,
    3.4e38,
    -3.4e38,
    1e-40,
    Infinity,
    -Infinity,
  ]
  const exact = { tolerance: 0 }
  return [
    parityCase(
      'copy of special values through bf16',
      (k) => {
        const half = k.zeros([special.length], 'bf16')
        k.copy(half, k.tensor(new Float32Array(special), [special.length]))
        const back = k.zeros([special.length])
        k.copy(back, half)
        return { half, back }
      },
      exact,
    ),
    parityCase(
      'copy and write of random values through bf16',
      (k, random) => {
        const half = k.zeros([999], 'bf16')
        k.copy(half, random.signed([999], 100))
        const written = k.zeros([3], 'bf16')
        k.write(written, new Float32Array([0.1, -0.2, 1e10]))
        const bits = k.zeros([3], 'bf16')
        k.write(bits, new Uint16Array([0x3f80, 0xbe4d, 0x0001]))
        const ints = k.zeros([5], 'i32')
        k.copy(ints, random.ints([5], -1000, 1000))
        return { half, written, bits, ints }
      },
      exact,
    ),
  ]
}

function windowsCase(): ParityCase {
  return parityCase('rows and reshape are windows on the same memory', (k, random) => {
    const whole = random.signed([7, 5])
    k.fill(k.rows(whole, 2, 3), 9)
    k.write(k.rows(k.reshape(whole, [35, 1]), 33, 2), new Float32Array([1, 2]))
    k.scaleInPlace(k.reshape(k.rows(whole, 0, 2), [10]), 2)
    return { whole, window: k.rows(k.rows(whole, 1, 5), 1, 2) }
  })
}
