import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels, Tensor } from '../kernels/kernels.js'
import type { ActivationSource } from './activation-source.js'

/** Activations of batchSize tokens, scaled. */
export interface Batch {
  /** [batchSize, D] */
  x: Tensor
  /** [batchSize, Dout]; x itself but for transcoders */
  y: Tensor
  /** 0-based number of the batch since the source began */
  index: number
}

/** s and t: factors on every input and every target. */
export interface ActivationScales {
  input: number
  target: number
}

/** Batches of a source, scaled and numbered. Several autoencoders may train on one stream. */
export interface BatchStream {
  /** number of the batch that `next` gives */
  position: number
  /** The next batch. It stays readable until the call after the next one. */
  next(): Promise<Batch>
  /** The batches that the next `count` calls of `next` will give, in order. Each is readable until `next` has passed it. */
  peek(count: number): AsyncIterable<Batch>
  /** Changes the factors for batches that were not read from the source yet. */
  rescale(scales: ActivationScales): void
  /** Ends the source's iterator and gives the buffers back. */
  close(): Promise<void>
}

/** How many batches are readable at a time: the one that is trained on, and the one before, whose statistics are awaited. */
const readable = 2

/**
 * @param position batches to leave out, because they were used before the run was interrupted
 * @throws MonosemError (from `next`) missing (the source ended), shape (its tensors are not what it promised)
 */
export function openBatchStream(
  kernels: Kernels,
  source: ActivationSource,
  batchSize: number,
  { position = 0, scales = { input: 1, target: 1 } }: { position?: number; scales?: ActivationScales } = {},
): BatchStream {
  const iterator = source.batches({ batchSize, skip: position })[Symbol.asyncIterator]()
  const ahead: Batch[] = []
  const given: Batch[] = []
  const spare: Omit<Batch, 'index'>[] = []
  let read = position

  const allocate = (): Omit<Batch, 'index'> => {
    const x = kernels.zeros([batchSize, source.d])
    return { x, y: source.dOut === undefined ? x : kernels.zeros([batchSize, source.dOut]) }
  }
  const free = ({ x, y }: Omit<Batch, 'index'>): void => {
    kernels.free(x)
    if (y !== x) kernels.free(y)
  }
  const readOne = async (): Promise<void> => {
    const { value, done } = await iterator.next()
    if (done) throw ended(read)
    const found = 'x' in value ? value : { x: value, y: null }
    requireShapes(source, found, batchSize, read)
    const buffers = spare.pop() ?? allocate()
    copyScaled(kernels, buffers.x, found.x, scales.input)
    if (found.y) copyScaled(kernels, buffers.y, found.y, scales.target)
    ahead.push({ ...buffers, index: read++ })
  }
  /** Buffers that a look ahead needed are given back when it is over. */
  const recycle = (batch: Batch): void => {
    if (spare.length === 0) spare.push({ x: batch.x, y: batch.y })
    else free(batch)
  }
  return {
    position,
    async next() {
      if (ahead.length === 0) await readOne()
      const batch = ahead.shift() as Batch
      this.position = batch.index + 1
      given.push(batch)
      if (given.length > readable) recycle(given.shift() as Batch)
      return batch
    },
    async *peek(count) {
      for (let i = 0; i < count; i++) {
        if (i === ahead.length) await readOne()
        yield ahead[i]
      }
    },
    rescale(next) {
      scales = next
    },
    async close() {
      await iterator.return?.()
      for (const buffers of [...ahead, ...given, ...spare]) free(buffers)
    },
  }
}

function copyScaled(kernels: Kernels, to: Tensor, from: Tensor, scale: number): void {
  kernels.copy(to, from)
  if (scale !== 1) kernels.scaleInPlace(to, scale)
}

function requireShapes(
  { d, dOut }: ActivationSource,
  { x, y }: { x: Tensor; y: Tensor | null },
  batchSize: number,
  index: number,
): void {
  const wrong = (what: string, width: number, found: Tensor | null): MonosemError | null =>
    found && String(found.shape) === String([batchSize, width])
      ? null
      : new MonosemError(
          'shape',
          `sae: expected ${what} [${batchSize}, ${width}] in batch ${index} of the activation source, got ${found ? `[${found.shape.join(', ')}]` : 'none'}`,
          {
            hint: 'a source must keep the width that it began with: was its data made with different models?',
          },
        )
  const error = wrong('activations', d, x) ?? (dOut === undefined ? null : wrong('targets', dOut, y))
  if (error) throw error
}

const ended = (batches: number): MonosemError =>
  new MonosemError('missing', `sae: the activation source ended after ${batches} batches`, {
    hint: 'a source must be endless: begin again when the data is used up',
  })
