import { MonosemError } from '../../errors/monosem-error.js'

/** A file of weights, whatever holds them: safetensors (in several shards perhaps), an npz archive, a PyTorch file. */
export interface WeightFile {
  path: string
  /** all files that were opened: `path`, and the shards where it is an index */
  files: readonly string[]
  container: 'safetensors' | 'npz' | 'pt'
  /** its tensors; dtype as the file calls it */
  entries: ReadonlyMap<string, { dtype: string; shape: readonly number[] }>
  /** what a PyTorch file holds besides tensors: numbers, texts, nested dictionaries */
  values: Readonly<Record<string, unknown>>
  /** a tensor's numbers, row-major, in memory of its own; read once. @throws MonosemError format, corrupt, io */
  read(name: string): Promise<Float32Array>
  close(): Promise<void>
}

/** Takes tensors out of a file of weights one after the other, checks them, and knows at the end what was left over. */
export interface WeightReader {
  path: string
  has(name: string): boolean
  /** @throws MonosemError format: no such tensor, or not of this many axes */
  shape(name: string, axes: number): readonly number[]
  /** A tensor of this very shape. @throws MonosemError format */
  take(name: string, shape: readonly number[]): Promise<Float32Array>
  /** A matrix [rows, columns] as [columns, rows]. @throws MonosemError format */
  takeTransposed(name: string, shape: readonly [number, number]): Promise<Float32Array>
  /** A tensor of one number, whatever its shape. @throws MonosemError format */
  scalar(name: string): Promise<number>
  /** types on disk of what was taken, such as F32 or "BF16, F32" */
  dtype(): string
  /** what was odd about the numbers: NaN and infinities are counted, not refused */
  warnings(): string[]
  /** @param ignored names that are known and not needed. @throws MonosemError format: other tensors are left */
  finish(ignored?: readonly string[]): void
}

/** @param what the kind of autoencoder, for messages */
export function createWeightReader(file: WeightFile, what: string): WeightReader {
  const { path, entries } = file
  const taken = new Set<string>()
  const dtypes = new Set<string>()
  const warnings: string[] = []
  const find = (name: string, expected: string) => {
    const entry = entries.get(name)
    if (entry) return entry
    throw new MonosemError('format', `${path}: expected a tensor ${name} ${expected} of ${what}, got none`, {
      hint: `the file holds ${listNames(entries.keys())}`,
    })
  }
  const numbers = async (name: string, dtype: string): Promise<Float32Array> => {
    if (!/^B?F\d+$/.test(dtype))
      throw new MonosemError('format', `${path}: expected ${name} as floating-point numbers, got ${dtype}`)
    const floats = await file.read(name)
    taken.add(name)
    dtypes.add(dtype)
    const bad = countNotFinite(floats)
    if (bad > 0) warnings.push(`${path}: ${bad} of ${floats.length} numbers of ${name} are NaN or infinite`)
    return floats
  }
  const take = (name: string, shape: readonly number[]): Promise<Float32Array> => {
    const entry = find(name, `[${shape}]`)
    if (String(entry.shape) !== String(shape))
      throw new MonosemError(
        'format',
        `${path}: expected ${name} [${shape}] of ${what}, got ${entry.dtype} [${entry.shape}]`,
        { hint: 'the configuration and the weights do not belong together' },
      )
    return numbers(name, entry.dtype)
  }
  return {
    path,
    has: (name) => entries.has(name),
    shape(name, axes) {
      const { shape } = find(name, `with ${axes} axes`)
      if (shape.length === axes && shape.every((size) => size > 0)) return shape
      throw new MonosemError(
        'format',
        `${path}: expected ${name} with ${axes} axes of ${what}, got [${shape}]`,
      )
    },
    take,
    takeTransposed: async (name, shape) => transpose(await take(name, shape), ...shape),
    async scalar(name) {
      const { shape } = find(name, 'with one number')
      const data = await file.read(name)
      taken.add(name)
      if (data.length === 1) return data[0]
      throw new MonosemError('format', `${path}: expected ${name} with one number, got [${shape}]`)
    },
    dtype: () => [...dtypes].sort().join(', '),
    warnings: () => warnings,
    finish(ignored = []) {
      const left = [...entries.keys()].filter((name) => !taken.has(name) && !ignored.includes(name))
      if (left.length === 0) return
      throw new MonosemError('format', `${path}: ${what} has no tensor ${listNames(left)}`, {
        hint: 'the file belongs to another kind of autoencoder than its configuration says',
      })
    },
  }
}

/** Names in quotes, the first few of many. */
export function listNames(names: Iterable<string>): string {
  const all = [...names]
  if (all.length === 0) return 'nothing'
  const shown = all.slice(0, 12).join(', ')
  return all.length > 12 ? `${shown} and ${all.length - 12} more` : shown
}

function countNotFinite(numbers: Float32Array): number {
  let count = 0
  for (let i = 0; i < numbers.length; i++) if (!Number.isFinite(numbers[i])) count++
  return count
}

/** Rows and columns at once, so that both sides stay in the processor's cache. */
const tile = 64

/** [rows, columns] to [columns, rows], or only columns first .. first+count-1, to [count, rows]. */
export function transpose(
  matrix: Float32Array,
  rows: number,
  columns: number,
  first = 0,
  count = columns,
): Float32Array {
  const out = new Float32Array(count * rows)
  for (let r0 = 0; r0 < rows; r0 += tile)
    for (let c0 = 0; c0 < count; c0 += tile) {
      const [r1, c1] = [Math.min(rows, r0 + tile), Math.min(count, c0 + tile)]
      for (let c = c0; c < c1; c++)
        for (let r = r0; r < r1; r++) out[c * rows + r] = matrix[r * columns + first + c]
    }
  return out
}
