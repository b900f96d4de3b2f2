import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readSafetensors, type SafeTensor } from '../../../src/formats/safetensors.js'
import { loadKernels } from '../../../src/kernels/load.js'
import { loadHuggingFaceModel } from '../../../src/model/huggingface/load.js'
import {
  createWorkspace,
  forward,
  freeWorkspace,
  loss,
  type Transformer,
  type Workspace,
} from '../../../src/model/transformer.js'

/*
 * Tiny checkpoints, and what transformers 5.18 (PyTorch, fp32, eager attention) computed with each: logits and mean next-token loss of
 * `input_ids` [B, T]; `resid_pre.0`; `resid_post.N`; `mlp_out.N`, what the MLP of block N wrote; `greedy`, 8 tokens and 12 that it added.
 */
const root = fileURLToPath(new URL('../../../../test/golden/hf/', import.meta.url))
const tolerance = 2e-4

/** Fails with the tensor's name, the index and the largest difference. */
function assertClose(name: string, got: ArrayLike<number>, expected: ArrayLike<number>): void {
  assert.equal(got.length, expected.length, name)
  let [worst, at] = [0, 0]
  for (let i = 0; i < got.length; i++) {
    const difference = Math.abs(got[i] - expected[i])
    if (!(difference <= worst)) [worst, at] = [difference, i]
  }
  assert.ok(worst <= tolerance, `${name}[${at}]: expected ${expected[at]}, got ${got[at]} (off by ${worst})`)
}

/** Tokens [B, T] with the next token as target; nothing is predicted at the end. */
function batchOf({ data, shape: [, t] }: SafeTensor) {
  const tokens = Int32Array.from(data)
  const targets = tokens.map((_, i) => (i % t === t - 1 ? -1 : tokens[i + 1]))
  return { tokens, targets, starts: new Int32Array(tokens.length) }
}

async function assertForward(
  { kernels, params, config }: Transformer,
  workspace: Workspace,
  golden: Record<string, SafeTensor>,
): Promise<void> {
  for (const [name, expected] of Object.entries(golden)) {
    const [, point, layer] = /^(resid_pre|resid_post|mlp_out)\.(\d+)$/.exec(name) ?? []
    if (!point) continue
    const hook = `blocks.${layer}.hook_${point}`
    let values = expected.data as Float32Array
    // What is added to the residual stream passes Gemma's norm first; transformers' tensor is from before.
    if (config.postNorms && point === 'mlp_out') {
      const x = kernels.tensor(values, [values.length / config.dModel, config.dModel])
      const [out, rstd] = [kernels.zeros(x.shape), kernels.zeros([x.shape[0]])]
      kernels.rmsNormForward(out, rstd, x, params[`blocks.${layer}.ln2_post.w`], config.normEpsilon)
      values = await kernels.readF32(out)
    }
    assertClose(hook, await kernels.readF32(workspace.activations[hook]), values)
  }
  assertClose('logits', await kernels.readF32(workspace.logits), golden.logits.data)
}

async function greedy(model: Transformer, prompt: Int32Array, length: number): Promise<Int32Array> {
  const V = model.config.vocabularySize
  let tokens = prompt
  while (tokens.length < length) {
    const workspace = createWorkspace(model, 1, tokens.length)
    forward(model, workspace, batchOf({ data: tokens, shape: [1, tokens.length] }))
    const last = (await model.kernels.readF32(workspace.logits)).subarray(-V)
    freeWorkspace(model, workspace)
    tokens = Int32Array.of(...tokens, last.indexOf(Math.max(...last)))
  }
  return tokens
}

async function assertGolden(model: Transformer, directory: string): Promise<void> {
  const { kernels } = model
  const { tensors: golden } = await readSafetensors(join(directory, 'golden.safetensors'))
  const [b, t] = golden.input_ids.shape
  const workspace = createWorkspace(model, b, t)
  forward(model, workspace, batchOf(golden.input_ids))
  await assertForward(model, workspace, golden)
  const losses = await kernels.readF32(loss(model, workspace))
  assertClose('loss', [losses.reduce((sum, x) => sum + x, 0) / (b * (t - 1))], golden.loss.data)
  const expected = golden.greedy.data as Int32Array
  assert.deepEqual(await greedy(model, expected.slice(0, 8), expected.length), expected)
}

for (const implementation of ['reference', undefined] as const) {
  const kernels = await loadKernels({ implementation })
  for (const name of readdirSync(root)) {
    test(`${name}: hidden states, logits, loss and continuation are those of transformers (${kernels.name} kernels)`, async () => {
      await assertGolden(await loadHuggingFaceModel(kernels, join(root, name)), join(root, name))
    })
  }

  test(`a BF16 checkpoint that is kept in bf16 gives the same numbers (${kernels.name} kernels)`, async () => {
    const directory = join(root, 'llama-bf16-shards')
    await assertGolden(await loadHuggingFaceModel(kernels, directory, { weights: 'bf16' }), directory)
  })
}
