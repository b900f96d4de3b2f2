import assert from 'node:assert/strict'
import { maskedCrc32c } from '../../src/formats/tensorboard.js'

/** A field of a protocol buffer: its number, and its value as a number or as bytes. */
type ProtoField = [field: number, value: number | Uint8Array]

/** The scalars of one event. */
export interface ScalarEvent {
  seconds: number
  step: number
  values: Map<string, number>
}

/** Reads an event file back, written against the format's own description: framing, checksums, fields. */
export function parseEvents(file: Uint8Array): ScalarEvent[] {
  const [first, ...events] = recordsOf(file).map((data) => new Map(fieldsOf(data)))
  assert.equal(String(Buffer.from(first.get(3) as Uint8Array)), 'brain.Event:2')
  return events.map((event) => ({
    seconds: event.get(1) as number,
    step: event.get(2) as number,
    values: new Map(
      fieldsOf(event.get(5) as Uint8Array).map(([, value]) => {
        const scalar = new Map(fieldsOf(value as Uint8Array))
        return [String(Buffer.from(scalar.get(1) as Uint8Array)), scalar.get(2) as number]
      }),
    ),
  }))
}

function recordsOf(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length)
  const records: Uint8Array[] = []
  for (let at = 0; at < file.length; ) {
    const length = Number(view.getBigUint64(at, true))
    assert.equal(view.getUint32(at + 8, true), maskedCrc32c(file.subarray(at, at + 8)), 'CRC of the length')
    const data = file.subarray(at + 12, at + 12 + length)
    assert.equal(view.getUint32(at + 12 + length, true), maskedCrc32c(data), 'CRC of the data')
    records.push(data)
    at += 16 + length
  }
  return records
}

function fieldsOf(data: Uint8Array): ProtoField[] {
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  const fields: ProtoField[] = []
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = data[at++]
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  while (at < data.length) {
    const key = varint()
    const [field, wire] = [key >> 3, key & 7]
    if (wire === 0) fields.push([field, varint()])
    else if (wire === 1) {
      fields.push([field, view.getFloat64(at, true)])
      at += 8
    } else if (wire === 5) {
      fields.push([field, view.getFloat32(at, true)])
      at += 4
    } else {
      assert.equal(wire, 2)
      const length = varint()
      fields.push([field, data.subarray(at, at + length)])
      at += length
    }
  }
  return fields
}
