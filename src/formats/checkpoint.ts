import { existsSync } from 'node:fs'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Communicator, singleRank } from '../distributed/communicator.js'
import type { Slice } from '../distributed/mesh.js'
import { onFirstRank } from '../distributed/on-first-rank.js'
import { gatherValues } from '../distributed/values.js'
import { MonosemError } from '../errors/monosem-error.js'
import { sha256, sha256File, storageError, writeFileAtomic } from '../storage/atomic-file.js'
import type { Json } from '../storage/stage.js'
import {
  openSafetensors,
  type SafeTensor,
  type SafetensorsData,
  type TensorReader,
  writeSafetensors,
} from './safetensors.js'

/**
 * Who writes or reads a checkpoint. Ranks that share out the rows of tensors write a file each: their rows, and whole what all of them have. Any other number
 * of ranks may read it.
 */
export interface CheckpointShare {
  /** in the order of their rows */
  ranks: Communicator
  /** this rank's rows of the tensors that are shared out; absent where nothing is */
  rows?: Slice
}

/** A checkpoint, one tensor at a time. */
export interface CheckpointReader {
  state: Json
  /** A tensor that every rank wrote whole. @throws MonosemError corrupt, io */
  read(name: string): Promise<SafeTensor>
  /** This rank's rows of a tensor that the ranks shared out, whoever wrote them. @throws MonosemError corrupt, io */
  readRows(name: string): Promise<SafeTensor>
  close(): Promise<void>
}

export interface Checkpoint {
  state: Json
  tensors: Record<string, SafeTensor>
}

/** One file of tensors. */
interface CheckpointPart {
  file: string
  sha256: string
  /** absent where the file holds all rows */
  rows?: Slice
}

/** What `checkpoint.json` holds: the one file that decides which checkpoint counts. */
interface CheckpointIndex {
  parts: CheckpointPart[]
  stateSha256: string
  state: Json
}

const fileName = /^checkpoint-(\d+)(-rank\d+of\d+)?\.safetensors$/

/**
 * Saves the state of a job; all ranks call it. The tensors go to new files, then rank 0 replaces `checkpoint.json` in one step, then it
 * removes the tensors of earlier checkpoints: at every moment one whole checkpoint is there.
 * @param state that of rank 0 counts
 * @param tensors this rank's
 * @throws MonosemError io
 */
export async function saveCheckpoint(
  directory: string,
  state: Json,
  tensors: Record<string, SafeTensor>,
  { ranks, rows }: CheckpointShare = { ranks: singleRank },
): Promise<void> {
  const old = await onFirstRank(ranks, () => checkpointFiles(directory))
  const number = 1 + Math.max(0, ...old.map((name) => Number(fileName.exec(name)![1])))
  const file = `checkpoint-${number}${ranks.size > 1 ? `-rank${ranks.rank}of${ranks.size}` : ''}.safetensors`
  const path = join(directory, file)
  await writeSafetensors(path, tensors)
  const part: CheckpointPart = { file, sha256: await sha256File(path), ...(rows && { rows }) }
  const parts = await gatherValues(ranks, part)
  if (!parts) return
  const index: CheckpointIndex = { parts, stateSha256: sha256(JSON.stringify(state)), state }
  await writeFileAtomic(join(directory, 'checkpoint.json'), JSON.stringify(index))
  for (const name of old) await rm(join(directory, name), { force: true })
}

/**
 * Loads what `saveCheckpoint` saved last, after checking it against its hashes; null when there is none.
 * @throws MonosemError corrupt, io
 */
export async function loadCheckpoint(directory: string): Promise<Checkpoint | null> {
  const index = await readIndex(directory)
  if (!index) return null
  const [file, ...others] = await openParts(directory, index.parts)
  try {
    if (others.length > 0) throw corrupt(directory, `expected one file of tensors, got ${index.parts.length}`)
    const names = [...file.entries.keys()]
    const tensors = await Promise.all(names.map(async (name) => [name, await file.read(name)] as const))
    return { state: index.state, tensors: Object.fromEntries(tensors) }
  } finally {
    for (const { close } of [file, ...others]) await close()
  }
}

/**
 * Opens what ranks saved last, for the ranks that go on; null when there is none. All of them call it, and each checks and reads the files that hold its rows.
 * @throws MonosemError corrupt, io
 */
