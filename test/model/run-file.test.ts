import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readSafetensors, type SafeTensor, writeSafetensors } from '../../src/formats/safetensors.js'
import { loadKernels } from '../../src/kernels/load.js'
import { runConfigSchema } from '../../src/model/run-config.js'
import { runFile } from '../../src/model/run-file.js'
import { runTokens } from '../../src/model/run-tokens.js'
import { silentProgress } from '../../src/progress/progress.js'
import { temporaryDirectory } from '../temporary-directory.js'
import { TINY, tinyModel } from './tiny-model.js'

const kernels = await loadKernels()
const context = { progress: silentProgress }
const ids = Int32Array.from({ length: 15 }, (_, i) => (i * 7) % TINY.vocabularySize)
const [B, T] = [5, 3]

async function run(
  t: TestContext,
  tensors: Record<string, SafeTensor>,
  options: Record<string, unknown> = {},
) {
  const directory = await temporaryDirectory(t)
  const paths = { input: join(directory, 'in.safetensors'), output: join(directory, 'out.safetensors') }
  await writeSafetensors(paths.input, tensors)
  const model = await tinyModel(kernels)
  const result = async () => {
    const summary = await runFile(model, runConfigSchema.parse(options), paths, context)
    return { summary, ...(await readSafetensors(paths.output)) }
  }
  return { directory, model, result }
}

test('logits, loss and activations of a file are those of one pass, whatever the batches', async (t) => {
  const hook = ['blocks.1.hook_resid_post', 'blocks.0.attn.hook_pattern', 'blocks.0.mlp.hook_post']
  const input_ids = { shape: [B, T], data: ids }
  for (const batchTokens of [1, 7, 1000]) {
    const { model, result } = await run(t, { input_ids }, { hook, batchTokens })
    const { summary, tensors } = await result()
    const expected = await runTokens(model, input_ids, { read: hook, logits: true, loss: true })
    assert.deepEqual(Object.keys(tensors).sort(), [...hook, 'logits', 'loss'].sort())
    for (const name of hook) assert.deepEqual(tensors[name].shape, expected.activations[name].shape, name)
    const close = (name: string, values: Float32Array) =>
      tensors[name].data.forEach((value, i) => {
        assert.ok(Math.abs(value - values[i]) < 1e-5, `${name} ${i}`)
      })
    for (const name of hook) close(name, expected.activations[name].data)
    close('logits', expected.logits.data)
    close('loss', Float32Array.of(expected.loss))
    assert.deepEqual(tensors.loss.shape, [1])
    assert.ok(Math.abs((summary.loss as number) - expected.loss) < 1e-6)
    assert.deepEqual(summary.tensors.logits, [B, T, TINY.vocabularySize])
  }
})

test('only what is asked for is written', async (t) => {
  const input_ids = { shape: [B, T], data: ids }
  const hook = ['hook_embed', 'hook_embed']
  const only = await (await run(t, { input_ids }, { hook, logits: false, loss: false })).result()
  assert.deepEqual(Object.keys(only.tensors), ['hook_embed'])
  assert.equal(only.summary.loss, null)
  const single = await (await run(t, { input_ids: { shape: [15, 1], data: ids } })).result()
  assert.deepEqual(Object.keys(single.tensors), ['logits'])
})

test('a mask of ones is no padding', async (t) => {
  const attention_mask = { shape: [B, T], data: new Int32Array(B * T).fill(1) }
  const { tensors } = await (
    await run(t, { input_ids: { shape: [B, T], data: ids }, attention_mask })
  ).result()
  assert.ok(tensors.logits)
})

test('input that cannot be run is refused, and leaves no file', async (t) => {
  const input_ids = { shape: [B, T], data: ids }
  const refused = async (
    tensors: Record<string, SafeTensor>,
    expected: { code: string; message: RegExp },
    options?: Record<string, unknown>,
  ) => {
    const { directory, result } = await run(t, tensors, options)
    await assert.rejects(result(), expected)
    assert.deepEqual(await readdir(directory), ['in.safetensors'])
  }
  await refused({ ids: input_ids }, { code: 'missing', message: /input_ids/ })
  await refused({ input_ids: { shape: [15], data: ids } }, { code: 'shape', message: /\[B, T\]/ })
  await refused(
    { input_ids: { shape: [B, T], data: new Float32Array(15) } },
    { code: 'shape', message: /got F32/ },
  )
  await refused({ input_ids: { shape: [1, 15], data: ids } }, { code: 'shape', message: /at most 6/ })
  await refused(
    { input_ids: { shape: [B, T], data: ids.map((id) => id + 5) } },
    { code: 'shape', message: /sequence 0/ },
  )
  await refused(
    { input_ids },
    { code: 'config', message: /called blocks.9.hook_z/ },
    { hook: ['blocks.9.hook_z'] },
  )
  await refused({ input_ids }, { code: 'config', message: /nothing/ }, { logits: false, loss: false })
  const attention_mask = { shape: [B, T], data: new Int32Array(B * T) }
  await refused({ input_ids, attention_mask }, { code: 'config', message: /padding/ })
})
