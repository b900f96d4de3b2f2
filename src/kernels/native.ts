import { availableParallelism } from 'node:os'
import { loadAddon } from '../addons/load-addon.js'
import { MonosemError } from '../errors/monosem-error.js'
import * as check from './check.js'
import type { DType, Kernels, Tensor } from './kernels.js'
import {
  type Addon,
  adamNumbers,
  type Boundary,
  createBoundary,
  enqueued,
  guarded,
  NativeTensor,
  native,
} from './native-boundary.js'
import { sae } from './native-sae.js'
import { synthetic } from './native-synthetic.js'
import { transformer } from './native-transformer.js'

/**
 * Instruction sets the addon is compiled for, best first: those of x64, those of arm64, and `baseline`, which is SSE2 or NEON.
 * Sets named after bf16 encode in bf16 and int8, those after vnni or dot in int8.
 */
export const INSTRUCTION_SETS = [
  ...(['avx512bf16', 'avx512vnni', 'avx512', 'avx2vnni', 'avx2'] as const),
  ...(['neonbf16', 'neondot'] as const),
  'baseline',
] as const
export type InstructionSet = (typeof INSTRUCTION_SETS)[number]

let loaded: Addon | undefined

/** The addon of the kernels, loaded once. */
const kernelsAddon = (): Addon =>
  (loaded ??= loadAddon<Addon>(
    'monosem.node',
    'the native kernels are',
    'compile them with: npm run build:native (needs a C++ compiler, make and python3)',
  ))

/**
 * The compiled kernels: C++ on a thread pool, the best instruction set of this processor chosen at run time.
 * Results are identical to the bit for every number of threads.
 * @param options.threads 1 to 256; default: the number of processors
 * @param options.instructionSet only this one, for tests and comparisons
 * @throws MonosemError native, when the addon is not compiled or the processor lacks the instruction set
 */
export function createNativeKernels(
  options: { threads?: number; instructionSet?: InstructionSet } = {},
): Kernels {
  const addon = kernelsAddon()
  const threads = options.threads ?? availableParallelism()
  if (!Number.isInteger(threads) || threads < 1 || threads > 256)
    throw new MonosemError('config', `threads: expected an integer from 1 to 256, got ${threads}`)
  const runtime = guarded(() => addon.createRuntime(threads, options.instructionSet ?? ''))
  const boundary = createBoundary(addon, runtime)
  return {
    name: 'native',
    description: `native ${addon.runtimeName(runtime)}, ${threads} thread${threads > 1 ? 's' : ''}`,
    threads,
    ...memory(boundary),
    ...elementwise(boundary),
    ...transformer(boundary),
    ...sae(boundary),
    ...synthetic(boundary),
    measurePeak: () => measurePeak(boundary),
  }
}

async function measurePeak({ promise }: Boundary): Promise<number> {
  let best = 0
  for (let trial = 0; trial < 5; trial++) {
    const start = performance.now()
    const operations = await promise<number>('fmaLoop', 5_000)
    best = Math.max(best, (operations * 1000) / (performance.now() - start))
  }
  return best
}

function memory({ call, promise, allocate }: Boundary) {
  const write = (t: Tensor, data: Float32Array | Int32Array | Uint16Array): void => {
    check.checkWrite(t, data)
    call('write', t, data)
  }
  const read = (t: Tensor, into?: Float32Array): Promise<Float32Array | Int32Array> => {
    const count = check.elementCount(t.shape)
    const data = into ?? (t.dtype === 'i32' ? new Int32Array(count) : new Float32Array(count))
    return promise<void>('read', t, data).then(() => data)
  }
  return {
    zeros(shape: readonly number[], dtype: DType = 'f32'): Tensor {
      check.checkZeros(shape, dtype)
      return allocate(shape, dtype)
    },
    tensor(data: Float32Array | Int32Array, shape: readonly number[]): Tensor {
      check.checkTensor(data, shape)
      const t = allocate(shape, data instanceof Int32Array ? 'i32' : 'f32')
      write(t, data)
      return t
    },
    rows(t: Tensor, start: number, count: number): Tensor {
      check.checkRows(t, start, count)
      const { storage, dtype } = native(t)
      const [, ...row] = t.shape
      const width = check.elementCount(row)
      return new NativeTensor(
        [count, ...row],
        dtype,
        call('window', t, start * width, count * width),
        storage,
      )
    },
    reshape(t: Tensor, shape: readonly number[]): Tensor {
      check.checkReshape(t, shape)
      const { storage, dtype, handle } = native(t)
      return new NativeTensor([...shape], dtype, handle, storage)
    },
    write,
    read: (t: Tensor) => read(t),
    readF32(t: Tensor, into?: Float32Array): Promise<Float32Array> {
      check.checkReadF32(t, into)
      return read(t, into) as Promise<Float32Array>
    },
    free(t: Tensor): void {
      call('release', t)
      native(t).storage.freed = true
    },
    finish: (): Promise<void> => promise('finish'),
  }
}

function elementwise(b: Boundary) {
  const moveRows = (to: Tensor, from: Tensor, ids: Tensor) => [to, from, ids, ids.shape[0], to.shape[1]]
  return {
    fill: enqueued(b, 'fill', check.checkFill, (t, value) => [t, value]),
    copy: enqueued(b, 'copy', check.checkCopy, (dst, src) => [dst, src]),
    transpose: enqueued(b, 'transpose', check.checkTranspose, (out, x) => [out, x, ...x.shape]),
    add: enqueued(b, 'add', check.checkAdd, (out, left, right) => [out, left, right]),
    addInPlace: enqueued(b, 'addInPlace', check.checkAddInPlace, (y, x) => [y, x]),
    scaleInPlace: enqueued(b, 'scaleInPlace', check.checkScaleInPlace, (y, factor) => [y, factor]),
    broadcastRow: enqueued(b, 'broadcastRow', check.checkBroadcastRow, (out, row) => [
      out,
      row,
      ...out.shape,
    ]),
    columnSums: enqueued(b, 'columnSums', check.checkColumnSums, (out, x) => [out, x, ...x.shape]),
    gatherRows: enqueued(b, 'gatherRows', check.checkGatherRows, moveRows),
    scatterRows: enqueued(b, 'scatterRows', check.checkScatterRows, moveRows),
    clipNorm: enqueued(b, 'clipNorm', check.checkClipNorm, (out, grads, maxNorm) => [
      out,
      [...grads],
      maxNorm,
    ]),
    adam: enqueued(b, 'adam', check.checkAdam, (p, g, m, v, options, gradScale) => [
      p,
      g,
      m,
      v,
      gradScale,
      ...adamNumbers(options),
    ]),
  }
}
