import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import type { FileTensor } from '../../src/formats/file-tensor.js'
import { readTorchFile } from '../../src/formats/torch-file.js'
import { isTensor, type TorchValue } from '../../src/formats/torch-values.js'
import { fileLifetime, temporaryDirectory } from '../temporary-directory.js'
import { assertTensors, type DescribedTensor } from './described-tensor.js'
import { global, int, makePickle, type PicklePart, text, tuple } from './make-pickle.js'
import { makeZip, type ZipPart } from './make-zip.js'

const golden = 'test/golden/file-formats/torch'
const lifetime = fileLifetime()
let path: string
before(async () => {
  path = join(await temporaryDirectory(lifetime), 'made.pt')
})

type Dict = Map<string, TorchValue>
const asDict = (value: TorchValue | undefined): Dict => {
  assert.ok(value instanceof Map)
  return value as Dict
}
const asTensor = (value: TorchValue | undefined): FileTensor => {
  assert.ok(isTensor(value))
  return value
}

// ---- files of torch.save ----

const layouts = ['protocol-2', 'protocol-3', 'protocol-4', 'protocol-5', 'legacy', 'no-crc']

test('tensors of every type and every kind of view are what PyTorch says, in every layout', async () => {
  const expected: Record<string, DescribedTensor> = JSON.parse(
    await readFile(join(golden, 'tensors.json'), 'utf8'),
  )
  for (const layout of layouts) {
    const dict = asDict(await readTorchFile(join(golden, `${layout}.pt`)))
    const named = [
      ...asDict(dict.get('tensors')),
      ...[...asDict(dict.get('state_dict'))].map(([name, tensor]) => [`state_dict.${name}`, tensor] as const),
    ].map(([name, tensor]) => [name, asTensor(tensor)])
    assertTensors(Object.fromEntries(named), expected)
  }
})

test('plain values come back, numbers of NumPy as numbers, names of PyTorch as texts', async () => {
  for (const layout of layouts) {
    const dict = (await readTorchFile(join(golden, `${layout}.pt`))) as Map<string | number, TorchValue>
    const values = [
      null,
      true,
      -5,
      300,
      70_000,
      2n ** 70n,
      1.25,
      'hällo',
      Uint8Array.of(0, 255),
      [1, [2, [3]]],
      [4],
    ]
    assert.deepEqual(dict.get('values'), values, layout)
    assert.deepEqual(dict.get('names'), [[1, 2], 'cpu', 'cuda:1', 'torch.float32'], layout)
    assert.deepEqual(dict.get('numpy'), [1.5, 0.5, -3, true], layout)
    assert.equal(dict.get(1), 'keys may be numbers', layout)
  }
})

test('tensors of one whole storage share its memory; parts of it do not keep it', async () => {
  const tensors = asDict(asDict(await readTorchFile(join(golden, 'protocol-2.pt'))).get('tensors'))
  assert.equal(asTensor(tensors.get('whole')).data.buffer, asTensor(tensors.get('same')).data.buffer)
  assert.equal(asTensor(tensors.get('offset')).data.buffer.byteLength, 16)
})

test('autoencoders of other libraries are read', async () => {
  const openai = asDict(await readTorchFile('test/golden/sae-formats/openai-topk/autoencoder.pt'))
  assert.equal(openai.get('activation'), 'TopK')
  assert.equal(asDict(openai.get('activation_state_dict')).get('k'), 6)
  assert.deepEqual(asTensor(openai.get('encoder.weight')).shape, [64, 16])
  const folder = 'test/golden/sae-formats/dictionary-learning'
  for (const name of readdirSync(folder)) {
    const dict = asDict(await readTorchFile(join(folder, name, 'ae.pt')))
    assert.ok([...dict.values()].every(isTensor), name)
  }
})

test('modules, programs and other files are refused by name, and nothing runs', async () => {
  const refusals: [string, RegExp][] = [
    [join(golden, 'module.pt'), /"torch\.nn\.modules\.linear\.Linear"/],
    [join(golden, 'script.pt'), /TorchScript/],
    ['test/golden/sae-formats/evil-pickle/ae.pt', /ae\/data\.pkl.*"posix\.system"/],
    ['test/golden/file-formats/numpy/stored.npz', /not of torch\.save: expected one data\.pkl, got 0/],
    ['test/golden/file-formats/numpy/version-2.npy', /neither a zip archive nor a pickle/],
  ]
  for (const [file, message] of refusals)
    await assert.rejects(readTorchFile(file), { name: 'MonosemError', code: 'format', message })
  assert.ok(!existsSync('PWNED') && !existsSync('test/golden/sae-formats/evil-pickle/PWNED'))
  await assert.rejects(readTorchFile('absent.pt'), { code: 'missing' })
})

// ---- files that lie ----

interface TensorClaims {
  type?: PicklePart
  key?: string
  elements?: PicklePart
  offset?: PicklePart
  shape?: PicklePart
  strides?: PicklePart
  rest?: PicklePart[]
}

