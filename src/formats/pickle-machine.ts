import { MonosemError } from '../errors/monosem-error.js'
import { shown } from '../errors/shown.js'

/** What a dict may be keyed by. */
export type PickleKey = string | number | bigint | boolean | null

/** What an unpickler makes: tuples, lists and sets are arrays, dicts are Maps. */
export type PickleValue = PickleKey | Uint8Array | PickleValue[] | Map<PickleKey, PickleValue> | PickledObject

/** A thing that only some reader of a format knows, such as a tensor. */
export interface PickledObject {
  readonly kind: string
  /** What BUILD does with it; where it is missing, BUILD is refused. @throws MonosemError */
  build?(state: PickleValue): void
}

/** A name of Python that a pickle may mention. */
export interface PickleGlobal extends PickledObject {
  readonly kind: 'global'
  /** module and name with a space between, as the opcode GLOBAL has them */
  readonly name: string
  /** What REDUCE does instead of calling it; where it is missing, REDUCE is refused. Undefined means: not with these arguments. */
  call?(args: readonly PickleValue[]): PickleValue | undefined
}

export interface UnpickleOptions {
  /** file and entry, for messages */
  what: string
  /** The allow-list, by `name`. */
  globals: ReadonlyMap<string, PickleGlobal>
  /** What a persistent id stands for; undefined means that it makes no sense. Left out, they are refused. */
  persistentLoad?(id: PickleValue): PickleValue | undefined
}

/** The state of an unpickler between two opcodes. */
export interface Machine {
  readonly options: UnpickleOptions
  readonly bytes: Uint8Array
  readonly view: DataView
  position: number
  readonly stack: PickleValue[]
  /** heights of the stack at the open MARKs */
  readonly marks: number[]
  readonly memo: Map<number, PickleValue>
  /** what may still be spent: 1 for a value, `containerCost` for a container */
  budget: number
  stopped: boolean
}

/** Room for a million containers, far more than the largest checkpoint has tensors, in some hundred megabytes. */
const budget = 1 << 24
const containerCost = 16

export const createMachine = (bytes: Uint8Array, start: number, options: UnpickleOptions): Machine => ({
  options,
  bytes,
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  position: start,
  stack: [],
  marks: [],
  memo: new Map(),
  budget,
  stopped: false,
})

// ---- reading ----

/** Moves over the next `length` bytes and returns where they begin. */
export function take(m: Machine, length: number): number {
  const begin = m.position
  if (!(length <= m.bytes.length - begin)) throw damaged(m, 'it ends early')
  m.position += length
  return begin
}

export const takeBytes = (m: Machine, length: number): Uint8Array => {
  const begin = take(m, length)
  return m.bytes.subarray(begin, begin + length)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function takeText(m: Machine, length: number): string {
  try {
    return utf8.decode(takeBytes(m, length))
  } catch (cause) {
    if (cause instanceof MonosemError) throw cause
    throw damaged(m, 'a text is not UTF-8')
  }
}

/** The text up to the next end of line. */
export function takeLine(m: Machine): string {
  const end = m.bytes.indexOf(0x0a, m.position)
  if (end < 0) throw damaged(m, 'it ends early')
  const line = takeText(m, end - m.position)
  m.position++
  return line
}

/** A length of 8 bytes; what is too large for a number is too large for the pickle, too. */
export const takeLength8 = (m: Machine): number => Number(m.view.getBigUint64(take(m, 8), true))

// ---- the stack ----

export function spend(m: Machine, cost: number): void {
  m.budget -= cost
  if (m.budget < 0)
    throw new MonosemError('format', `${m.options.what}: the pickle makes too many objects`, {
      hint: convertHint,
    })
}

export function push(m: Machine, value: PickleValue): void {
  spend(m, typeof value === 'object' && value !== null ? containerCost : 1)
  m.stack.push(value)
}

export function pop(m: Machine): PickleValue {
  if (m.stack.length <= (m.marks.at(-1) ?? 0)) throw damaged(m, 'it takes a value that is not there')
  return m.stack.pop()!
}

export function top(m: Machine): PickleValue {
  if (m.stack.length <= (m.marks.at(-1) ?? 0)) throw damaged(m, 'it uses a value that is not there')
  return m.stack[m.stack.length - 1]
}

/** The last `count` values, which are taken from the stack. */
export function popLast(m: Machine, count: number): PickleValue[] {
  if (m.stack.length - count < (m.marks.at(-1) ?? 0)) throw damaged(m, 'it takes values that are not there')
  return m.stack.splice(m.stack.length - count)
}

/** The values above the last MARK, which are taken from the stack with it. */
export function popMark(m: Machine): PickleValue[] {
  const height = m.marks.pop()
  if (height === undefined) throw damaged(m, 'it closes what it has not opened')
  return m.stack.splice(height)
}

export function remember(m: Machine, index: number): void {
  spend(m, 1)
  m.memo.set(index, top(m))
}

export function recall(m: Machine, index: number): void {
  const value = m.memo.get(index)
  if (value === undefined) throw damaged(m, `it recalls value ${index}, which it has not stored`)
  spend(m, 1)
  m.stack.push(value)
}

// ---- globals ----

const isGlobal = (value: PickleValue): value is PickleGlobal =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'global'

/** @throws MonosemError format: it is not on the allow-list */
export function pushGlobal(m: Machine, module: string, name: string): void {
  const found = m.options.globals.get(`${module} ${name}`)
  if (!found)
    throw refused(m, `it names ${shown(`${module}.${name}`)}, which is none of the names that tensors need`)
  push(m, found)
}

export function pushNamedGlobal(m: Machine, [module, name]: readonly PickleValue[]): void {
  if (typeof module !== 'string' || typeof name !== 'string') throw damaged(m, 'it names what is no name')
  pushGlobal(m, module, name)
}

export function reduce(m: Machine): void {
  const args = pop(m)
  const callee = pop(m)
  if (!isGlobal(callee) || !Array.isArray(args)) throw damaged(m, 'it calls what is no function')
  if (!callee.call) throw refused(m, `it calls ${dotted(callee.name)}`)
  const value = callee.call(args)
  if (value === undefined)
    throw refused(m, `it calls ${dotted(callee.name)} with arguments that make no sense`)
  spend(m, sizeOf(value))
  push(m, value)
}

function sizeOf(value: PickleValue): number {
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length
  return value instanceof Map ? value.size : 0
}

/** Sets attributes. Those of a dict (PyTorch hangs `_metadata` on its state dicts) are left out. */
export function build(m: Machine): void {
  const state = pop(m)
  const target = top(m)
  if (target instanceof Map && state instanceof Map) return
  if (typeof target !== 'object' || target === null || !('kind' in target) || !target.build)
    throw refused(m, 'it sets the state of an object')
  target.build(state)
}

export function loadPersistent(m: Machine): void {
  const value = m.options.persistentLoad?.(pop(m))
  if (value === undefined) throw refused(m, 'it refers to something outside that is no storage of a tensor')
  push(m, value)
}

const dotted = (name: string): string => name.replace(' ', '.')

// ---- errors ----

const convertHint =
  'Monosem reads tensors and plain values and runs no code of a file: where you trust the file, load it in Python and save its tensors with safetensors.torch.save_file'

export const refused = (m: Machine, why: string): MonosemError =>
  new MonosemError('format', `${m.options.what}: refused to unpickle it: ${why}`, { hint: convertHint })

export const damaged = (m: Machine, why: string): MonosemError =>
  new MonosemError('corrupt', `${m.options.what}: the pickle is damaged at byte ${m.position}: ${why}`, {
    hint: 'make the file again, or copy it again',
  })
