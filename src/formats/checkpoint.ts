import { existsSync } from 'node:fs'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { sha256, sha256File, storageError, writeFileAtomic } from '../storage/atomic-file.js'
import type { Json } from '../storage/stage.js'
import { readSafetensors, type SafeTensor, writeSafetensors } from './safetensors.js'

/** What `checkpoint.json` holds: the one file that decides which checkpoint counts. */
interface CheckpointIndex {
  file: string
  sha256: string
  stateSha256: string
  state: Json
}

export interface Checkpoint {
  state: Json
  tensors: Record<string, SafeTensor>
}

const fileName = /^checkpoint-(\d+)\.safetensors$/

/**
 * Saves the state of a job. The tensors go to a new file, then `checkpoint.json` is replaced in one step, then the
 * tensors of earlier checkpoints are removed: at every moment one whole checkpoint is there.
 * @throws MonosemError io
 */
export async function saveCheckpoint(
  directory: string,
  state: Json,
  tensors: Record<string, SafeTensor>,
): Promise<void> {
  const old = await checkpointFiles(directory)
  const file = `checkpoint-${Math.max(0, ...old.map((name) => Number(fileName.exec(name)![1]))) + 1}.safetensors`
  const path = join(directory, file)
  await writeSafetensors(path, tensors)
  const index: CheckpointIndex = {
    file,
    sha256: await sha256File(path),
    stateSha256: sha256(JSON.stringify(state)),
    state,
  }
  await writeFileAtomic(join(directory, 'checkpoint.json'), JSON.stringify(index))
  for (const name of old) await rm(join(directory, name), { force: true })
}

/**
 * Loads what `saveCheckpoint` saved last, after checking it against its hashes; null when there is none.
 * @throws MonosemError corrupt, io
 */
export async function loadCheckpoint(directory: string): Promise<Checkpoint | null> {
  const indexPath = join(directory, 'checkpoint.json')
  if (!existsSync(indexPath)) return null
  const index = await readIndex(directory, indexPath)
  const path = join(directory, index.file)
  if (!existsSync(path)) throw corrupt(directory, `${path} is missing`)
  const found = await sha256File(path)
  if (found !== index.sha256)
    throw corrupt(
      directory,
      `${path}: expected SHA-256 ${index.sha256.slice(0, 12)}…, got ${found.slice(0, 12)}…`,
    )
  return { state: index.state, tensors: (await readSafetensors(path)).tensors }
}

async function readIndex(directory: string, path: string): Promise<CheckpointIndex> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw storageError('read', path, cause)
  }
  let index: Partial<CheckpointIndex> | null
  try {
    index = JSON.parse(text) as Partial<CheckpointIndex> | null
  } catch (cause) {
    throw corrupt(directory, `${path}: expected JSON`, cause)
  }
  const { file, sha256: tensorsSha256, state } = index ?? {}
  if (
    typeof file !== 'string' ||
    !fileName.test(file) ||
    typeof tensorsSha256 !== 'string' ||
    state === undefined
  )
    throw corrupt(directory, `${path}: expected the file, its SHA-256 and the state`)
  if (sha256(JSON.stringify(state)) !== index?.stateSha256)
    throw corrupt(directory, `${path}: the state does not match its SHA-256`)
  return index as CheckpointIndex
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
