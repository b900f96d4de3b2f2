import type { Kernels, SaeTensors, Tensor } from '../../src/kernels/kernels.js'
import { Random } from '../../src/random/random.js'
import { RandomTensors, type SaeLayout, saeTensors } from './random-tensors.js'

/** Features planted in every token: strong ones far above the others, and one weak one. */
const STRONG = 3
const AMPLITUDES = { strong: 6, weak: 4 }

/**
 * An autoencoder and N tokens made of a few of its features, so that pre-activations lie far from 0 (about -2.4, 1.6 and 3.6)
 * and from each other: an encoder that rounds to few bits has to find the same features. D should be 512 or more.
 */
export function separatedSae(
  k: Kernels,
  seed: number,
  layout: SaeLayout,
  n: number,
  subtractDecoderBias: boolean,
): { params: SaeTensors; x: Tensor } {
  const { features, d } = layout
  const random = new Random(seed)
  const tensors = new RandomTensors(k, seed)
  const between = (low: number, high: number): number => low + (high - low) * random.uniform()
  const wEnc = new Float32Array(features * d).map(
    () => ((random.int(2) * 2 - 1) * between(0.7, 1.3)) / Math.sqrt(d),
  )
  const bDec = new Float32Array(layout.dOut ?? d).map(() => between(-0.5, 0.5))
  const x = new Float32Array(n * d).map(
    (_, i) => between(-0.05, 0.05) + (subtractDecoderBias ? bDec[i % d] : 0),
  )
  for (let row = 0; row < n; row++) {
    const planted = random.shuffle(Int32Array.from({ length: features }, (_, j) => j)).slice(0, STRONG + 1)
    planted.forEach((j, i) => {
      const amplitude = i < STRONG ? AMPLITUDES.strong : AMPLITUDES.weak
      for (let c = 0; c < d; c++) x[row * d + c] += amplitude * wEnc[j * d + c]
    })
  }
  const values: Partial<Record<keyof SaeTensors, Tensor>> = {
    wEnc: k.tensor(wEnc, [features, d]),
    bEnc: tensors.between([features], -2.5, -2.3),
    bDec: k.tensor(bDec, [bDec.length]),
    threshold: tensors.between([features], 0.8, 1.2),
  }
  const params = saeTensors(layout, (shape, key) => values[key] ?? tensors.signed(shape, 0.3))
  return { params, x: k.tensor(x, [n, d]) }
}
