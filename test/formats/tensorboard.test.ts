import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32c, eventFileStart, maskedCrc32c, scalarEvent } from '../../src/formats/tensorboard.js'
import { parseEvents } from './parse-events.js'

const bytesOf = (text: string) => new TextEncoder().encode(text)

test('CRC-32C is that of RFC 3720, and its mask that of TFRecord', () => {
  assert.equal(crc32c(bytesOf('123456789')), 0xe3069283)
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa)
  assert.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43)
  // every event file of TensorFlow begins with 18 00 00 00 00 00 00 00 a3 7f 4b 22
  assert.equal(maskedCrc32c(Uint8Array.of(24, 0, 0, 0, 0, 0, 0, 0)), 0x224b7fa3)
  assert.deepEqual([...eventFileStart(0).subarray(0, 12)], [24, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22])
})

test('scalars are read back as they were written', () => {
  const file = Buffer.concat([
    eventFileStart(1.5e9),
    scalarEvent(1.5e9 + 0.25, 1, { loss: 0.5, l0: 12.25 }),
    scalarEvent(1.5e9 + 1, 3_000_000_000, { 'größe/x': -1e-20, loss: Number.NaN }),
  ])
  const [first, second] = parseEvents(file)
  assert.deepEqual(
    [first.seconds, first.step, [...first.values]],
    [
      1.5e9 + 0.25,
      1,
      [
        ['loss', 0.5],
        ['l0', 12.25],
      ],
    ],
  )
  assert.equal(second.step, 3_000_000_000)
  assert.equal(second.values.get('größe/x'), Math.fround(-1e-20))
  assert.ok(Number.isNaN(second.values.get('loss')))
})

test('a flipped bit does not pass the check', () => {
  const file = Buffer.concat([eventFileStart(0), scalarEvent(0, 1, { loss: 1 })])
  file[file.length - 6] ^= 1
  assert.throws(() => parseEvents(file), /CRC of the data/)
})
