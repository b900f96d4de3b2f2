import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  openSafetensors,
  readSafetensors,
  type SafeTensor,
  writeSafetensors,
} from '../../src/formats/safetensors.js'

let directory: string
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'monosem-safetensors-'))
})
after(() => rm(directory, { recursive: true }))

/** A file with the given header and data bytes, whatever they say. */
async function rawFile(
  header: string,
  data: Uint8Array,
  announced = Buffer.byteLength(header),
): Promise<string> {
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(announced))
  const path = join(directory, 'raw.safetensors')
  await writeFile(path, Buffer.concat([length, Buffer.from(header), data]))
  return path
}

const entry = (begin: number, end: number, shape: number[], dtype = 'F32') => ({
  dtype,
  shape,
  data_offsets: [begin, end],
})

const fails = (path: string, code: string, message: RegExp) =>
  assert.rejects(readSafetensors(path), { name: 'MonosemError', code, message })

test('tensors of every type, scalars, empty tensors and metadata come back as they were written', async () => {
  const path = join(directory, 'all.safetensors')
  const tensors: Record<string, SafeTensor> = {
    bytes: { shape: [3], data: Uint8Array.of(1, 2, 255) },
    f: { shape: [2, 2], data: Float32Array.of(1.5, -0, Number.NaN, 3e-39) },
    i: { shape: [1, 2], data: Int32Array.of(-1, 2 ** 31 - 1) },
    none: { shape: [0, 7], data: new Float32Array(0) },
    scalar: { shape: [], data: Float32Array.of(7) },
    short: { shape: [3], data: Uint16Array.of(0, 1, 65535) },
    u: { shape: [1], data: Uint32Array.of(2 ** 32 - 1) },
    __proto: { shape: [1], data: Float32Array.of(1) },
  }
  await writeSafetensors(path, tensors, { format: 'pt', wörld: '😀' })
  const read = await readSafetensors(path)
  assert.deepEqual(read.metadata, { format: 'pt', wörld: '😀' })
  assert.deepEqual(Object.keys(read.tensors).sort(), Object.keys(tensors).sort())
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    assert.deepEqual(read.tensors[name].shape, shape, name)
    assert.deepEqual(read.tensors[name].data, data, name)
  }
  assert.deepEqual(
    (await readdir(directory)).filter((name) => name.endsWith('.tmp')),
    [],
  )
})

test('the header is padded so that the data starts at a multiple of 8 bytes', async () => {
  const path = join(directory, 'padded.safetensors')
  for (const name of ['a', 'ab', 'abc', 'abcd']) {
    await writeSafetensors(path, { [name]: { shape: [1], data: Float32Array.of(1) } })
    assert.equal(Number((await readFile(path)).readBigUInt64LE()) % 8, 0)
  }
})

test('a window on larger memory is written without its surroundings', async () => {
  const path = join(directory, 'window.safetensors')
  await writeSafetensors(path, { w: { shape: [2], data: Float32Array.of(9, 1, 2, 9).subarray(1, 3) } })
  assert.deepEqual((await readSafetensors(path)).tensors.w.data, Float32Array.of(1, 2))
})

test('BF16 and F16 are widened to the numbers they stand for', async () => {
  const path = join(directory, 'half.safetensors')
  const bf16 = Uint16Array.of(0x3f80, 0xc020, 0x7f80, 0x0001)
  const f16 = Uint16Array.of(0x3c00, 0xc500, 0x7c00, 0x0001, 0x7bff, 0x8000)
  await writeSafetensors(path, {
    bf16: { shape: [4], data: bf16, dtype: 'BF16' },
    f16: { shape: [6], data: f16, dtype: 'F16' },
  })
  const { tensors } = await readSafetensors(path)
  assert.deepEqual(tensors.bf16.data, Float32Array.of(1, -2.5, Number.POSITIVE_INFINITY, 2 ** -133))
  assert.deepEqual(tensors.f16.data, Float32Array.of(1, -5, Number.POSITIVE_INFINITY, 2 ** -24, 65504, -0))
})

test('a tensor whose shape or type does not fit its data is not written', async () => {
  const path = join(directory, 'never.safetensors')
  const data = new Float32Array(3)
  await assert.rejects(writeSafetensors(path, { w: { shape: [2, 2], data } }), {
    code: 'shape',
    message: /w/,
  })
  await assert.rejects(writeSafetensors(path, { w: { shape: [3], data, dtype: 'BF16' } }), { code: 'shape' })
  await assert.rejects(readFile(path), { code: 'ENOENT' })
})

test('a file that is not safetensors is refused as such', async () => {
  await fails(join(directory, 'absent'), 'missing', /absent/)
  const path = join(directory, 'text')
  await writeFile(path, 'short')
  await fails(path, 'format', /at least 8 bytes/)
  await writeFile(path, 'hello world, this is plain text')
  await fails(path, 'format', /header of \d+ bytes is announced/)
  await fails(await rawFile('{"a":', new Uint8Array(0)), 'format', /not JSON/)
  await fails(await rawFile('[]', new Uint8Array(0)), 'format', /not a JSON object/)
  await fails(await rawFile('{"a":3}', new Uint8Array(0)), 'format', /not an object/)
  const negative = JSON.stringify({ a: entry(0, 4, [-1]) })
  await fails(await rawFile(negative, new Uint8Array(4)), 'format', /shape/)
  const unknown = JSON.stringify({ a: entry(0, 8, [1], 'C64') })
  await fails(await rawFile(unknown, new Uint8Array(8)), 'format', /tensor a has dtype C64/)
  const metadata = JSON.stringify({ __metadata__: { a: 1 } })
  await fails(await rawFile(metadata, new Uint8Array(0)), 'format', /__metadata__/)
})

