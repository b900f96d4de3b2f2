import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MonosemError } from '../../src/errors/monosem-error.js'
import type { AdamOptions, AttentionOptions, Kernels, Tensor } from '../../src/kernels/kernels.js'
import { SAE_MISUSES, saeUsesAfterFree } from './misuse-sae.js'
import { SYNTHETIC_MISUSES, syntheticUsesAfterFree } from './misuse-synthetic.js'

export type Misuse = [message: RegExp, call: (k: Kernels) => unknown]

const ADAM: AdamOptions = {
  learningRate: 0.1,
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  weightDecay: 0,
  step: 1,
}

const zeros = (k: Kernels, ...shape: number[]): Tensor => k.zeros(shape)
const ints = (k: Kernels, ...shape: number[]): Tensor => k.zeros(shape, 'i32')

const MEMORY: Misuse[] = [
  [/zeros: .*\[2, -1\]/, (k) => k.zeros([2, -1])],
  [/zeros: .*\[1.5\]/, (k) => k.zeros([1.5])],
  [/tensor: expected 6 values.*got 5/, (k) => k.tensor(new Float32Array(5), [2, 3])],
  [/rows: .*start/, (k) => k.rows(zeros(k, 4, 2), 5, 0)],
  [/rows: .*count/, (k) => k.rows(zeros(k, 4, 2), 3, 2)],
  [/rows: .*start/, (k) => k.rows(zeros(k, 4, 2), -1, 2)],
  [/reshape: .*6 elements.*got \[4\]/, (k) => k.reshape(zeros(k, 2, 3), [4])],
  [/write: .*got 5/, (k) => k.write(zeros(k, 2, 3), new Float32Array(5))],
  [/write: .*f32, got bf16/, (k) => k.write(zeros(k, 2), new Uint16Array(2))],
  [/write: .*got i32/, (k) => k.write(zeros(k, 2), new Int32Array(2))],
  [/write: .*got f32/, (k) => k.write(ints(k, 2), new Float32Array(2))],
  [/readF32: .*got i32/, (k) => k.readF32(ints(k, 2))],
  [/readF32: expected a Float32Array of 2 .*got 3/, (k) => k.readF32(zeros(k, 2), new Float32Array(3))],
]

const ELEMENTWISE: Misuse[] = [
  [/fill: .*got 0.5/, (k) => k.fill(ints(k, 2), 0.5)],
  [/copy: .*\[2, 3\], got \[5\]/, (k) => k.copy(zeros(k, 2, 3), zeros(k, 5))],
  [/copy: .*got i32/, (k) => k.copy(zeros(k, 2), ints(k, 2))],
  [/addInPlace: expected x \[2\], got \[3\]/, (k) => k.addInPlace(zeros(k, 2), zeros(k, 3))],
  [/addInPlace: expected y of type f32, got i32/, (k) => k.addInPlace(ints(k, 2), zeros(k, 2))],
  [/addInPlace: expected x of type f32, got bf16/, (k) => k.addInPlace(zeros(k, 2), k.zeros([2], 'bf16'))],
  [/transpose: expected out \[3, 2\], got \[2, 3\]/, (k) => k.transpose(zeros(k, 2, 3), zeros(k, 2, 3))],
  [/add: expected b with as many .*\[2\], got \[3\]/, (k) => k.add(zeros(k, 2), zeros(k, 2), zeros(k, 3))],
  [/add: expected a of type f32, got i32/, (k) => k.add(zeros(k, 2), ints(k, 2), zeros(k, 2))],
  [/scaleInPlace: .*got NaN/, (k) => k.scaleInPlace(zeros(k, 2), NaN)],
  [/broadcastRow: expected row \[3\], got \[2\]/, (k) => k.broadcastRow(zeros(k, 2, 3), zeros(k, 2))],
  [/columnSums: expected out \[3\], got \[2\]/, (k) => k.columnSums(zeros(k, 2), zeros(k, 2, 3))],
  [/gatherRows: expected src \[M, 3\]/, (k) => k.gatherRows(zeros(k, 2, 3), zeros(k, 5, 4), ints(k, 2))],
  [/gatherRows: expected ids of type i32/, (k) => k.gatherRows(zeros(k, 2, 3), zeros(k, 5, 3), zeros(k, 2))],
  [/gatherRows: expected ids \[2\]/, (k) => k.gatherRows(zeros(k, 2, 3), zeros(k, 5, 3), ints(k, 3))],
  [/scatterRows: expected dst \[M, 3\]/, (k) => k.scatterRows(zeros(k, 5, 4), zeros(k, 2, 3), ints(k, 2))],
  [/scatterRows: expected ids \[2\]/, (k) => k.scatterRows(zeros(k, 5, 3), zeros(k, 2, 3), ints(k, 1))],
  [/clipNorm: expected out \[2\]/, (k) => k.clipNorm(zeros(k, 1), [zeros(k, 3)], 1)],
  [/clipNorm: expected grads\[1\] of type f32/, (k) => k.clipNorm(zeros(k, 2), [zeros(k, 3), ints(k, 3)], 1)],
  [/clipNorm: expected maxNorm/, (k) => k.clipNorm(zeros(k, 2), [zeros(k, 3)], -1)],
  [/adam: expected v \[2\], got \[3\]/, (k) => adam(k, { v: zeros(k, 3) })],
  [/adam: expected g of type f32/, (k) => adam(k, { g: ints(k, 2) })],
  [/adam: expected gradScale \[2\]/, (k) => adam(k, { scale: zeros(k, 1) })],
  [/adam: .*step/, (k) => adam(k, {}, { step: 0 })],
  [/adam: .*beta1/, (k) => adam(k, {}, { beta1: 1 })],
  [/adam: .*epsilon/, (k) => adam(k, {}, { epsilon: 0 })],
  [/adam: .*learningRate/, (k) => adam(k, {}, { learningRate: NaN })],
]

