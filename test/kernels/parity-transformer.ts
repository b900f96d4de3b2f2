import type { Kernels, Tensor } from '../../src/kernels/kernels.js'
import { type ParityCase, parityCase } from './parity-case.js'
import type { RandomTensors } from './random-tensors.js'

/** The layers of the transformer, forward and backward. */
export function transformerCases(): ParityCase[] {
  return [...linearCases(), ...embedCases(), ...layerNormCases(), ...lossCases()]
}

/** N, I, O: few rows, odd sizes, and each dimension beyond the blocks that a packed product works in */
const LINEAR = [
  [1, 1, 1],
  [1, 37, 1],
  [5, 1, 37],
  [1, 512, 37],
  [5, 37, 512],
  [5, 512, 512],
  [4, 600, 300],
  [6, 5, 2100],
  [7, 65, 129],
  [9, 1100, 70],
  [130, 129, 65],
  [1100, 9, 70],
  [4096, 37, 17],
  [7300, 5, 3],
] as const

function linearCases(): ParityCase[] {
  return LINEAR.flatMap(([n, i, o]) => [
    ...[true, false].map((bias) =>
      parityCase(`linearForward [${n}, ${i}] @ [${i}, ${o}]${bias ? ' + b' : ''}`, (k, random) => {
        const out = random.signed([n, o])
        k.linearForward(out, random.signed([n, i]), random.signed([i, o]), bias ? random.signed([o]) : null)
        return { out }
      }),
    ),
    parityCase(`linearBackward [${n}, ${i}] @ [${i}, ${o}]`, (k, random) => {
      const [dx, dW, db] = [random.signed([n, i]), random.signed([i, o]), random.signed([o])]
      const [dout, x, w] = [random.signed([n, o]), random.signed([n, i]), random.signed([i, o])]
      k.linearBackward(dx, dW, db, dout, x, w)
      const [dxOnly, dWOnly, dbOnly] = [k.zeros([n, i]), k.zeros([i, o]), k.zeros([o])]
      k.linearBackward(dxOnly, null, null, dout, x, w)
      k.linearBackward(null, dWOnly, null, dout, x, w)
      k.linearBackward(null, null, dbOnly, dout, x, w)
      return { dx, dW, db, dxOnly, dWOnly, dbOnly }
    }),
  ])
}

function embedCases(): ParityCase[] {
  const shapes = [
    [1, 1, 1],
    [5, 5, 37],
    [14, 7, 37],
    [256, 128, 64],
    [4096, 128, 37],
  ]
  return shapes.flatMap(([n, t, d]) =>
    [true, false].map((positions) =>
      parityCase(`embed [${n}, ${d}], T ${t}${positions ? ', with positions' : ''}`, (k, random) => {
        const vocabulary = 131
        const tokens = random.ints([n], 0, vocabulary)
        const table = (rows: number) => random.signed([rows, d])
        const out = table(n)
        k.embedForward(out, tokens, table(vocabulary), positions ? table(t + 2) : null, t)
        const dWE = table(vocabulary)
        const dWPos = table(t + 2)
        k.embedBackward(dWE, positions ? dWPos : null, table(n), tokens, t)
        return { out, dWE, dWPos }
      }),
    ),
  )
}

function layerNormCases(): ParityCase[] {
  const shapes = [
    [1, 1],
    [5, 1],
    [1, 37],
    [5, 37],
    [5, 512],
    [4096, 37],
  ]
  return shapes.map(([n, d]) =>
    parityCase(
      `layerNorm [${n}, ${d}]`,
      (k, random) => {
        const x = random.signed([n, d], 3)
        const [w, b] = [random.signed([d]), random.signed([d])]
        const [out, mean, rstd] = [k.zeros([n, d]), k.zeros([n]), k.zeros([n])]
        k.layerNormForward(out, mean, rstd, x, w, b, 1e-5)
        const dout = random.signed([n, d])
        const [dx, dW, db] = [random.signed([n, d]), random.signed([d]), random.signed([d])]
        k.layerNormBackward(dx, dW, db, dout, x, w, mean, rstd)
        const dxOnly = k.zeros([n, d])
        k.layerNormBackward(dxOnly, null, null, dout, x, w, mean, rstd)
        return { out, mean, rstd, dx, dW, db, dxOnly }
      },
      // a row of one element has no variance: terms of 1 / sqrt(epsilon) cancel out in dx
      d === 1 ? { floor: 300 } : {},
    ),
  )
}

function lossCases(): ParityCase[] {
  const shapes = [
    [1, 1],
    [5, 2],
    [5, 37],
    [1, 4099],
    [37, 513],
    [4096, 37],
  ]
  return shapes.flatMap(([n, v]) => [
    parityCase(`crossEntropy [${n}, ${v}]`, (k, random) => crossEntropy(k, random, n, v)),
    parityCase(`klDivergence [${n}, ${v}]`, (k, random) => {
      const out = k.zeros([n])
      k.klDivergence(out, random.signed([n, v], 5), random.signed([n, v], 5))
      return { out }
    }),
  ])
}

function crossEntropy(k: Kernels, random: RandomTensors, n: number, v: number): Record<string, Tensor> {
  const logits = random.signed([n, v], 10)
  const targets = random.ints([n], -1, v)
  const [losses, dlogits] = [random.signed([n]), random.signed([n, v])]
  k.crossEntropyForward(losses, logits, targets)
  k.crossEntropyBackward(dlogits, logits, targets, 1 / 16)
  k.crossEntropyBackward(logits, logits, targets, 1 / 16)
  return { losses, dlogits, inPlace: logits }
}
