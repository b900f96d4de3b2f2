import { MonosemError } from '../errors/monosem-error.js'
import { openSafetensors, type TensorReader } from '../formats/safetensors.js'
import { createSafetensorsWriter, type SafetensorsWriter } from '../formats/safetensors-writer.js'
import type { Codes } from '../kernels/kernels.js'
import { type StageContext, throwIfInterrupted } from '../progress/progress.js'
import { decode, encode, type Sae } from './sae.js'
import { openSpool, type Spool } from './spool.js'

export interface EncodeFileOptions extends StageContext {
  /** write compressed rows instead of f [N, F] */
  sparse?: boolean
}

export interface EncodeSummary {
  tokens: number
  /** shapes of what was written, by name */
  tensors: Record<string, number[]>
  /** mean number of active features per token */
  l0: number
  /** sum ||x - x_hat||^2 / sum ||x||^2; null for a transcoder, whose target is not there */
  relativeError: number | null
}

/** Largest f [N, F] that is written as it is, bytes. */
const largestDense = 16 * 2 ** 30

/** Numbers of f that are held at once, and the most tokens. */
const piece = { numbers: 2 ** 24, tokens: 4096 }

/**
 * Runs an autoencoder on the tensor x [N, D] of a safetensors file, in pieces: memory does not grow with N. Written are x_hat [N, Dout] and f [N, F], or
 * with `sparse` f in compressed rows: row_offsets [N + 1] and, for each active feature, feature_ids and values [nnz].
 * @throws MonosemError missing, format, shape (x does not fit, or f would be too large), corrupt, io, interrupted
 */
export async function encodeFile(
  sae: Sae,
  input: string,
  out: string,
  options: EncodeFileOptions,
): Promise<EncodeSummary> {
  const file = await openSafetensors(input)
  try {
    const tokens = tokensOf(file, sae)
    const sink = options.sparse ? await sparseSink(out, sae, tokens) : await denseSink(out, sae, tokens)
    try {
      const sums = await encodePieces(sae, file, tokens, sink, options)
      const tensors = await sink.finish()
      return { tokens, tensors, ...sums }
    } finally {
      await sink.discard()
    }
  } finally {
    await file.close()
  }
}

/** N of x [N, D]. */
function tokensOf(file: TensorReader, sae: Sae): number {
  const x = file.entries.get('x')
  if (!x)
    throw new MonosemError(
      'missing',
      `${file.path}: expected a tensor x [N, ${sae.d}], got ${[...file.entries.keys()].join(', ') || 'none'}`,
    )
  if (x.shape.length !== 2 || x.shape[1] !== sae.d)
    throw new MonosemError('shape', `${file.path}: expected x [N, ${sae.d}], got [${x.shape}]`, {
      hint: 'one activation a row, of the hook point that the autoencoder reads',
    })
  return x.shape[0]
}

/** Where pieces go. */
interface Sink {
  /** @param first number of the piece's first token. @param xHat [n, Dout] */
  add(first: number, codes: Codes, xHat: Float32Array): Promise<void>
  /** shapes by name */
  finish(): Promise<Record<string, number[]>>
  /** removes what is not finished */
  discard(): Promise<void>
}

async function encodePieces(
  sae: Sae,
  file: TensorReader,
  tokens: number,
  sink: Sink,
  { progress, signal }: StageContext,
): Promise<Pick<EncodeSummary, 'l0' | 'relativeError'>> {
  const { kernels } = sae
  const rows = Math.max(16, Math.min(piece.tokens, Math.floor(piece.numbers / sae.features)))
  const task = progress.start('encode', tokens, 'tokens')
  let [active, squares, errors] = [0, 0, 0]
  for (let first = 0; first < tokens; first += rows) {
    throwIfInterrupted(signal)
    const n = Math.min(rows, tokens - first)
    const data = await readX(file, first, n)
    const x = kernels.tensor(data, [n, sae.d])
    const codes = await encode(sae, x)
    const decoded = kernels.zeros([n, sae.dOut])
    decode(sae, decoded, codes, x)
    const xHat = await kernels.readF32(decoded)
    for (const tensor of [x, decoded]) kernels.free(tensor)
    await sink.add(first, codes, xHat)
    active += codes.values.length
    if (isAutoencoder(sae))
      for (let i = 0; i < data.length; i++) {
        squares += data[i] * data[i]
        errors += (data[i] - xHat[i]) ** 2
      }
    task.update(first + n)
  }
  task.end()
  return {
    l0: tokens > 0 ? active / tokens : 0,
    relativeError: isAutoencoder(sae) && squares > 0 ? errors / squares : null,
  }
}

