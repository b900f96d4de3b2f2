import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type PickledObject,
  type PickleGlobal,
  type PickleValue,
  unpickle,
} from '../../src/formats/pickle.js'
import { global, int, makePickle, type PicklePart, text, tuple } from './make-pickle.js'

const globals = new Map<string, PickleGlobal>(
  Object.entries<PickleGlobal['call']>({
    'math add': ([a, b]) => (typeof a === 'number' && typeof b === 'number' ? a + b : undefined),
    'math many': () => new Uint8Array(20_000_000),
    'math pi': undefined,
    'math box': () => ({ kind: 'box', build: () => {} }) as PickledObject,
  }).map(([name, call]) => [name, { kind: 'global', name, call }]),
)

const read = (...parts: PicklePart[]): PickleValue =>
  unpickle(makePickle(...parts), {
    what: 'a.pkl',
    globals,
    persistentLoad: (id) => (id === 'known' ? 7 : undefined),
  }).value

const fails = (code: string, message: RegExp, ...parts: PicklePart[]) =>
  assert.throws(() => read(...parts), { name: 'MonosemError', code, message })

test('plain values of all binary opcodes', () => {
  const opcodes: [PicklePart, PickleValue][] = [
    ['N', null],
    ['\x88', true],
    ['\x89', false],
    [int(-70_000), -70_000],
    ['K\xff', 255],
    ['M\x01\x02', 513],
    ['\x8a\x00', 0],
    ['\x8a\x01\xff', -1],
    ['\x8a\x02\x00\x80', -32_768],
    ['\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00', 2n ** 63n],
    ['G\xbf\xf8\x00\x00\x00\x00\x00\x00', -1.5],
    [text('hällo'), 'hällo'],
    ['\x8c\x02ab', 'ab'],
    ['\x8d\x02\x00\x00\x00\x00\x00\x00\x00ab', 'ab'],
    ['U\x02ab', 'ab'],
    ['T\x02\x00\x00\x00ab', 'ab'],
    ['C\x02ab', Uint8Array.of(97, 98)],
    ['B\x02\x00\x00\x00ab', Uint8Array.of(97, 98)],
    ['\x8e\x02\x00\x00\x00\x00\x00\x00\x00ab', Uint8Array.of(97, 98)],
    ['\x96\x01\x00\x00\x00\x00\x00\x00\x00a', Uint8Array.of(97)],
    ['\x95\x01\x00\x00\x00\x00\x00\x00\x00N', null],
  ]
  for (const [parts, expected] of opcodes) assert.deepEqual(read(parts), expected)
})

test('containers of all opcodes', () => {
  const opcodes: [string, PickleValue][] = [
    [']', []],
    [')', []],
    ['(K\x01K\x02l', [1, 2]],
    [']K\x01a(K\x02K\x03e', [1, 2, 3]],
    ['(K\x01(K\x02tt', [1, [2]]],
    ['K\x01\x85', [1]],
    ['K\x01K\x02\x86', [1, 2]],
    ['K\x01K\x02K\x03\x87', [1, 2, 3]],
    ['\x8f(K\x01\x90', [1]],
    ['(K\x01\x91', [1]],
    ['}', new Map()],
    [
      '}K\x01Ns(NK\x02\x88]u',
      new Map<null | number | boolean, PickleValue>([
        [1, null],
        [null, 2],
        [true, []],
      ]),
    ],
    ['(K\x01K\x02d', new Map([[1, 2]])],
    ['(K\x01K\x020t', [1]],
    ['K\x01(K\x02K\x031', 1],
    ['K\x012\x86', [1, 1]],
    ['K\x01(0', 1],
  ]
  for (const [parts, expected] of opcodes) assert.deepEqual(read(parts), expected, JSON.stringify(parts))
})

test('a value that is stored is recalled by its number, and stays one value', () => {
  assert.deepEqual(read(']q\x05h\x05K\x01a\x86'), [[1], [1]])
  assert.deepEqual(read(']r\x05\x00\x01\x00j\x05\x00\x01\x00\x86'), [[], []])
  assert.deepEqual(read('(K\x01\x94K\x02\x94h\x00h\x01t'), [1, 2, 1, 2])
  fails('corrupt', /recalls value 3/, 'h\x03')
})

test('names on the list, persistent ids and BUILD do what stands behind them', () => {
  assert.equal(read(global('math', 'add'), tuple('K\x02', 'K\x03'), 'R'), 5)
  assert.equal(read(text('math'), text('add'), '\x93', tuple('K\x02', 'K\x03'), 'R'), 5)
  assert.equal((read(global('math', 'pi')) as PickledObject).kind, 'global')
  assert.equal(read(text('known'), 'Q'), 7)
  assert.equal((read(global('math', 'box'), ')R}b') as PickledObject).kind, 'box')
  assert.deepEqual(read('}}b'), new Map())
})

