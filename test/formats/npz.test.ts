import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import type { FileTensor } from '../../src/formats/file-tensor.js'
import { parseNpy } from '../../src/formats/npy.js'
import { readNpz } from '../../src/formats/npz.js'
import { readSafetensors } from '../../src/formats/safetensors.js'
import { fileLifetime, temporaryDirectory } from '../temporary-directory.js'
import { assertTensors, type DescribedTensor } from './described-tensor.js'
import { makeZip } from './make-zip.js'

const golden = 'test/golden/file-formats/numpy'
const lifetime = fileLifetime()
let directory: string
before(async () => {
  directory = await temporaryDirectory(lifetime)
})

const readNpy = async (name: string): Promise<FileTensor> =>
  parseNpy(name, new Uint8Array(await readFile(join(golden, name))))

/** A .npy file of version 1 with the given header and data, whatever they say. */
function makeNpy(
  header: string,
  data: Uint8Array = new Uint8Array(0),
  announced = header.length,
): Uint8Array<ArrayBuffer> {
  const prefix = Buffer.from('\x93NUMPY\x01\x00..', 'latin1')
  prefix.writeUInt16LE(announced, 8)
  return new Uint8Array(Buffer.concat([prefix, Buffer.from(header, 'latin1'), data]))
}

const dict = (descr: string, shape: string, fortran = 'False'): string =>
  `{'descr': ${descr}, 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`

const fails = (bytes: Uint8Array<ArrayBuffer>, code: string, message: RegExp) =>
  assert.throws(() => parseNpy('array.npy', bytes), { name: 'MonosemError', code, message })

test('arrays of every type, byte order and order of axes are what NumPy says, stored and deflated', async () => {
  const expected: Record<string, DescribedTensor> = JSON.parse(
    await readFile(join(golden, 'arrays.json'), 'utf8'),
  )
  for (const file of ['stored.npz', 'deflated.npz']) {
    const { noise, zeros, ...arrays } = await readNpz(join(golden, file))
    assertTensors(arrays, expected)
    assert.deepEqual(zeros.data, new Float32Array(64 * 64))
    assert.ok(Math.abs((noise.data as Float32Array).reduce((a, b) => a + b * b, 0) / 4096 - 1) < 0.1, file)
  }
  const [stored, deflated] = await Promise.all(
    ['stored.npz', 'deflated.npz'].map((name) => readNpz(join(golden, name))),
  )
  assert.deepEqual(deflated, stored)
})

test('the parameters of a Gemma Scope autoencoder reconstruct what their golden says', async () => {
  for (const folder of ['gemma-scope', 'gemma-scope-compressed']) {
    const path = `test/golden/sae-formats/${folder}`
    const sae = await readNpz(`${path}/params.npz`)
    const { tensors } = await readSafetensors(`${path}/golden.safetensors`)
    const D = sae.b_dec.shape[0]
    const x = tensors.x.data as Float32Array
    for (let feature = 0; feature < sae.b_enc.shape[0]; feature++) {
      let z = Number(sae.b_enc.data[feature])
      for (let i = 0; i < D; i++) z += x[i] * Number(sae.W_enc.data[i * sae.W_enc.shape[1] + feature])
      const f = z > Number(sae.threshold.data[feature]) ? Math.max(z, 0) : 0
      assert.ok(Math.abs(f - Number(tensors.f.data[feature])) < 1e-5, `${folder}, feature ${feature}`)
    }
  }
})

test('headers of versions 2 and 3 are read', async () => {
  for (const version of [2, 3]) {
    const { shape, data } = await readNpy(`version-${version}.npy`)
    assert.deepEqual({ shape, data }, { shape: [3], data: Float64Array.of(0, 1, 2) })
  }
})

test('an array that is aligned in the file is not copied', () => {
  const header = dict("'<f4'", '(2,)').padEnd(128 - 10)
  const bytes = makeNpy(header, new Uint8Array(Float32Array.of(1.5, 2.5).buffer))
  const { data } = parseNpy('array.npy', bytes)
  assert.deepEqual(data, Float32Array.of(1.5, 2.5))
  assert.equal(data.buffer, bytes.buffer)
  const odd = parseNpy('array.npy', makeNpy(`${header} `, bytes.subarray(128)))
  assert.deepEqual(odd.data, Float32Array.of(1.5, 2.5))
})

test('arrays of objects, texts, complex numbers and structures are refused by name', async () => {
  const refusals = {
    object: /Python objects/,
    text: /"<U1"/,
    complex: /"<c16"/,
    structure: /structured array/,
  }
  for (const [kind, message] of Object.entries(refusals))
    await assert.rejects(readNpy(`refused-${kind}.npy`), {
      name: 'MonosemError',
      code: 'format',
      message,
    })
})

test('what is no array of NumPy is refused as such', () => {
  fails(new Uint8Array(3), 'format', /does not start with/)
  fails(
    new Uint8Array(Buffer.from('\x93NUMPY\x07\x00\x00\x00\x00\x00', 'latin1')),
    'format',
    /version 7 is unknown/,
  )
  for (const header of [
    '',
    '{',
    "{'descr'}",
    '[1, 2]',
    "{'descr': __import__('os')}",
    dict("'<f4'", '(2,)').slice(0, -4),
  ])
    fails(makeNpy(header), 'format', /not a Python dict/)
  fails(makeNpy(dict("'<f4'", '(2,)', '0')), 'format', /fortran_order/)
  fails(makeNpy(dict('4', '(2,)')), 'format', /descr/)
  for (const shape of [
    "('2',)",
    '2',
    '((2,),)',
    `(${'1,'.repeat(65)})`,
    '(9007199254740993,)',
    '(9000000000000000, 9000000000000000)',
  ])
    fails(makeNpy(dict("'<f4'", shape)), 'format', /shape/)
})

test('an array with too few or too many bytes is corrupt', async () => {
  for (const length of [0, 7, 9])
    fails(makeNpy(dict("'<f4'", '(2,)'), new Uint8Array(length)), 'corrupt', /F32 \[2\] needs 8 bytes, got/)
  fails(makeNpy(dict("'<f4'", '(2000000000, 1000000)')), 'corrupt', /needs 8000000000000000 bytes, got 0/)
  fails(makeNpy('', new Uint8Array(0), 500), 'corrupt', /header of 500 bytes, got 0/)
  fails(makeNpy('').subarray(0, 8), 'corrupt', /expected a header/)
})

test('an array inside an archive is named in the error', async () => {
  const path = join(directory, 'bad.npz')
  await writeFile(path, makeZip([{ name: 'W_enc.npy', data: makeNpy(dict("'<f4'", '(2,)')) }]))
  await assert.rejects(readNpz(path), {
    code: 'corrupt',
    message: /bad\.npz: W_enc\.npy: F32 \[2\] needs 8 bytes/,
  })
  await assert.rejects(readNpz(join(directory, 'absent.npz')), { code: 'missing' })
})

test('an array may have any name', async () => {
  const path = join(directory, 'names.npz')
  const array = makeNpy(dict("'<f4'", '()'), new Uint8Array(4))
  await writeFile(
    path,
    makeZip(['__proto__.npy', 'constructor.npy', 'plain'].map((name) => ({ name, data: array }))),
  )
  const arrays: Record<string, FileTensor> = await readNpz(path)
  assert.deepEqual(Object.keys(arrays), ['__proto__', 'constructor', 'plain'])
})
