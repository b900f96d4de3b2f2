import assert from 'node:assert/strict'
import type { FileTensor } from '../../src/formats/file-tensor.js'

/** A tensor as the golden files describe it, its numbers as Python prints them. */
export interface DescribedTensor {
  shape: number[]
  dtype: string
  data: string[]
}

export function assertTensors(
  tensors: Record<string, FileTensor>,
  expected: Record<string, DescribedTensor>,
): void {
  assert.deepEqual(Object.keys(tensors).sort(), Object.keys(expected).sort())
  for (const [name, { shape, dtype, data }] of Object.entries(expected)) {
    assert.deepEqual(tensors[name].shape, shape, name)
    assert.equal(tensors[name].dtype, dtype, name)
    assert.deepEqual(
      [...tensors[name].data],
      data.map((text) => parse(text, tensors[name])),
      name,
    )
  }
}

function parse(text: string, { dtype, data }: FileTensor): number | bigint {
  if (dtype === 'BOOL') return text === 'True' ? 1 : 0
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return BigInt(text)
  return data instanceof Float32Array ? Math.fround(Number(text)) : Number(text)
}
