import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatBytes, requireFreeSpace } from '../../src/storage/free-space.js'
import { temporaryDirectory } from '../temporary-directory.js'

test('too little space is refused with what is needed and what there is', async (t) => {
  const directory = await temporaryDirectory(t)
  await requireFreeSpace(directory, 1, 'write less')
  await assert.rejects(requireFreeSpace(directory, 3.2e18, 'write less'), {
    code: 'io',
    message: /expected 3200 PB of free space, got [\d.]+ [MGT]B/,
    hint: 'write less',
  })
  await assert.rejects(requireFreeSpace(`${directory}/none`, 1, ''), { code: 'missing' })
})

test('sizes are written with two or three digits', () => {
  assert.deepEqual([0, 999, 1000, 12_345, 123_456_789, 3e9].map(formatBytes), [
    '0 bytes',
    '999 bytes',
    '1.0 kB',
    '12.3 kB',
    '123 MB',
    '3.0 GB',
  ])
})