export async function openCheckpointShare(
  directory: string,
  { ranks, rows }: Required<CheckpointShare>,
): Promise<CheckpointReader | null> {
  const index = await onFirstRank(ranks, () => readIndex(directory))
  if (!index) return null
  const stretches = index.parts.flatMap((part) => {
    const held = part.rows ?? { first: 0, count: rows.first + rows.count }
    const first = Math.max(rows.first, held.first)
    const count = Math.min(rows.first + rows.count, held.first + held.count) - first
    return count > 0 ? [{ part, first: first - held.first, count }] : []
  })
  const found = stretches.reduce((sum, { count }) => sum + count, 0)
  if (found !== rows.count)
    throw corrupt(directory, `expected rows ${rows.first} to ${rows.first + rows.count - 1}, got ${found}`)
  const files = await openParts(
    directory,
    stretches.map(({ part }) => part),
  )
  const requireName = (file: TensorReader, name: string): void => {
    if (!file.entries.has(name)) throw corrupt(directory, `${file.path}: expected a tensor ${name}`)
  }
  return {
    state: index.state,
    async read(name) {
      requireName(files[0], name)
      return files[0].read(name)
    },
    async readRows(name) {
      const pieces: SafeTensor[] = []
      for (const [i, { first, count }] of stretches.entries()) {
        requireName(files[i], name)
        pieces.push(await files[i].readRows(name, first, count))
      }
      return joined(pieces)
    },
    async close() {
      for (const file of files) await file.close()
    },
  }
}

/** Opens files once their hashes are found right. */
async function openParts(directory: string, parts: readonly CheckpointPart[]): Promise<TensorReader[]> {
  const files: TensorReader[] = []
  try {
    for (const { file, sha256: expected } of parts) {
      const path = join(directory, file)
      if (!existsSync(path)) throw corrupt(directory, `${path} is missing`)
      const found = await sha256File(path)
      if (found !== expected)
        throw corrupt(
          directory,
          `${path}: expected SHA-256 ${expected.slice(0, 12)}…, got ${found.slice(0, 12)}…`,
        )
      files.push(await openSafetensors(path))
    }
    return files
  } catch (error) {
    for (const { close } of files) await close()
    throw error
  }
}

/** Rows of one tensor, one piece after the other. */
function joined(pieces: readonly SafeTensor[]): SafeTensor {
  const [{ shape, data }] = pieces
  if (pieces.length === 1) return pieces[0]
  const length = pieces.reduce((sum, piece) => sum + piece.data.length, 0)
  const all = new (data.constructor as new (length: number) => SafetensorsData)(length)
  let [at, rows] = [0, 0]
  for (const piece of pieces) {
    all.set(piece.data, at)
    at += piece.data.length
    rows += piece.shape[0]
  }
  return { shape: [rows, ...shape.slice(1)], data: all }
}

async function readIndex(directory: string): Promise<CheckpointIndex | null> {
  const path = join(directory, 'checkpoint.json')
  if (!existsSync(path)) return null
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw storageError('read', path, cause)
  }
  let index: Partial<CheckpointIndex & CheckpointPart> | null
  try {
    index = JSON.parse(text)
  } catch (cause) {
    throw corrupt(directory, `${path}: expected JSON`, cause)
  }
  const { state, stateSha256 } = index ?? {}
  // before several ranks wrote checkpoints, the only file stood beside the state
  const parts: unknown = index?.parts ?? [{ file: index?.file, sha256: index?.sha256 }]
  if (!Array.isArray(parts) || parts.length === 0 || !parts.every(isPart) || state === undefined)
    throw corrupt(directory, `${path}: expected the files, their SHA-256 and the state`)
  if (sha256(JSON.stringify(state)) !== stateSha256)
    throw corrupt(directory, `${path}: the state does not match its SHA-256`)
  return { parts, stateSha256, state }
}

function isPart(part: Partial<CheckpointPart> | null): part is CheckpointPart {
  const { file, sha256: hash, rows } = part ?? {}
  const whole = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0
  return (
    typeof file === 'string' &&
    fileName.test(file) &&
    typeof hash === 'string' &&
    (rows === undefined || (whole(rows?.first) && whole(rows?.count)))
  )
}

async function checkpointFiles(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => fileName.test(name))
  } catch (cause) {
    throw storageError('read', directory, cause)
  }
}

const corrupt = (directory: string, what: string, cause?: unknown): MonosemError =>
  new MonosemError('corrupt', `checkpoint: ${what}`, {
    cause,
    hint: `remove ${directory} and run the command again to start over`,
  })