test('a truncated file is corrupt wherever it is cut', async () => {
  const path = join(directory, 'cut.safetensors')
  await writeSafetensors(path, { w: { shape: [16], data: new Float32Array(16) } })
  const whole = await readFile(path)
  for (const length of [whole.length - 1, whole.length - 64, 40, 9]) {
    await writeFile(path, whole.subarray(0, length))
    await fails(path, 'corrupt', /expected/)
  }
  await writeFile(path, Buffer.concat([whole, Buffer.alloc(4)]))
  await fails(path, 'corrupt', /expected 64 bytes of tensors, got 68/)
})

test('offsets that overlap, leave gaps or disagree with the shape are corrupt', async () => {
  const overlap = JSON.stringify({ a: entry(0, 8, [2]), b: entry(0, 8, [2]) })
  await fails(await rawFile(overlap, new Uint8Array(16)), 'corrupt', /starts at byte 0, expected 8/)
  const gap = JSON.stringify({ a: entry(0, 4, [1]), b: entry(8, 12, [1]) })
  await fails(await rawFile(gap, new Uint8Array(12)), 'corrupt', /starts at byte 8, expected 4/)
  const span = JSON.stringify({ a: entry(0, 8, [3]) })
  await fails(await rawFile(span, new Uint8Array(8)), 'corrupt', /needs 12 bytes, its offsets span 8/)
  const beyond = JSON.stringify({ a: entry(0, 400, [100]) })
  await fails(await rawFile(beyond, new Uint8Array(8)), 'corrupt', /expected 400 bytes of tensors, got 8/)
  await fails(await rawFile('{}', new Uint8Array(0), 50), 'corrupt', /header of 50 bytes/)
})

test('I64, F64 and BOOL are read as the nearest type of ours, and numbers that do not fit are refused', async () => {
  const header = JSON.stringify({
    long: entry(0, 16, [2], 'I64'),
    double: entry(16, 32, [2], 'F64'),
    bool: entry(32, 34, [2], 'BOOL'),
  })
  const data = (first: bigint) =>
    Buffer.concat([
      new Uint8Array(BigInt64Array.of(first, -7n).buffer),
      new Uint8Array(Float64Array.of(0.1, -2).buffer),
      Uint8Array.of(1, 0),
    ])
  const { tensors } = await readSafetensors(await rawFile(header, data(2n ** 31n - 1n)))
  assert.deepEqual(tensors.long, { shape: [2], dtype: 'I32', data: Int32Array.of(2 ** 31 - 1, -7) })
  assert.deepEqual(tensors.double, { shape: [2], dtype: 'F32', data: Float32Array.of(0.1, -2) })
  assert.deepEqual(tensors.bool, { shape: [2], dtype: 'U8', data: Uint8Array.of(1, 0) })
  await fails(await rawFile(header, data(2n ** 31n)), 'format', /long\[0\] is 2147483648/)
})

test('an open file gives whole tensors and rows of them, widened or as bits', async () => {
  const path = join(directory, 'rows.safetensors')
  await writeSafetensors(path, {
    w: { shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    half: { shape: [3], data: Uint16Array.of(0x3f80, 0xc020, 0x7f80), dtype: 'BF16' },
    none: { shape: [0, 4], data: new Float32Array(0) },
    scalar: { shape: [], data: Float32Array.of(7) },
  })
  const file = await openSafetensors(path)
  assert.deepEqual([...file.entries.keys()].sort(), ['half', 'none', 'scalar', 'w'])
  const { dtype, shape } = file.entries.get('half')!
  assert.deepEqual([dtype, shape], ['BF16', [3]])
  assert.deepEqual(await file.readRows('w', 1, 2), {
    shape: [2, 2],
    dtype: 'F32',
    data: Float32Array.of(3, 4, 5, 6),
  })
  assert.deepEqual((await file.readRows('half', 1, 1)).data, Float32Array.of(-2.5))
  const bits = { shape: [2], dtype: 'BF16', data: Uint16Array.of(0xc020, 0x7f80) }
  assert.deepEqual(await file.readRows('half', 1, 2, { bits: true }), bits)
  assert.deepEqual((await file.readRows('none', 0, 0)).shape, [0, 4])
  for (const [name, first, count] of [
    ['w', 2, 2],
    ['w', -1, 1],
    ['w', 0.5, 1],
    ['scalar', 0, 1],
  ] as const)
    await assert.rejects(file.readRows(name, first, count), { code: 'shape', message: new RegExp(name) })
  await assert.rejects(file.read('absent'), { code: 'missing', message: /rows\.safetensors.*absent/ })
  await file.close()
  await assert.rejects(file.read('w'), { code: 'io' })
})

test('a tensor of a type that is not read does not make the others unreadable', async () => {
  const header = JSON.stringify({
    complex: entry(0, 8, [1], 'C64'),
    tiny: entry(8, 9, [2], 'F4'),
    w: entry(9, 13, [1]),
  })
  const file = await openSafetensors(await rawFile(header, new Uint8Array(13)))
  assert.deepEqual((await file.read('w')).data, new Float32Array(1))
  assert.equal(file.entries.get('tiny')?.dtype, 'F4')
  await assert.rejects(file.read('complex'), { code: 'format', message: /raw.safetensors: tensor complex/ })
  await assert.rejects(file.readRows('tiny', 0, 1), { code: 'format', message: /tensor tiny has dtype F4/ })
  await file.close()
})
