/** A piece of a pickle: opcodes as text of latin1, or the bytes of a value. */
export type PicklePart = string | Uint8Array

/** A pickle of protocol 2: its parts between PROTO and STOP. */
export const makePickle = (...parts: PicklePart[]): Buffer =>
  Buffer.concat([bytes('\x80\x02'), ...parts.map(bytes), bytes('.')])

const bytes = (part: PicklePart): Uint8Array =>
  typeof part === 'string' ? Buffer.from(part, 'latin1') : part

/** Opcode BINUNICODE. */
export function text(value: string): Buffer {
  const data = Buffer.from(value)
  const length = Buffer.alloc(5, 'X')
  length.writeUInt32LE(data.length, 1)
  return Buffer.concat([length, data])
}

/** Opcode GLOBAL. */
export const global = (module: string, name: string): string => `c${module}\n${name}\n`

/** Opcode BININT. */
export function int(value: number): Buffer {
  const data = Buffer.alloc(5, 'J')
  data.writeInt32LE(value, 1)
  return data
}

/** MARK and TUPLE around the parts. */
export const tuple = (...parts: PicklePart[]): Buffer =>
  Buffer.concat([bytes('('), ...parts.map(bytes), bytes('t')])