function adam(k: Kernels, tensors: Record<string, Tensor>, options: Partial<AdamOptions> = {}): void {
  const { p, g, m, v } = { p: zeros(k, 2), g: zeros(k, 2), m: zeros(k, 2), v: zeros(k, 2), ...tensors }
  k.adam(p, g, m, v, { ...ADAM, ...options }, tensors.scale ?? null)
}

const LAYERS: Misuse[] = [
  [
    /^linearForward: expected w \[3, 4\], got \[3, 5\]$/,
    (k) => k.linearForward(zeros(k, 2, 4), zeros(k, 2, 3), zeros(k, 3, 5), null),
  ],
  [
    /linearForward: .*b \[4\]/,
    (k) => k.linearForward(zeros(k, 2, 4), zeros(k, 2, 3), zeros(k, 3, 4), zeros(k, 3)),
  ],
  [/linearForward: .*x \[N, I\]/, (k) => k.linearForward(zeros(k, 2, 4), zeros(k, 3), zeros(k, 3, 4), null)],
  [/linearForward: .*x of type/, (k) => k.linearForward(zeros(k, 2, 4), ints(k, 2, 3), zeros(k, 3, 4), null)],
  [
    /linearBackward: .*dW \[3, 4\]/,
    (k) => k.linearBackward(null, zeros(k, 4, 3), null, zeros(k, 2, 4), zeros(k, 2, 3), zeros(k, 3, 4)),
  ],
  [
    /linearBackward: .*w \[3, 4\]/,
    (k) => k.linearBackward(null, null, null, zeros(k, 2, 4), zeros(k, 2, 3), zeros(k, 4, 3)),
  ],
  [
    /embedForward: .*tokens of type/,
    (k) => k.embedForward(zeros(k, 4, 3), zeros(k, 4), zeros(k, 9, 3), null, 2),
  ],
  [
    /embedForward: .*wPos.*2 rows/,
    (k) => k.embedForward(zeros(k, 4, 3), ints(k, 4), zeros(k, 9, 3), zeros(k, 1, 3), 2),
  ],
  [/embedForward: .*integer t/, (k) => k.embedForward(zeros(k, 4, 3), ints(k, 4), zeros(k, 9, 3), null, 0)],
  [
    /embedBackward: .*dWE \[V, 3\]/,
    (k) => k.embedBackward(zeros(k, 9, 2), null, zeros(k, 4, 3), ints(k, 4), 2),
  ],
  [
    /layerNormForward: .*mean \[2\]/,
    (k) =>
      k.layerNormForward(
        zeros(k, 2, 3),
        zeros(k, 3),
        zeros(k, 2),
        zeros(k, 2, 3),
        zeros(k, 3),
        zeros(k, 3),
        1e-5,
      ),
  ],
  [
    /layerNormForward: .*epsilon/,
    (k) =>
      k.layerNormForward(
        zeros(k, 2, 3),
        zeros(k, 2),
        zeros(k, 2),
        zeros(k, 2, 3),
        zeros(k, 3),
        zeros(k, 3),
        -1,
      ),
  ],
  [
    /layerNormBackward: .*dW \[3\]/,
    (k) => {
      const x = zeros(k, 2, 3)
      k.layerNormBackward(zeros(k, 2, 3), zeros(k, 2), null, x, x, zeros(k, 3), zeros(k, 2), zeros(k, 2))
    },
  ],
  [
    /activationForward: .*out .*x \[3\], got \[2\]/,
    (k) => k.activationForward(zeros(k, 2), zeros(k, 3), 'relu'),
  ],
  [
    /activationForward: .*kind gelu, .*got tanh/,
    (k) => k.activationForward(zeros(k, 3), zeros(k, 3), 'tanh' as 'gelu'),
  ],
  [
    /activationBackward: .*dout .*x \[3\]/,
    (k) => k.activationBackward(zeros(k, 3), zeros(k, 2), zeros(k, 3), 'silu'),
  ],
  [/gatedForward: .*up with as many/, (k) => k.gatedForward(zeros(k, 3), zeros(k, 3), zeros(k, 2), 'silu')],
  [
    /gatedBackward: .*dup with as many/,
    (k) => k.gatedBackward(zeros(k, 3), zeros(k, 2), zeros(k, 3), zeros(k, 3), zeros(k, 3), 'gelu'),
  ],
  [/softCapForward: .*cap/, (k) => k.softCapForward(zeros(k, 3), zeros(k, 3), 0)],
  [/softCapBackward: .*dout with as/, (k) => k.softCapBackward(zeros(k, 3), zeros(k, 2), zeros(k, 3), 1)],
  [
    /rmsNormForward: .*rstd \[2\]/,
    (k) => k.rmsNormForward(zeros(k, 2, 3), zeros(k, 3), zeros(k, 2, 3), zeros(k, 3), 1e-5),
  ],
  [
    /rmsNormBackward: .*dW \[3\]/,
    (k) => {
      const x = zeros(k, 2, 3)
      k.rmsNormBackward(zeros(k, 2, 3), zeros(k, 2), x, x, zeros(k, 3), zeros(k, 2))
    },
  ],
  [
    /linearTransposedForward: expected w \[4, 3\], got \[3, 4\]/,
    (k) => k.linearTransposedForward(zeros(k, 2, 4), zeros(k, 2, 3), zeros(k, 3, 4)),
  ],
  [
    /linearTransposedForward: .*w of type f32 or bf16/,
    (k) => k.linearTransposedForward(zeros(k, 2, 4), zeros(k, 2, 3), ints(k, 4, 3)),
  ],
  [
    /linearTransposedBackward: .*dW \[4, 3\]/,
    (k) => k.linearTransposedBackward(null, zeros(k, 3, 4), zeros(k, 2, 4), zeros(k, 2, 3), zeros(k, 4, 3)),
  ],
  [/rotaryForward: .*3 heads divide/, (k) => rotary(k, { heads: 3 })],
  [/rotaryForward: .*positions \[3\]/, (k) => rotary(k, { positions: ints(k, 2) })],
  [/rotaryForward: .*sin \[5, 2\]/, (k) => rotary(k, { sin: zeros(k, 5, 1) })],
  [/rotaryForward: .*at most 4 \/ 2 angles/, (k) => rotary(k, { cos: zeros(k, 5, 3), sin: zeros(k, 5, 3) })],
  [
    /rotaryBackward: .*dx \[3, 8\]/,
    (k) => {
      const table = zeros(k, 5, 2)
      k.rotaryBackward(zeros(k, 3, 4), zeros(k, 3, 8), ints(k, 3), table, table, 2)
    },
  ],
  [/attentionForward: .*pattern \[2, 1, 3, 3\]/, (k) => attention(k, { pattern: zeros(k, 2, 1, 3, 4) })],
  [/attentionForward: .*t that divides 6 rows/, (k) => attention(k, { t: 4 })],
  [/attentionForward: .*integer t/, (k) => attention(k, { t: 0 })],
  [/attentionForward: .*3 heads/, (k) => attention(k, {}, { heads: 3 })],
  [/attentionForward: .*k \[6, 2\], got \[6, 4\]/, (k) => attention(k, {}, { heads: 2 })],
  [/attentionForward: .*keyValueHeads in \[1, 1\]/, (k) => attention(k, {}, { keyValueHeads: 2 })],
  [
    /attentionForward: .*keyValueHeads that divide 4 heads/,
    (k) => attention(k, {}, { heads: 4, keyValueHeads: 3 }),
  ],
  [/attentionForward: .*scale/, (k) => attention(k, {}, { scale: NaN })],
  [/attentionForward: .*softCap/, (k) => attention(k, {}, { softCap: 0 })],
  [/attentionForward: .*window/, (k) => attention(k, {}, { window: 0 })],
  [/attentionForward: .*starts \[6\]/, (k) => attention(k, { starts: ints(k, 2) })],
  [/attentionForward: .*starts of type i32/, (k) => attention(k, { starts: zeros(k, 6) })],
  [
    /attentionBackward: .*dk \[3, 2\]/,
    (k) => {
      const [x, keys, pattern] = [zeros(k, 3, 4), zeros(k, 3, 2), zeros(k, 1, 2, 3, 3)]
      const options = { ...PLAIN_ATTENTION, heads: 2 }
      k.attentionBackward(zeros(k, 3, 4), zeros(k, 3, 4), keys, x, pattern, x, keys, keys, null, options)
    },
  ],
  [/attentionCachedForward: .*keys \[B, S, 4\]/, (k) => cachedAttention(k, { keys: zeros(k, 2, 5, 3) })],
  [/attentionCachedForward: .*values \[2, 5, 4\]/, (k) => cachedAttention(k, { values: zeros(k, 3, 5, 4) })],
  [/attentionCachedForward: .*3 heads/, (k) => cachedAttention(k, {}, { heads: 3 })],
  [
    /attentionCachedForward: .*pattern \[3, 2, 5\]/,
    (k) => cachedAttention(k, { pattern: zeros(k, 3, 2, 4) }),
  ],
  [/attentionCachedForward: .*z \[3, 4\]/, (k) => cachedAttention(k, { z: zeros(k, 2, 4) })],
  [/attentionCachedForward: .*lengths of type i32/, (k) => cachedAttention(k, { lengths: zeros(k, 3) })],
  [
    /crossEntropyForward: .*losses \[2\]/,
    (k) => k.crossEntropyForward(zeros(k, 3), zeros(k, 2, 5), ints(k, 2)),
  ],
  [
    /crossEntropyForward: .*targets of/,
    (k) => k.crossEntropyForward(zeros(k, 2), zeros(k, 2, 5), zeros(k, 2)),
  ],
  [
    /crossEntropyBackward: .*dlogits \[2, 5\]/,
    (k) => k.crossEntropyBackward(zeros(k, 2, 4), zeros(k, 2, 5), ints(k, 2), 1),
  ],
  [
    /crossEntropyBackward: .*scale/,
    (k) => k.crossEntropyBackward(zeros(k, 2, 5), zeros(k, 2, 5), ints(k, 2), NaN),
  ],
  [/klDivergence: .*q \[2, 5\]/, (k) => k.klDivergence(zeros(k, 2), zeros(k, 2, 5), zeros(k, 2, 4))],
]

