import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readSafetensors, type SafeTensor } from '../../src/formats/safetensors.js'
import type { Kernels } from '../../src/kernels/kernels.js'
import { loadKernels } from '../../src/kernels/load.js'
import { createOptimizer } from '../../src/model/optimizer.js'
import {
  backward,
  createWorkspace,
  forward,
  loss,
  parameterSpecs,
  type Transformer,
  transformerConfig,
  zerosLikeParameters,
} from '../../src/model/transformer.js'
import { counted } from './tiny-model.js'

// Made by scripts/golden/transformer_golden.py; this file runs from dist/test/model.
const path = fileURLToPath(new URL('../../../test/golden/transformer/golden.safetensors', import.meta.url))
const golden = await readSafetensors(path)
const config = transformerConfig(JSON.parse(golden.metadata.config))
const ints = (name: string) => golden.tensors[name].data as Int32Array
const batch = { tokens: ints('tokens'), targets: ints('targets'), starts: ints('starts') }

/** Fails with the tensor's name, the index and the largest difference. */
function assertClose(name: string, got: ArrayLike<number>, expected: SafeTensor, tolerance: number): void {
  assert.equal(got.length, expected.data.length, name)
  let worst = 0
  let at = 0
  for (let i = 0; i < got.length; i++) {
    const difference = Math.abs(got[i] - expected.data[i])
    if (!(difference <= worst)) [worst, at] = [difference, i]
  }
  assert.ok(
    worst <= tolerance,
    `${name}[${at}]: expected ${expected.data[at]}, got ${got[at]} (off by ${worst})`,
  )
}

function goldenModel(kernels: Kernels): Transformer {
  const params = Object.fromEntries(
    Object.entries(parameterSpecs(config)).map(([name, { shape }]) => {
      const stored = golden.tensors[`param.${name}`]
      assert.deepEqual(stored.shape, shape, name)
      return [name, kernels.tensor(stored.data as Float32Array, shape)]
    }),
  )
  return { kernels, config, params }
}

for (const implementation of ['reference', undefined] as const) {
  const kernels = await loadKernels({ implementation })

  test(`logits, losses and every gradient equal PyTorch's (${kernels.name} kernels)`, async () => {
    const model = goldenModel(kernels)
    const workspace = createWorkspace(model, 2, config.context)
    forward(model, workspace, batch)
    assertClose('logits', await kernels.readF32(workspace.logits), golden.tensors.logits, 1e-4)
    assertClose('losses', await kernels.readF32(loss(model, workspace)), golden.tensors.losses, 1e-4)
    const gradients = zerosLikeParameters(model)
    backward(model, workspace, gradients, 1 / counted(batch))
    for (const [name, gradient] of Object.entries(gradients))
      assertClose(name, await kernels.readF32(gradient), golden.tensors[`grad.${name}`], 1e-5)
  })

  test(`ten AdamW steps with clipping give PyTorch's losses (${kernels.name} kernels)`, async () => {
    const model = goldenModel(kernels)
    const adam = JSON.parse(golden.metadata.adam)
    const optimizer = createOptimizer(model, adam)
    const workspace = createWorkspace(model, 2, config.context)
    const history: number[] = []
    for (let step = 1; step <= 10; step++) {
      forward(model, workspace, batch)
      const losses = await kernels.readF32(loss(model, workspace))
      history.push(losses.reduce((sum, x) => sum + x, 0) / counted(batch))
      optimizer.zeroGradients()
      backward(model, workspace, optimizer.gradients, 1 / counted(batch))
      optimizer.update(step, adam.learningRate)
    }
    assertClose('training losses', history, golden.tensors.training_losses, 1e-4)
    assert.ok(history[9] < history[0] - 0.5, 'the ten steps learn something')
  })
}