const isAutoencoder = ({ config, d, dOut }: Sae): boolean => d === dOut && config.d_out === undefined

async function readX(file: TensorReader, first: number, n: number): Promise<Float32Array> {
  const { data, dtype } = await file.readRows('x', first, n)
  if (data instanceof Float32Array) return data
  throw new MonosemError('format', `${file.path}: expected x as floating-point numbers, got ${dtype}`)
}

async function denseSink(out: string, sae: Sae, tokens: number): Promise<Sink> {
  const shapes = { f: [tokens, sae.features], x_hat: [tokens, sae.dOut] }
  const bytes = 4 * tokens * sae.features
  if (bytes > largestDense)
    throw new MonosemError(
      'shape',
      `${out}: f [${shapes.f}] would take ${(bytes / 2 ** 30).toFixed(1)} GiB, expected at most ${largestDense / 2 ** 30}`,
      { hint: 'pass --sparse, or split the input' },
    )
  const writer = await createSafetensorsWriter(out, planned(shapes))
  return {
    async add(first, { rowOffsets, featureIds, values }, xHat) {
      const n = rowOffsets.length - 1
      const f = new Float32Array(n * sae.features)
      for (let row = 0; row < n; row++)
        for (let e = rowOffsets[row]; e < rowOffsets[row + 1]; e++)
          f[row * sae.features + featureIds[e]] = values[e]
      await writer.write('f', f, first * sae.features)
      await writer.write('x_hat', xHat, first * sae.dOut)
    },
    async finish() {
      await writer.finish()
      return shapes
    },
    discard: writer.discard,
  }
}

const planned = (shapes: Record<string, number[]>, integers: readonly string[] = []) =>
  Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      { dtype: integers.includes(name) ? ('I32' as const) : ('F32' as const), shape },
    ]),
  )

/** How many features are active is known at the end: until then they wait in files of their own. */
async function sparseSink(out: string, sae: Sae, tokens: number): Promise<Sink> {
  const rowOffsets = new Int32Array(tokens + 1)
  const spools: Record<'feature_ids' | 'values' | 'x_hat', Spool> = {
    feature_ids: await openSpool(`${out}.feature_ids.tmp`, 'I32'),
    values: await openSpool(`${out}.values.tmp`, 'F32'),
    x_hat: await openSpool(`${out}.x_hat.tmp`, 'F32'),
  }
  let [count, writer]: [number, SafetensorsWriter | null] = [0, null]
  return {
    async add(first, codes, xHat) {
      if (count + codes.values.length > 2 ** 31 - 1)
        throw new MonosemError(
          'shape',
          `${out}: expected fewer than 2^31 active features, got more by token ${first}`,
          {
            hint: 'split the input',
          },
        )
      for (let row = 1; row < codes.rowOffsets.length; row++)
        rowOffsets[first + row] = count + codes.rowOffsets[row]
      count += codes.values.length
      await spools.feature_ids.append(codes.featureIds)
      await spools.values.append(codes.values)
      await spools.x_hat.append(xHat)
    },
    async finish() {
      const shapes = {
        row_offsets: [tokens + 1],
        feature_ids: [count],
        values: [count],
        x_hat: [tokens, sae.dOut],
      }
      writer = await createSafetensorsWriter(out, planned(shapes, ['row_offsets', 'feature_ids']), {
        features: String(sae.features),
      })
      await writer.write('row_offsets', rowOffsets)
      for (const [name, spool] of Object.entries(spools))
        for await (const { first, data } of spool.pieces()) await writer.write(name, data, first)
      await writer.finish()
      return shapes
    },
    async discard() {
      await writer?.discard()
      for (const spool of Object.values(spools)) await spool.remove()
    },
  }
}