/** 3 rows of 2 heads of width 4, which turn whole; angles of 5 positions. */
function rotary(k: Kernels, given: { heads?: number; positions?: Tensor; cos?: Tensor; sin?: Tensor }): void {
  const { heads = 2, positions = ints(k, 3), cos = zeros(k, 5, 2), sin = zeros(k, 5, 2) } = given
  k.rotaryForward(zeros(k, 3, 8), zeros(k, 3, 8), positions, cos, sin, heads)
}

const PLAIN_ATTENTION: AttentionOptions = {
  heads: 1,
  keyValueHeads: 1,
  scale: 1,
  softCap: null,
  window: null,
}

/** 2 sequences of 3 positions, width 4. */
function attention(
  k: Kernels,
  { t = 3, pattern = null, starts = null }: { t?: number; pattern?: Tensor | null; starts?: Tensor | null },
  options: Partial<AttentionOptions> = {},
): void {
  const x = zeros(k, 6, 4)
  k.attentionForward(zeros(k, 6, 4), pattern, x, x, x, starts, t, { ...PLAIN_ATTENTION, ...options })
}

/** 3 rows, 2 sequences of 5 cached positions, 2 heads of width 2. */
function cachedAttention(
  k: Kernels,
  tensors: Record<string, Tensor>,
  options: Partial<AttentionOptions> = {},
): void {
  const ones = k.tensor(new Int32Array([1, 1, 1]), [3])
  const fitting = {
    ...{ z: zeros(k, 3, 4), pattern: zeros(k, 3, 2, 5), q: zeros(k, 3, 4) },
    ...{ keys: zeros(k, 2, 5, 4), values: zeros(k, 2, 5, 4), sequences: ones, lengths: ones },
  }
  const { z, pattern, q, keys, values, sequences, lengths } = { ...fitting, ...tensors }
  const heads = { ...PLAIN_ATTENTION, heads: 2, keyValueHeads: 2, ...options }
  k.attentionCachedForward(z, pattern, q, keys, values, sequences, lengths, heads)
}

