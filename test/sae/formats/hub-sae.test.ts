import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createReferenceKernels } from '../../../src/kernels/reference.js'
import { convertSae } from '../../../src/sae/formats/convert-sae.js'
import { readSae } from '../../../src/sae/formats/read-sae.js'
import { loadSae } from '../../../src/sae/sae.js'
import { startHub } from '../../hub/hub-server.js'
import { temporaryDirectory } from '../../temporary-directory.js'
import { assertSame, goldenDirectory, readGolden, runOn } from './golden-sae.js'

const commit = 'c'.repeat(40)
const served = async (path: string) => ({ content: new Uint8Array(await readFile(path)), lfs: true })
const npz = join(goldenDirectory, 'gemma-scope/params.npz')

test('Gemma Scope by its place on the hub: what it reads is known from there, and offline the cache has it', async (t) => {
  const hub = await startHub(t, {
    'models/google/gemma-scope-2b-pt-res': {
      commits: {
        [commit]: {
          'README.md': { content: new TextEncoder().encode('# Gemma Scope') },
          'layer_20/width_16k/average_l0_71/params.npz': await served(npz),
          'layer_20/width_16k/average_l0_71/notes.txt': { content: new Uint8Array(10) },
        },
      },
      refs: { main: commit },
    },
  })
  const cacheDirectory = join(await temporaryDirectory(t), 'hub')
  const options = { endpoint: hub.endpoint, cacheDirectory, offline: false, token: '' }
  const source = 'google/gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71'
  const sae = await loadSae(createReferenceKernels(), source, options)
  assert.equal(sae.hookName, 'blocks.20.hook_resid_post')
  assert.equal(sae.conventions.modelName, 'google/gemma-2-2b')
  const golden = await readGolden(join(goldenDirectory, 'gemma-scope'))
  const found = await runOn(sae, golden)
  assertSame('f', found.f, golden.f)
  assertSame('x_hat', found.xHat, golden.xHat)

  const out = join(cacheDirectory, '../converted')
  await convertSae(`${source}/params.npz`, out, { ...options, offline: true })
  const { config } = await readSae(out)
  const { convertedFrom } = config.monosem as { convertedFrom?: { commit?: string } }
  assert.equal(convertedFrom?.commit, commit)
  assert.equal(config.metadata.hook_name, 'blocks.20.hook_resid_post')

  await assert.rejects(readSae('google/gemma-scope-2b-pt-res', options), {
    code: 'missing',
    hint: /average_l0_71\/params\.npz/,
  })
})