const rebuild = global('torch._utils', '_rebuild_tensor_v2')

const storage = ({
  type = global('torch', 'FloatStorage'),
  key = '0',
  elements = int(6),
}: TensorClaims): Buffer =>
  Buffer.concat([tuple(text('storage'), type, text(key), text('cpu'), elements), Buffer.from('Q')])

/** A tensor [2, 3] of storage 0, unless it is claimed to be otherwise. */
function tensor(claims: TensorClaims = {}): Buffer {
  const { offset = int(0), shape = tuple(int(2), int(3)), strides = tuple(int(3), int(1)) } = claims
  const args = tuple(storage(claims), offset, shape, strides, '\x89', ...(claims.rest ?? ['}']))
  return Buffer.concat([Buffer.from(rebuild), args, Buffer.from('R')])
}

const sixFloats = new Uint8Array(Float32Array.of(0, 1, 2, 3, 4, 5).buffer)

async function readMade(
  pickle: Buffer,
  others: ZipPart[] = [{ name: 'made/data/0', data: sixFloats }],
): Promise<TorchValue> {
  await writeFile(path, makeZip([{ name: 'made/data.pkl', data: pickle }, ...others]))
  return readTorchFile(path)
}

const fails = (code: string, message: RegExp, ...parts: PicklePart[]) =>
  assert.rejects(readMade(makePickle(...parts)), { name: 'MonosemError', code, message })

test('a tensor made by hand is read', async () => {
  assert.deepEqual(await readMade(makePickle(tensor())), {
    shape: [2, 3],
    dtype: 'F32',
    data: Float32Array.of(0, 1, 2, 3, 4, 5),
  })
})

test('a tensor that reaches out of its storage is refused', async () => {
  const wrong: TensorClaims[] = [
    { offset: int(1) },
    { offset: int(-1) },
    { shape: tuple(int(7)), strides: tuple(int(1)) },
    { shape: tuple(int(-2), int(-3)) },
    { shape: tuple(int(2)), strides: tuple(int(6)) },
    { strides: tuple(int(-3), int(1)) },
    { shape: tuple(int(2), int(3)), strides: tuple(int(3)) },
    { shape: int(6), strides: int(1) },
    { shape: tuple(text('2'), int(3)) },
    { shape: tuple(...Array(65).fill(int(1))), strides: tuple(...Array(65).fill(int(1))) },
    { offset: '\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f' },
    { rest: ['}', '}', 'N', 'N'] },
    { rest: [] },
    { rest: ['}', Buffer.concat([Buffer.from('}'), text('conj'), Buffer.from('\x88s', 'latin1')])] },
  ]
  for (const claims of wrong)
    await fails(
      'format',
      /calls torch\._utils\._rebuild_tensor_v2 with arguments that make no sense/,
      tensor(claims),
    )
})

test('a persistent id that is no storage is refused', async () => {
  const ids: PicklePart[] = [
    text('0'),
    tuple(text('module'), text('os'), text('a'), text('b'), int(1)),
    tuple(text('storage'), text('FloatStorage'), text('0'), text('cpu'), int(6)),
    tuple(text('storage'), global('torch', 'float32'), text('0'), text('cpu'), int(6)),
    tuple(text('storage'), global('torch', 'FloatStorage'), text('0'), text('cpu'), int(-6)),
    tuple(text('storage'), global('torch', 'FloatStorage'), text('0'), text('cpu'), text('6')),
    tuple(text('storage'), global('torch', 'FloatStorage'), int(0), text('cpu'), int(6)),
    global('torch', 'FloatStorage'),
  ]
  for (const id of ids) await fails('format', /no storage of a tensor/, id, 'Q')
})

test('allowed names with other arguments than theirs are refused', async () => {
  const calls: [string, string, PicklePart][] = [
    ['collections', 'OrderedDict', tuple(int(1))],
    ['collections', 'OrderedDict', tuple('](K\x01K\x02e')],
    ['torch', 'Size', tuple(tuple(int(-1)))],
    ['torch', 'device', tuple(int(1))],
    ['torch._utils', '_rebuild_parameter', tuple(int(1), '\x89', '}')],
    ['torch._utils', '_rebuild_tensor', tuple(tensor())],
    ['_codecs', 'encode', tuple(text('a'), text('rot13'))],
    ['numpy', 'dtype', tuple(text('O8'), '\x89', '\x88')],
    ['numpy.core.multiarray', 'scalar', tuple(text('f8'), 'C\x01a')],
    ['torch', 'FloatStorage', tuple(int(5))],
    ['torch', 'float32', ')'],
  ]
  for (const [module, name, args] of calls)
    await fails('format', new RegExp(`calls ${module}.${name}`), global(module, name), args, 'R')
  const dtype = [global('numpy', 'dtype'), tuple(text('f8'), '\x89', '\x88'), 'R'] as const
  await fails('format', /byte order/, ...dtype, tuple(int(3), text('!')), 'b')
  await fails(
    'format',
    /with arguments/,
    global('numpy._core.multiarray', 'scalar'),
    tuple(...dtype, 'C\x01a'),
    'R',
  )
})