/** Wrong shapes, types, options and freed tensors: the same errors from every implementation. */
export function misuseTests(name: string, k: Kernels): void {
  const families = {
    memory: MEMORY,
    elementwise: ELEMENTWISE,
    layers: LAYERS,
    sae: SAE_MISUSES,
    synthetic: SYNTHETIC_MISUSES,
  }
  for (const [family, misuses] of Object.entries(families)) {
    test(`${name}: wrong arguments to the ${family} operations are refused with a message that says which`, async () => {
      for (const [message, call] of misuses) await refused(message, () => call(k))
    })
  }
  test(`${name}: a freed tensor and every window on it refuse further use`, () => usesAfterFree(k))
  test(`${name}: an id outside the table is reported by the next wait, and later work goes on`, () =>
    badIds(k))
}

async function refused(message: RegExp, call: () => unknown): Promise<void> {
  await assert.rejects(
    async () => call(),
    (error) => {
      assert.ok(error instanceof MonosemError, `${message}: ${error}`)
      assert.equal(error.code, 'shape')
      assert.match(error.message, message)
      return true
    },
    `${message} was not raised`,
  )
}

async function usesAfterFree(k: Kernels): Promise<void> {
  const t = zeros(k, 4, 3)
  const window = k.rows(t, 1, 2)
  const reshaped = k.reshape(t, [12])
  k.free(t)
  const uses: (() => unknown)[] = [
    () => k.read(t),
    () => k.readF32(window),
    () => k.rows(t, 0, 1),
    () => k.reshape(window, [6]),
    () => k.write(t, new Float32Array(12)),
    () => k.fill(reshaped, 1),
    () => k.copy(zeros(k, 4, 3), t),
    () => k.addInPlace(window, zeros(k, 2, 3)),
    () => k.clipNorm(zeros(k, 2), [zeros(k, 2), t], 1),
    () => k.linearForward(zeros(k, 2, 5), window, zeros(k, 3, 5), null),
    ...saeUsesAfterFree(k),
    ...syntheticUsesAfterFree(k),
  ]
  for (const use of uses) await refused(/free/, use)
}

