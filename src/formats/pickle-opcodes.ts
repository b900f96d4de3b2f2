import { shown } from '../errors/shown.js'
import {
  build,
  damaged,
  loadPersistent,
  type Machine,
  type PickleKey,
  type PickleValue,
  pop,
  popLast,
  popMark,
  push,
  pushGlobal,
  pushNamedGlobal,
  recall,
  reduce,
  refused,
  remember,
  spend,
  take,
  takeBytes,
  takeLength8,
  takeLine,
  takeText,
  top,
} from './pickle-machine.js'

const u1 = (m: Machine): number => m.bytes[take(m, 1)]
const u2 = (m: Machine): number => m.view.getUint16(take(m, 2), true)
const u4 = (m: Machine): number => m.view.getUint32(take(m, 4), true)

/** All opcodes of protocols 0 to 5, as Lib/pickletools.py of CPython documents them. */
const names = new Map<number, string>(
  Object.entries({
    MARK: 0x28,
    STOP: 0x2e,
    POP: 0x30,
    POP_MARK: 0x31,
    DUP: 0x32,
    FLOAT: 0x46,
    INT: 0x49,
    BININT: 0x4a,
    BININT1: 0x4b,
    LONG: 0x4c,
    BININT2: 0x4d,
    NONE: 0x4e,
    PERSID: 0x50,
    BINPERSID: 0x51,
    REDUCE: 0x52,
    STRING: 0x53,
    BINSTRING: 0x54,
    SHORT_BINSTRING: 0x55,
    UNICODE: 0x56,
    BINUNICODE: 0x58,
    APPEND: 0x61,
    BUILD: 0x62,
    GLOBAL: 0x63,
    DICT: 0x64,
    EMPTY_DICT: 0x7d,
    APPENDS: 0x65,
    GET: 0x67,
    BINGET: 0x68,
    INST: 0x69,
    LONG_BINGET: 0x6a,
    LIST: 0x6c,
    EMPTY_LIST: 0x5d,
    OBJ: 0x6f,
    PUT: 0x70,
    BINPUT: 0x71,
    LONG_BINPUT: 0x72,
    SETITEM: 0x73,
    TUPLE: 0x74,
    EMPTY_TUPLE: 0x29,
    SETITEMS: 0x75,
    BINFLOAT: 0x47,
    BINBYTES: 0x42,
    SHORT_BINBYTES: 0x43,
    PROTO: 0x80,
    NEWOBJ: 0x81,
    EXT1: 0x82,
    EXT2: 0x83,
    EXT4: 0x84,
    TUPLE1: 0x85,
    TUPLE2: 0x86,
    TUPLE3: 0x87,
    NEWTRUE: 0x88,
    NEWFALSE: 0x89,
    LONG1: 0x8a,
    LONG4: 0x8b,
    SHORT_BINUNICODE: 0x8c,
    BINUNICODE8: 0x8d,
    BINBYTES8: 0x8e,
    EMPTY_SET: 0x8f,
    ADDITEMS: 0x90,
    FROZENSET: 0x91,
    NEWOBJ_EX: 0x92,
    STACK_GLOBAL: 0x93,
    MEMOIZE: 0x94,
    FRAME: 0x95,
    BYTEARRAY8: 0x96,
    NEXT_BUFFER: 0x97,
    READONLY_BUFFER: 0x98,
  }).map(([name, code]) => [code, name]),
)

/**
 * What this reader does for an opcode. Missing, and so refused, are those that make objects of classes (INST, OBJ, NEWOBJ, EXT1, ...), the
 * text opcodes of protocols 0 and 1, and buffers outside the pickle. GLOBAL, STACK_GLOBAL, REDUCE, BUILD and BINPERSID go through the
 * allow-list.
 */
