import assert from 'node:assert/strict'
import { cp, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseConfig } from '../../src/config/parse-config.js'
import { openSafetensors, readSafetensors, writeSafetensors } from '../../src/formats/safetensors.js'
import { loadKernels } from '../../src/kernels/load.js'
import { importConfigSchema } from '../../src/model/import-config.js'
import { importModel } from '../../src/model/import-model.js'
import { loadModel } from '../../src/model/load-model.js'
import { silentProgress } from '../../src/progress/progress.js'
import { fileLifetime, temporaryDirectory } from '../temporary-directory.js'

const llama = fileURLToPath(new URL('../../../test/golden/hf/llama', import.meta.url))
const kernels = await loadKernels({ threads: 1 })
const file = fileLifetime()
let directory = ''
before(async () => {
  directory = await temporaryDirectory(file)
})

test('a model that is imported in bf16 is stored in half the size, and computes as the checkpoint kept in bf16', async () => {
  const out = join(directory, 'bf16')
  const config = parseConfig(importConfigSchema, { weights: 'bf16' })
  await importModel(config, { source: llama, out }, { kernels, progress: silentProgress })
  const stored = await openSafetensors(join(out, 'model.safetensors'))
  assert.equal(stored.entries.get('blocks.0.attn.W_Q')?.dtype, 'BF16')
  assert.equal(stored.entries.get('blocks.0.ln1.w')?.dtype, 'F32')
  await stored.close()
  const sizes = [join(out, 'model.safetensors'), join(llama, 'model.safetensors')].map(
    async (path) => (await stat(path)).size,
  )
  const [half, whole] = await Promise.all(sizes)
  assert.ok(half < 0.55 * whole, `${half} of ${whole} bytes`)

  using copy = await loadModel(out, { kernels })
  using source = await loadModel(llama, { kernels, weights: 'bf16' })
  const tokens = [1, 5, 9, 2]
  const [{ logits: ours }, { logits: theirs }] = [await copy.forward(tokens), await source.forward(tokens)]
  assert.deepEqual(ours.data, theirs.data)
  using exact = await loadModel(llama, { kernels })
  assert.notDeepEqual(ours.data, (await exact.forward(tokens)).logits.data, 'bf16 was in effect')
})

test('weights that are NaN are noted by whoever loads the model', async () => {
  const broken = join(directory, 'broken')
  await cp(llama, broken, { recursive: true })
  const { tensors } = await readSafetensors(join(llama, 'model.safetensors'))
  tensors['model.layers.1.mlp.up_proj.weight'].data[3] = Number.NaN
  await writeSafetensors(join(broken, 'model.safetensors'), tensors)
  const notes: string[] = []
  const progress = { ...silentProgress, note: (text: string) => void notes.push(text) }
  using model = await loadModel(broken, { kernels, progress })
  assert.match(notes.join('\n'), /NaN or infinite in model\.layers\.1\.mlp\.up_proj\.weight \(1 of \d+\)/)
  assert.ok(model.config.layers > 1)
})