test('every other name is refused by its name, whichever opcode brings it', () => {
  const shell = text('touch PWNED')
  const ways: PicklePart[][] = [
    [global('os', 'system'), shell, '\x85R'],
    [text('os'), text('system'), '\x93', shell, '\x85R'],
    ['(', shell, 'ios\nsystem\n'],
    ['(', global('os', 'system'), shell, 'o'],
    [global('os', 'system'), shell, '\x85\x81'],
    [global('os', 'system'), shell, '\x85}\x92'],
    [global('os', 'system'), ')R}', text('__setstate__'), shell, 'sb'],
    ['}', text('a'), '}', text('b'), global('os', 'system'), shell, '\x85Rss'],
    [global('os', 'system'), '0N'],
  ]
  for (const parts of ways) fails('format', /"os\.system"/, ...parts)
  for (const [module, name] of [
    ['builtins', 'eval'],
    ['__builtin__', 'exec'],
    ['builtins', 'getattr'],
    ['torch', 'load'],
    ['torch.storage', '_load_from_bytes'],
    ['torch._utils', '_rebuild_tensor_v2.__globals__'],
    ['math', 'constructor'],
    ['__proto__', 'toString'],
    ['', ''],
  ])
    fails('format', new RegExp(`names "${module}.${name}"`.replaceAll('.', '\\.')), global(module, name))
  fails('format', /names "os\.\\n\\u001b\[31mevil…?"/, text('os'), text('\n\x1b[31mevil'), '\x93')
  fails('format', /names "os\.x{90,}…/, global('os', 'x'.repeat(100_000)))
})

test('opcodes that make objects of classes are refused by their names', () => {
  fails('format', /opcode NEWOBJ$/, global('math', 'add'), ')\x81')
  fails('format', /opcode NEWOBJ_EX/, global('math', 'add'), ')}\x92')
  fails('format', /opcode OBJ/, '(', global('math', 'add'), 'o')
  fails('format', /an object of "math\.add"/, '(imath\nadd\n')
  for (const [name, opcode] of Object.entries({
    EXT1: '\x82\x01',
    EXT2: '\x83\x01\x00',
    EXT4: '\x84\x01\x00\x00\x00',
  }))
    fails('format', new RegExp(`opcode ${name}`), opcode)
  fails('format', /opcode INT/, 'I01\n')
  fails('format', /opcode PERSID/, 'Pos.system\n')
  fails('format', /opcode NEXT_BUFFER/, '\x97')
  fails('format', /protocol 6/, '\x80\x06N')
})

test('a name on the list is not called with arguments that make no sense', () => {
  fails('format', /calls math\.add with arguments/, global('math', 'add'), tuple(text('a'), 'K\x01'), 'R')
  fails('format', /calls math\.add with arguments/, global('math', 'add'), ')R')
  fails('format', /calls math\.pi$/, global('math', 'pi'), ')R')
  fails('format', /sets the state/, ']}b')
  fails('format', /sets the state/, global('math', 'add'), '}b')
  fails('format', /something outside/, text('unknown'), 'Q')
  fails('format', /something outside/, global('math', 'add'), 'Q')
  fails('format', /keys/, '}]Ns')
  assert.throws(() => unpickle(makePickle('NQ'), { what: 'a.pkl', globals }), { code: 'format' })
})

test('a pickle that makes no sense is corrupt', () => {
  const broken: [RegExp, ...PicklePart[]][] = [
    [/ends early/, 'X\x05\x00\x00\x00ab'],
    [/ends early/, '\x8d\xff\xff\xff\xff\xff\xff\xff\xff'],
    [/ends early/, 'cos'],
    [/not UTF-8/, 'U\x01\xff'],
    [/0xff is no opcode/, '\xff'],
    [/not there/, ''],
    [/not there/, '0'],
    [/not there/, '\x87'],
    [/not there/, 'N(\x85'],
    [/not opened/, 't'],
    [/no list/, 'NNa'],
    [/no dict/, ']NNs'],
    [/no dict/, '}(Nu'],
    [/no function/, 'N)R'],
    [/no function/, global('math', 'add'), 'NR'],
    [/no name/, 'NN\x93'],
    [/leaves values/, 'NN'],
  ]
  for (const [message, ...parts] of broken) fails('corrupt', message, ...parts)
  assert.throws(() => unpickle(Buffer.from('\x80\x02N', 'latin1'), { what: 'a.pkl', globals }), {
    code: 'corrupt',
  })
})

test('what contains itself or unfolds without end is refused', () => {
  fails('format', /nested more than 100 deep/, ']q\x00h\x00a')
  fails('format', /nested more than 100 deep/, '}q\x00Nh\x00s')
  fails('format', /nested more than 100 deep/, ']'.repeat(200), 'a'.repeat(199))
  // thirty lists, each twice in the next: a billion values
  const laughs = Array.from(
    { length: 30 },
    (_, i) => `]q${String.fromCharCode(i + 1)}(h${String.fromCharCode(i)}h${String.fromCharCode(i)}e`,
  )
  fails('format', /unfolds to more than/, '(]q\x00', ...laughs, 't')
})

test('a small pickle cannot make many objects', () => {
  fails('format', /too many objects/, '}'.repeat(1_100_000))
  fails('format', /too many objects/, '('.repeat(17_000_000))
  fails('format', /too many objects/, global('math', 'many'), ')R')
  assert.throws(() => unpickle(new Uint8Array((1 << 26) + 1), { what: 'a.pkl', globals }), {
    code: 'format',
    message: /more than 67108864 bytes/,
  })
})

test('a second pickle begins where the first ends', () => {
  const two = Buffer.concat([makePickle('K\x01'), makePickle('K\x02')])
  const first = unpickle(two, { what: 'a.pkl', globals })
  assert.deepEqual(first, { value: 1, end: 5 })
  assert.deepEqual(unpickle(two, { what: 'a.pkl', globals }, first.end), { value: 2, end: 10 })
})