const handlers: Record<string, (m: Machine) => void> = {
  PROTO: checkProtocol,
  FRAME: (m) => void take(m, 8),
  STOP: (m) => {
    m.stopped = true
  },

  NONE: (m) => push(m, null),
  NEWTRUE: (m) => push(m, true),
  NEWFALSE: (m) => push(m, false),
  BININT: (m) => push(m, m.view.getInt32(take(m, 4), true)),
  BININT1: (m) => push(m, u1(m)),
  BININT2: (m) => push(m, u2(m)),
  LONG1: (m) => push(m, integerOf(takeBytes(m, u1(m)))),
  BINFLOAT: (m) => push(m, m.view.getFloat64(take(m, 8))),

  BINUNICODE: (m) => push(m, takeText(m, u4(m))),
  SHORT_BINUNICODE: (m) => push(m, takeText(m, u1(m))),
  BINUNICODE8: (m) => push(m, takeText(m, takeLength8(m))),
  // texts of Python 2
  BINSTRING: (m) => push(m, takeText(m, u4(m))),
  SHORT_BINSTRING: (m) => push(m, takeText(m, u1(m))),
  BINBYTES: (m) => push(m, new Uint8Array(takeBytes(m, u4(m)))),
  SHORT_BINBYTES: (m) => push(m, new Uint8Array(takeBytes(m, u1(m)))),
  BINBYTES8: (m) => push(m, new Uint8Array(takeBytes(m, takeLength8(m)))),
  BYTEARRAY8: (m) => push(m, new Uint8Array(takeBytes(m, takeLength8(m)))),

  MARK: (m) => {
    spend(m, 1)
    m.marks.push(m.stack.length)
  },
  POP: (m) => void (m.marks.at(-1) === m.stack.length ? m.marks.pop() : pop(m)),
  POP_MARK: (m) => void popMark(m),
  DUP: (m) => push(m, top(m)),
  BINPUT: (m) => remember(m, u1(m)),
  LONG_BINPUT: (m) => remember(m, u4(m)),
  MEMOIZE: (m) => remember(m, m.memo.size),
  BINGET: (m) => recall(m, u1(m)),
  LONG_BINGET: (m) => recall(m, u4(m)),

  EMPTY_LIST: (m) => push(m, []),
  LIST: (m) => push(m, popMark(m)),
  APPEND: (m) => append(m, popLast(m, 1)),
  APPENDS: (m) => append(m, popMark(m)),
  EMPTY_TUPLE: (m) => push(m, []),
  TUPLE: (m) => push(m, popMark(m)),
  TUPLE1: (m) => push(m, popLast(m, 1)),
  TUPLE2: (m) => push(m, popLast(m, 2)),
  TUPLE3: (m) => push(m, popLast(m, 3)),
  EMPTY_SET: (m) => push(m, []),
  ADDITEMS: (m) => append(m, popMark(m)),
  FROZENSET: (m) => push(m, popMark(m)),
  EMPTY_DICT: (m) => push(m, new Map()),
  DICT: (m) => {
    const items = popMark(m)
    push(m, new Map())
    setItems(m, items)
  },
  SETITEM: (m) => setItems(m, popLast(m, 2)),
  SETITEMS: (m) => setItems(m, popMark(m)),

  GLOBAL: (m) => pushGlobal(m, takeLine(m), takeLine(m)),
  STACK_GLOBAL: (m) => pushNamedGlobal(m, popLast(m, 2)),
  REDUCE: reduce,
  BUILD: build,
  BINPERSID: loadPersistent,
  INST: (m) => {
    throw refused(m, `it makes an object of ${shown(`${takeLine(m)}.${takeLine(m)}`)}`)
  },
}

const followed = new Map([...names].map(([code, name]) => [code, handlers[name]]))

/** Runs the next opcode. @throws MonosemError format (refused), corrupt */
export function step(m: Machine): void {
  const code = u1(m)
  const follow = followed.get(code)
  if (follow) follow(m)
  else if (names.has(code)) throw refused(m, `it uses the opcode ${names.get(code)}`)
  else throw damaged(m, `0x${code.toString(16)} is no opcode`)
}

function checkProtocol(m: Machine): void {
  const protocol = u1(m)
  if (protocol > 5) throw refused(m, `protocol ${protocol} is unknown`)
}

/** Little-endian two's complement. Beyond 2^53 a bigint. */
function integerOf(bytes: Uint8Array): number | bigint {
  if (bytes.length === 0) return 0
  const hex = Buffer.from(bytes).reverse().toString('hex')
  const value = BigInt.asIntN(8 * bytes.length, BigInt(`0x${hex}`))
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function append(m: Machine, items: readonly PickleValue[]): void {
  const list = top(m)
  if (!Array.isArray(list)) throw damaged(m, 'it appends to what is no list')
  for (const item of items) list.push(item)
}

function setItems(m: Machine, items: readonly PickleValue[]): void {
  const dict = top(m)
  if (!(dict instanceof Map) || items.length % 2 !== 0) throw damaged(m, 'it sets items of what is no dict')
  for (let i = 0; i < items.length; i += 2) {
    const key = items[i]
    if (!isKey(key)) throw refused(m, 'a dict has keys that are neither texts nor numbers')
    dict.set(key, items[i + 1])
  }
}

const isKey = (value: PickleValue): value is PickleKey => value === null || typeof value !== 'object'
