import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import type { ActivationSource } from '../../src/sae/activation-source.js'
import { type Batch, openBatchStream } from '../../src/sae/batch-stream.js'

const kernels = createReferenceKernels()

/** Batches that hold their own number, and as targets ten times it. */
function counting(pairs: boolean): ActivationSource & { reads: number; ended: boolean } {
  return {
    d: 2,
    ...(pairs && { dOut: 3 }),
    reads: 0,
    ended: false,
    async *batches({ batchSize, skip }) {
      const tensor = (value: number, d: number) =>
        kernels.tensor(new Float32Array(batchSize * d).fill(value), [batchSize, d])
      try {
        for (let i = skip; ; i++) {
          this.reads++
          yield pairs ? { x: tensor(i, 2), y: tensor(10 * i, 3) } : tensor(i, 2)
        }
      } finally {
        this.ended = true
      }
    },
  }
}

const numberIn = async ({ x }: Batch): Promise<number> => (await kernels.readF32(x))[0]

test('batches come in order from the position on, and stay readable until the call after the next', async () => {
  const stream = openBatchStream(kernels, counting(false), 4, { position: 3 })
  const first = await stream.next()
  const second = await stream.next()
  assert.deepEqual([await numberIn(first), first.index], [3, 3])
  assert.deepEqual([await numberIn(second), second.index], [4, 4])
  assert.equal(second.x, second.y)
  assert.equal(stream.position, 5)
})

test('looking ahead changes nothing: the same batches come again, read once', async () => {
  const source = counting(false)
  const stream = openBatchStream(kernels, source, 4)
  await stream.next()
  for (const count of [3, 5, 2]) {
    const seen: number[] = []
    for await (const batch of stream.peek(count)) seen.push(await numberIn(batch))
    assert.deepEqual(seen, [1, 2, 3, 4, 5].slice(0, count))
  }
  assert.equal(source.reads, 6)
  for (let i = 1; i < 9; i++) {
    const batch = await stream.next()
    assert.deepEqual([await numberIn(batch), batch.index], [i, i])
  }
  assert.equal(source.reads, 9)
})

test('inputs and targets have factors of their own', async () => {
  const stream = openBatchStream(kernels, counting(true), 4)
  await stream.next()
  stream.rescale({ input: 2, target: 0.5 })
  const { x, y } = await stream.next()
  assert.deepEqual([...(await kernels.readF32(x))], new Array(8).fill(2))
  assert.deepEqual([...(await kernels.readF32(y))], new Array(12).fill(5))
})

test('closing ends the source', async () => {
  const source = counting(true)
  const stream = openBatchStream(kernels, source, 4)
  await stream.next()
  for await (const _ of stream.peek(2));
  await stream.close()
  assert.equal(source.ended, true)
})

test('a source that ends or gives the wrong kind of batch is refused', async () => {
  const short: ActivationSource = { ...counting(false), async *batches() {} }
  await assert.rejects(openBatchStream(kernels, short, 4).next(), {
    code: 'missing',
    message: /after 0 batches/,
  })
  const lacking: ActivationSource = { ...counting(false), dOut: 3 }
  await assert.rejects(openBatchStream(kernels, lacking, 4).next(), {
    code: 'shape',
    message: /expected targets \[4, 3\] in batch 0 .* got none/,
  })
})