test('a name where a value should be is refused, except a torch.dtype', async () => {
  await fails('format', /got a Python global/, global('torch', 'FloatStorage'))
  await fails('format', /got a Python storage/, storage({}))
  assert.equal(await readMade(makePickle(global('torch', 'bfloat16'))), 'torch.bfloat16')
})

test('storages that are missing or of another size are corrupt', async () => {
  await fails('corrupt', /expected 24 bytes in "data\/7", got nothing/, tensor({ key: '7' }))
  await fails('corrupt', /got nothing/, tensor({ key: '../data.pkl' }))
  await fails('corrupt', /expected 28 bytes in "data\/0", got 24/, tensor({ elements: int(7) }))
  const other = tensor({ type: global('torch', 'ByteStorage'), shape: tuple(int(1)), strides: tuple(int(1)) })
  await fails('corrupt', /said to have 6 and 24 bytes/, tensor(), other, '\x86')
})

test('strides of zero and many views cannot fill the memory', async () => {
  const huge = { shape: tuple(int(30_000), int(30_000)), strides: tuple(int(0), int(0)) }
  await fails('format', /unfold to 3600000000/, tensor(huge))
  await fails(
    'format',
    /with arguments/,
    tensor({ shape: tuple(...Array(8).fill(int(2 ** 30))), strides: tuple(...Array(8).fill(int(0))) }),
  )
  const large = { shape: tuple(int(10_000), int(1000)), strides: tuple(int(0), int(0)) }
  await fails('format', /unfold to 400000000/, ']', '(', ...Array(10).fill(tensor(large)), 'e')
})

test('a recursive value is refused', async () => {
  await fails('format', /nested/, ']q\x00h\x00a')
})

test('big-endian files are read', async () => {
  const data = Buffer.from(sixFloats).swap32()
  const value = await readMade(makePickle(tensor()), [
    { name: 'made/data/0', data },
    { name: 'made/byteorder', data: Buffer.from('big') },
  ])
  assert.deepEqual(asTensor(value).data, Float32Array.of(0, 1, 2, 3, 4, 5))
})

test('unknown byte orders and versions, and archives of several objects, are refused', async () => {
  const pickle = makePickle('N')
  const withEntry = (name: string, data: string) => readMade(pickle, [{ name, data: Buffer.from(data) }])
  await assert.rejects(withEntry('made/byteorder', 'middle'), { code: 'corrupt', message: /"middle"/ })
  await assert.rejects(withEntry('made/byteorder', 'x'.repeat(1000)), {
    code: 'corrupt',
    message: /few bytes/,
  })
  await assert.rejects(withEntry('made/version', '11\n'), {
    code: 'format',
    message: /version 10 or older, got "11"/,
  })
  await assert.rejects(withEntry('other/data.pkl', 'N.'), { code: 'format', message: /one data\.pkl, got 2/ })
  assert.equal(await withEntry('made/version', '3\n'), null)
})

// ---- the layout before PyTorch 1.6 ----

const magic = makePickle('\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19')

async function readLegacy(...parts: Buffer[]): Promise<TorchValue> {
  await writeFile(path, Buffer.concat(parts))
  return readTorchFile(path)
}

const count = (elements: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(elements))
  return bytes
}

test('a legacy file whose parts disagree is corrupt', async () => {
  const start = [magic, makePickle('M\xe9\x03'), makePickle('}')]
  const keys = (...names: string[]) => makePickle(']', '(', ...names.map(text), 'e')
  const object = makePickle(tensor())
  const whole = [...start, object, keys('0'), count(6), Buffer.from(sixFloats)]
  assert.deepEqual(asTensor(await readLegacy(...whole)).data, Float32Array.of(0, 1, 2, 3, 4, 5))
  const rejects = (code: string, message: RegExp, ...parts: Buffer[]) =>
    assert.rejects(readLegacy(...parts), { name: 'MonosemError', code, message })
  await rejects('format', /not of torch\.save/, makePickle('N'))
  await rejects('corrupt', /layout 1001, got 7/, magic, makePickle('K\x07'))
  await rejects('corrupt', /list of storages/, ...start, object, makePickle('N'))
  await rejects(
    'corrupt',
    /"1" is listed twice or/,
    ...start,
    object,
    keys('1'),
    count(6),
    Buffer.from(sixFloats),
  )
  await rejects(
    'corrupt',
    /"0" is listed twice/,
    ...start,
    object,
    keys('0', '0'),
    count(6),
    Buffer.from(sixFloats),
  )
  await rejects('corrupt', /"0" is not in its list/, ...start, object, keys())
  await rejects('corrupt', /6 elements, got 7/, ...start, object, keys('0'), count(7), Buffer.from(sixFloats))
  const bytes = Buffer.concat(whole)
  for (let length = 2; length < bytes.length; length++)
    await assert.rejects(readLegacy(bytes.subarray(0, length)), { code: 'corrupt' }, `cut at ${length}`)
})
