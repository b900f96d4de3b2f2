import { MonosemError } from '../../errors/monosem-error.js'
import { elementCount } from '../../formats/element-count.js'
import type { TensorReader } from '../../formats/safetensors.js'
import type { TransformerConfig } from '../transformer-config.js'
import type { WeightSource, WeightTable } from './weight-source.js'
import { weightTable } from './weight-table.js'

/** A parameter, and the tensor of the checkpoint that it is made of. */
export interface PlannedWeight {
  /** of the parameter */
  name: string
  shape: readonly number[]
  /** numbers in it */
  count: number
  /** name in the checkpoint */
  tensor: string
  source: WeightSource
}

/** Types that weights are stored in. */
const floats = ['F32', 'F16', 'BF16', 'F64']

/** Rows that are compared at once. */
const comparedRows = 256

/**
 * Finds the tensor of every parameter and checks its shape and type, before anything is read.
 * @param shapes of the model's parameters
 * @throws MonosemError missing, shape, format: with tensor, file, what was expected and what came
 */
export function findWeights(
  config: TransformerConfig,
  checkpoint: TensorReader,
  shapes: Readonly<Record<string, { shape: readonly number[] }>>,
): PlannedWeight[] {
  const table = weightTable(config)
  return Object.entries(shapes).map(([name, { shape }]) => {
    const source = sourceOf(table, name, config)
    const tensor = findTensor(checkpoint, table, source.tensors)
    if (tensor === undefined) throw missingTensor(checkpoint, source, table)
    checkEntry(checkpoint, tensor, source.shape)
    return { name, shape, count: elementCount(shape), tensor, source }
  })
}

/** A tied matrix may be stored under either of its names. */
function sourceOf(table: WeightTable, name: string, config: TransformerConfig): WeightSource {
  const source = table.sources[name]
  if (name !== 'embed.W_E' || !config.tiedEmbeddings) return source
  return { ...source, tensors: [...source.tensors, ...table.head] }
}

/** The first name that the checkpoint has, with the prefix or without it. */
function findTensor(
  { entries }: TensorReader,
  { prefix }: WeightTable,
  names: readonly string[],
): string | undefined {
  return names
    .flatMap((name) => (name.startsWith(prefix) ? [name, name.slice(prefix.length)] : [name]))
    .find((name) => entries.has(name))
}

function missingTensor(checkpoint: TensorReader, source: WeightSource, { head }: WeightTable): MonosemError {
  const [name] = source.tensors
  const hint = head.includes(name)
    ? 'the checkpoint holds the model without its language-modelling head: load the one that has it'
    : 'does config.json belong to these weights?'
  return new MonosemError(
    'missing',
    `${checkpoint.path}: expected a tensor ${name} [${source.shape.join(', ')}], there is none`,
    { hint },
  )
}

function checkEntry(checkpoint: TensorReader, tensor: string, shape: readonly number[]): void {
  const entry = checkpoint.entries.get(tensor)!
  const got = `${entry.dtype} [${entry.shape.join(', ')}]`
  if (String(entry.shape) !== String(shape))
    throw new MonosemError(
      'shape',
      `${entry.path}: expected ${tensor} as [${shape.join(', ')}], got ${got}`,
      { hint: 'does config.json belong to these weights?' },
    )
  if (!floats.includes(entry.dtype))
    throw new MonosemError(
      'format',
      `${entry.path}: expected ${tensor} as ${floats.join(', ')}, got ${got}`,
      {
        hint: 'quantised weights are not read: load the model as it was before',
      },
    )
}

/** Names of tensors that no parameter is made of, without masks and other tensors that are no weights. */
export function unusedTensors(
  config: TransformerConfig,
  { entries }: TensorReader,
  found: readonly PlannedWeight[],
): string[] {
  const { ignored, head } = weightTable(config)
  const used = new Set([...found.map(({ tensor }) => tensor), ...(config.tiedEmbeddings ? head : [])])
  return [...entries.keys()].filter((name) => !used.has(name) && !ignored.test(name))
}

/** Whether the checkpoint has a head beside the embeddings, with other numbers. @throws MonosemError format, corrupt, io */
export async function tiedHeadDiffers(config: TransformerConfig, checkpoint: TensorReader): Promise<boolean> {
  const table = weightTable(config)
  const embedding = findTensor(checkpoint, table, table.sources['embed.W_E'].tensors)
  const head = findTensor(checkpoint, table, table.head)
  if (embedding === undefined || head === undefined) return false
  const [rows, otherRows] = [embedding, head].map((name) => checkpoint.entries.get(name)!.shape)
  if (String(rows) !== String(otherRows)) return true
  for (let row = 0; row < rows[0]; row += comparedRows) {
    const count = Math.min(comparedRows, rows[0] - row)
    const [a, b] = await Promise.all([embedding, head].map((name) => checkpoint.readRows(name, row, count)))
    if (a.data.some((value, i) => value !== b.data[i])) return true
  }
  return false
}
