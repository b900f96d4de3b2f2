import type { ActivationKind } from '../../src/kernels/kernels.js'
import { type ParityCase, parityCase } from './parity-case.js'

/** Activations, gated activations, soft cap and RMSNorm, forward and backward; products with transposed and bf16 weights. */
export function layerCases(): ParityCase[] {
  return [
    ...KINDS.flatMap((kind) => [1, 37, 4096 * 5 + 3].map((n) => activationCase(kind, n))),
    ...[1, 37, 4096 * 5 + 3].map(softCapCase),
    ...rmsNormCases(),
    ...PRODUCTS.flatMap(([n, i, o]) => [transposedCase(n, i, o), halfCase(n, i, o)]),
    ...embedCases(),
    ...transposeCases(),
  ]
}

const KINDS: readonly ActivationKind[] = ['gelu', 'gelu_tanh', 'silu', 'relu']

/** Values whose activations under- or overflow on the way. */
const FAR = new Float32Array([0, -0, 40, -40, 1e4, -1e4, 1e-20])

function activationCase(kind: ActivationKind, n: number): ParityCase {
  return parityCase(`${kind} [${n}]`, (k, random) => {
    const [x, up, dout] = [random.signed([n], 8), random.signed([n]), random.signed([n])]
    const [out, dx, gated, dgate, dup] = [0, 1, 2, 3, 4].map(() => k.zeros([n]))
    k.activationForward(out, x, kind)
    k.activationBackward(dx, dout, x, kind)
    k.gatedForward(gated, x, up, kind)
    k.gatedBackward(dgate, dup, dout, x, up, kind)
    const far = k.tensor(FAR, [FAR.length])
    const [farOut, farDx, ones] = [0, 1, 2].map(() => k.zeros([FAR.length]))
    k.activationForward(farOut, far, kind)
    k.fill(ones, 1)
    k.activationBackward(farDx, ones, far, kind)
    const inPlace = k.zeros([n])
    k.copy(inPlace, x)
    k.activationForward(inPlace, inPlace, kind)
    return { out, dx, gated, dgate, dup, farOut, farDx, inPlace }
  })
}

function softCapCase(n: number): ParityCase {
  return parityCase(`softCap [${n}]`, (k, random) => {
    const [x, small, dout] = [random.signed([n], 200), random.signed([n], 1e-3), random.signed([n])]
    const [out, smallOut, dx] = [k.zeros([n]), k.zeros([n]), k.zeros([n])]
    k.softCapForward(out, x, 30)
    k.softCapForward(smallOut, small, 30)
    k.softCapBackward(dx, dout, out, 30)
    k.softCapForward(x, x, 30)
    return { out, smallOut, dx, inPlace: x }
  })
}

function rmsNormCases(): ParityCase[] {
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
      `rmsNorm [${n}, ${d}]`,
      (k, random) => {
        const [x, w, dout] = [random.signed([n, d], 3), random.signed([d]), random.signed([n, d])]
        const [out, rstd] = [k.zeros([n, d]), k.zeros([n])]
        k.rmsNormForward(out, rstd, x, w, 1e-5)
        const [dx, dW] = [random.signed([n, d]), random.signed([d])]
        k.rmsNormBackward(dx, dW, dout, x, w, rstd)
        const dxOnly = k.zeros([n, d])
        k.rmsNormBackward(dxOnly, null, dout, x, w, rstd)
        return { out, rstd, dx, dW, dxOnly }
      },
      // a row of one element has a constant norm: what is left of dx has cancelled out
      d === 1 ? { floor: 10 } : {},
    ),
  )
}

/** N, I, O: few rows of every number, odd sizes, and each dimension beyond a block */
const PRODUCTS = [
  [1, 1, 1],
  [1, 37, 513],
  [2, 40, 70],
  [3, 37, 1030],
  [5, 600, 37],
  [7, 64, 64],
  [8, 1100, 65],
  [9, 33, 70],
  [13, 65, 2100],
  [130, 1029, 65],
  [1100, 9, 70],
] as const

function transposedCase(n: number, i: number, o: number): ParityCase {
  return parityCase(`linearTransposed [${n}, ${i}] @ [${o}, ${i}]^T`, (k, random) => {
    const [x, w, dout] = [random.signed([n, i]), random.signed([o, i]), random.signed([n, o])]
    const [out, dx, dW] = [random.signed([n, o]), random.signed([n, i]), random.signed([o, i])]
    k.linearTransposedForward(out, x, w)
    k.linearTransposedBackward(dx, dW, dout, x, w)
    const [dxOnly, dWOnly] = [k.zeros([n, i]), k.zeros([o, i])]
    k.linearTransposedBackward(dxOnly, null, dout, x, w)
    k.linearTransposedBackward(null, dWOnly, dout, x, w)
    return { out, dx, dW, dxOnly, dWOnly }
  })
}

/** Weights in bf16, in every product that reads them. */
function halfCase(n: number, i: number, o: number): ParityCase {
  return parityCase(`products with bf16 weights, N ${n}, I ${i}, O ${o}`, (k, random) => {
    const [w, turned] = [k.zeros([i, o], 'bf16'), k.zeros([o, i], 'bf16')]
    k.copy(w, random.signed([i, o]))
    k.copy(turned, random.signed([o, i]))
    const [x, dout] = [random.signed([n, i]), random.signed([n, o])]
    const [out, transposed, dx, dxTransposed] = [
      k.zeros([n, o]),
      k.zeros([n, o]),
      k.zeros([n, i]),
      k.zeros([n, i]),
    ]
    k.linearForward(out, x, w, random.signed([o]))
    k.linearBackward(dx, null, null, dout, x, w)
    k.linearTransposedForward(transposed, x, turned)
    k.linearTransposedBackward(dxTransposed, null, dout, x, turned)
    return { out, dx, transposed, dxTransposed }
  })
}

function embedCases(): ParityCase[] {
  return [1, 37, 70].map((d) =>
    parityCase(`embed from bf16 tables, D ${d}`, (k, random) => {
      const tokens = random.ints([14], 0, 9)
      const [wE, wPos] = [k.zeros([9, d], 'bf16'), k.zeros([8, d], 'bf16')]
      k.copy(wE, random.signed([9, d]))
      k.copy(wPos, random.signed([8, d]))
      const [both, mixed, alone] = [k.zeros([14, d]), k.zeros([14, d]), k.zeros([14, d])]
      k.embedForward(both, tokens, wE, wPos, 7)
      k.embedForward(mixed, tokens, wE, random.signed([7, d]), 7)
      k.embedForward(alone, tokens, wE, null, 7)
      return { both, mixed, alone }
    }),
  )
}

function transposeCases(): ParityCase[] {
  const shapes = [
    [1, 1],
    [1, 37],
    [33, 65],
    [70, 3],
    [128, 256],
  ]
  return shapes.flatMap(([r, c]) =>
    parityCase(
      `transpose and add [${r}, ${c}]`,
      (k, random) => {
        const x = random.signed([r, c])
        const [out, half, back, sum] = [
          k.zeros([c, r]),
          k.zeros([c, r], 'bf16'),
          k.zeros([r, c]),
          k.zeros([r, c]),
        ]
        k.transpose(out, x)
        k.transpose(half, x)
        k.transpose(back, half)
        k.add(sum, x, random.signed([r, c]))
        k.add(x, x, x)
        return { out, half, back, sum, x }
      },
      { tolerance: 0 },
    ),
  )
}
