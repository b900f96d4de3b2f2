import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import fc from 'fast-check'
import { parseNpy } from '../../src/formats/npy.js'
import { readNpz } from '../../src/formats/npz.js'
import { unpickle } from '../../src/formats/pickle.js'
import { readSafetensors } from '../../src/formats/safetensors.js'
import { readTorchFile } from '../../src/formats/torch-file.js'
import { storageOf, torchGlobals } from '../../src/formats/torch-globals.js'
import { openZip } from '../../src/formats/zip.js'
import { makeZip, type ZipPart } from '../formats/make-zip.js'
import { fileLifetime, temporaryDirectory } from '../temporary-directory.js'
import { mutatedBytes, randomBytes } from './mutated-bytes.js'
import { randomPickle } from './random-pickle.js'
import { readsOrRefuses, refuses } from './reads-or-refuses.js'

const lifetime = fileLifetime()
let path: string
before(async () => {
  path = join(await temporaryDirectory(lifetime), 'file')
})

const golden = (name: string): Buffer => readFileSync(join('test/golden', name))

/** Random bytes, and each of the files changed. */
const likeThese = (...files: Buffer[]): fc.Arbitrary<Buffer> =>
  fc.oneof(randomBytes(), ...files.map(mutatedBytes))

const fromFile = (read: (path: string) => Promise<unknown>) => async (bytes: Uint8Array) => {
  await writeFile(path, bytes)
  await read(path)
}

/** Reads every entry. */
async function readZip(path: string): Promise<void> {
  const zip = await openZip(path)
  try {
    for (const name of zip.entries.keys()) await zip.read(name)
  } finally {
    await zip.close()
  }
}

const npz = golden('sae-formats/gemma-scope/params.npz')
const deflatedNpz = golden('sae-formats/gemma-scope-compressed/params.npz')
const torch = golden('file-formats/torch/protocol-2.pt')
const legacyTorch = golden('file-formats/torch/legacy.pt')
const torchFiles = [
  'file-formats/torch/protocol-2.pt',
  'file-formats/torch/protocol-5.pt',
  'sae-formats/openai-topk/autoencoder.pt',
]

/** The entries of a golden zip archive. */
async function partsOf(name: string): Promise<ZipPart[]> {
  const zip = await openZip(join('test/golden', name))
  const parts: ZipPart[] = []
  for (const name of zip.entries.keys()) parts.push({ name, data: await zip.read(name) })
  await zip.close()
  return parts
}

/** Archives in which one entry has changed, with a CRC-32 that is right: what gets behind the zip reader. */
const changedInside = (parts: readonly ZipPart[]): fc.Arbitrary<Buffer> =>
  fc.oneof(
    ...parts.map((part, i) =>
      mutatedBytes(part.data).map((data) =>
        makeZip(parts.with(i, { name: part.name, data, deflate: data.length % 2 === 0 })),
      ),
    ),
  )

const pickleOptions = { what: 'random.pkl', globals: torchGlobals, persistentLoad: storageOf }

test('safetensors', () =>
  readsOrRefuses(
    likeThese(golden('sae-formats/saelens/gated/sae_weights.safetensors')),
    fromFile(readSafetensors),
  ))

test('zip archives', () => {
  const text = { name: 'a', data: Buffer.from('some bytes') }
  const deflated = { name: 'b/c', data: Buffer.from('others '.repeat(20)), deflate: true }
  const zips = [makeZip([text, deflated]), makeZip([deflated, text], { zip64: true }), makeZip([])]
  return readsOrRefuses(likeThese(...zips, npz, deflatedNpz, torch), fromFile(readZip))
})

test('arrays of NumPy', async () => {
  const arrays = (await partsOf('file-formats/numpy/stored.npz')).map(({ data }) => Buffer.from(data))
  await readsOrRefuses(likeThese(...arrays), async (bytes) => parseNpy('random.npy', new Uint8Array(bytes)))
})

test('archives of NumPy', async () => {
  const changed = changedInside(await partsOf('file-formats/numpy/deflated.npz'))
  await readsOrRefuses(fc.oneof(likeThese(npz, deflatedNpz), changed), fromFile(readNpz))
})

test('pickles', async () => {
  const parts = await Promise.all(torchFiles.map(partsOf))
  const pickles = parts
    .flat()
    .filter(({ name }) => name.endsWith('.pkl'))
    .map(({ data }) => Buffer.from(data))
  assert.equal(pickles.length, torchFiles.length)
  const unpickled = async (bytes: Buffer) => unpickle(new Uint8Array(bytes), pickleOptions)
  await readsOrRefuses(fc.oneof(likeThese(...pickles), randomPickle), unpickled)
})

test('files of PyTorch', async () => {
  await readsOrRefuses(likeThese(torch, legacyTorch), fromFile(readTorchFile))
  for (const file of torchFiles)
    await readsOrRefuses(changedInside(await partsOf(file)), fromFile(readTorchFile))
  const storages = ['0', '1', 'a'].map((key) => ({ name: `made/data/${key}`, data: new Uint8Array(16) }))
  await readsOrRefuses(randomPickle, async (pickle) =>
    fromFile(readTorchFile)(makeZip([{ name: 'made/data.pkl', data: pickle }, ...storages])),
  )
})

test('an evil file of PyTorch stays refused, however it is changed', async () => {
  const changed = changedInside(await partsOf('sae-formats/evil-pickle/ae.pt'))
  await refuses(changed, fromFile(readTorchFile))
  assert.ok(!existsSync('PWNED'))
})
