import assert from 'node:assert/strict'
import { join } from 'node:path'
import { readSafetensors } from '../../../src/formats/safetensors.js'
import type { Codes } from '../../../src/kernels/kernels.js'
import { decode, encode, reconstruct, type Sae } from '../../../src/sae/sae.js'

// the tests run from dist/test/sae/formats
export const goldenDirectory = join(import.meta.dirname, '../../../../test/golden/sae-formats')

/** Folders of `goldenDirectory`, each with an autoencoder in some layout and golden.safetensors. */
export const goldenLayouts = [
  ...['standard', 'standard-no-bdec-input', 'standard-layer-norm', 'standard-constant-norm', 'gated'].map(
    (name) => `saelens/${name}`,
  ),
  ...['jumprelu', 'topk', 'topk-rescaled'].map((name) => `saelens/${name}`),
  'sparsify',
  ...['relu', 'topk', 'batch-topk', 'matryoshka', 'jumprelu', 'gated'].map(
    (name) => `dictionary-learning/${name}`,
  ),
  ...['openai-relu', 'openai-topk', 'gemma-scope', 'gemma-scope-compressed'],
]

/** What the program that an autoencoder comes from computes. */
export interface GoldenCodes {
  n: number
  d: number
  /** [N, D] */
  x: Float32Array
  /** [N, F] */
  f: Float32Array
  /** [N, Dout] */
  xHat: Float32Array
}

export async function readGolden(directory: string): Promise<GoldenCodes> {
  const { tensors } = await readSafetensors(join(directory, 'golden.safetensors'))
  const [n, d] = tensors.x.shape
  const [x, f, xHat] = [tensors.x, tensors.f, tensors.x_hat].map(({ data }) => data as Float32Array)
  return { n, d, x, f, xHat }
}

/** [N, F] */
export function denseCodes({ rowOffsets, featureIds, values }: Codes, features: number): Float32Array {
  const n = rowOffsets.length - 1
  const f = new Float32Array(n * features)
  for (let row = 0; row < n; row++)
    for (let i = rowOffsets[row]; i < rowOffsets[row + 1]; i++) f[row * features + featureIds[i]] = values[i]
  return f
}

/** Runs an autoencoder on the golden activations: f, x_hat by decoding, x_hat in one go, and the losses of that. */
export async function runOn(sae: Sae, { n, d, x }: GoldenCodes) {
  const { kernels } = sae
  const input = kernels.tensor(x, [n, d])
  const codes = await encode(sae, input)
  const xHat = kernels.zeros([n, sae.dOut])
  decode(sae, xHat, codes, input)
  const [again, losses] = [kernels.zeros([n, sae.dOut]), kernels.zeros([n])]
  reconstruct(sae, again, losses, input)
  return {
    f: denseCodes(codes, sae.features),
    xHat: await kernels.readF32(xHat),
    again: await kernels.readF32(again),
    losses: await kernels.readF32(losses),
  }
}

/** To 1e-5, and zero exactly where the other is. */
export function assertSame(name: string, actual: Float32Array, expected: Float32Array): void {
  assert.equal(actual.length, expected.length, name)
  let worst = 0
  for (let i = 0; i < actual.length; i++) {
    assert.equal(actual[i] === 0, expected[i] === 0, `${name}[${i}]: ${actual[i]}, expected ${expected[i]}`)
    if (!(Math.abs(actual[i] - expected[i]) <= Math.abs(actual[worst] - expected[worst]))) worst = i
  }
  const difference = Math.abs(actual[worst] - expected[worst])
  assert.ok(difference < 1e-5, `${name}[${worst}]: ${actual[worst]}, expected ${expected[worst]}`)
}
