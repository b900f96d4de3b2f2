import { endianness } from 'node:os'

/*
 * Event files of TensorBoard: a sequence of records, each
 *
 *   uint64 length | uint32 masked CRC-32C of the length | data | uint32 masked CRC-32C of the data        (little-endian)
 *
 * whose data is a protocol buffer `Event` (tensorboard/compat/proto/event.proto). Only what scalars need is written here:
 *
 *   Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5 }
 *   Summary { repeated Value value = 1 }      Value { string tag = 1; float simple_value = 2 }
 */

/** What a file name must contain for TensorBoard to find it. */
export const eventFileName = 'events.out.tfevents.0.monosem'

/** The record that every event file begins with. @param seconds since 1970 */
export function eventFileStart(seconds: number): Uint8Array {
  return record([...double(1, seconds), ...text(3, 'brain.Event:2')])
}

/**
 * One record with scalars of a step.
 * @param seconds since 1970
 */
export function scalarEvent(seconds: number, step: number, scalars: Record<string, number>): Uint8Array {
  const values = Object.entries(scalars).flatMap(([tag, value]) =>
    bytes(1, [...text(1, tag), ...float(2, value)]),
  )
  return record([...double(1, seconds), ...integer(2, step), ...bytes(5, values)])
}

function record(data: readonly number[]): Uint8Array {
  const out = new Uint8Array(16 + data.length)
  const view = new DataView(out.buffer)
  view.setBigUint64(0, BigInt(data.length), true)
  view.setUint32(8, maskedCrc32c(out.subarray(0, 8)), true)
  out.set(data, 12)
  view.setUint32(12 + data.length, maskedCrc32c(out.subarray(12, 12 + data.length)), true)
  return out
}

// ---- protocol buffer fields: key (number * 8 + wire type), then the value ----

const double = (field: number, value: number): number[] => [field * 8 + 1, ...raw(Float64Array.of(value))]
const float = (field: number, value: number): number[] => [field * 8 + 5, ...raw(Float32Array.of(value))]
const integer = (field: number, value: number): number[] => [field * 8, ...varint(value)]
const bytes = (field: number, value: readonly number[]): number[] => [
  field * 8 + 2,
  ...varint(value.length),
  ...value,
]
const text = (field: number, value: string): number[] => bytes(field, [...new TextEncoder().encode(value)])

/** Little-endian bytes of one number. */
function raw(value: Float64Array | Float32Array): Uint8Array {
  const little = new Uint8Array(value.buffer)
  return endianness() === 'LE' ? little : little.reverse()
}

/** Seven bits a byte, lowest first; the top bit says that more follow. */
function varint(value: number): number[] {
  const out: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) out.push(128 + (rest % 128))
  return [...out, rest]
}

// ---- CRC-32C (Castagnoli), and the rotation that TFRecord hides it with ----

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

/** CRC-32C of bytes, e.g. 0xe3069283 of "123456789". */
export function crc32c(data: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of data) crc = table[(crc ^ byte) & 0xff] ^ (crc >>> 8)
  return ~crc >>> 0
}

/** ((crc >> 15) | (crc << 17)) + 0xa282ead8 */
export function maskedCrc32c(data: Uint8Array): number {
  const crc = crc32c(data)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}