async function badIds(k: Kernels): Promise<void> {
  const ids = k.tensor(new Int32Array([0, 9]), [2])
  const calls: Record<string, () => void> = {
    gatherRows: () => k.gatherRows(zeros(k, 2, 3), zeros(k, 9, 3), ids),
    scatterRows: () => k.scatterRows(zeros(k, 9, 3), zeros(k, 2, 3), ids),
    embedForward: () => k.embedForward(zeros(k, 2, 3), ids, zeros(k, 9, 3), null, 1),
    embedBackward: () => k.embedBackward(zeros(k, 9, 3), null, zeros(k, 2, 3), ids, 1),
    crossEntropyForward: () => k.crossEntropyForward(zeros(k, 2), zeros(k, 2, 9), ids),
    crossEntropyBackward: () => k.crossEntropyBackward(zeros(k, 2, 9), zeros(k, 2, 9), ids, 1),
    attentionForward: () => attention(k, { starts: k.tensor(new Int32Array([0, 0, 9, 0, 0, 0]), [6]) }),
    rotaryForward: () => rotary(k, { positions: k.tensor(new Int32Array([0, 5, 1]), [3]) }),
    attentionCachedForward: () => cachedAttention(k, { sequences: k.tensor(new Int32Array([0, 2, 1]), [3]) }),
    'attentionCachedForward: ': () =>
      cachedAttention(k, { lengths: k.tensor(new Int32Array([1, 6, 1]), [3]) }),
  }
  for (const [operation, call] of Object.entries(calls)) {
    const named = (error: unknown): boolean =>
      error instanceof MonosemError && error.code === 'shape' && error.message.startsWith(operation)
    call()
    await assert.rejects(k.finish(), named, `finish after ${operation}`)
    await k.finish()
    call()
    await assert.rejects(k.read(ids), named, `read after ${operation}`)
    assert.deepEqual(await k.read(ids), new Int32Array([0, 9]))
  }
  const y = k.tensor(new Float32Array([1]), [1])
  k.scaleInPlace(y, 3)
  assert.deepEqual(await k.read(y), new Float32Array([3]))
}
