import { existsSync } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { type Communicator, singleRank } from '../distributed/communicator.js'
import { onFirstRank } from '../distributed/on-first-rank.js'
import { requireSameOnAllRanks } from '../distributed/same-on-all-ranks.js'
import { MonosemError } from '../errors/monosem-error.js'
import { sha256, sha256File, storageError, syncDirectory, writeFileAtomic } from './atomic-file.js'
import { lockDirectory } from './lock.js'
import {
  type FileEntry,
  type Json,
  type Manifest,
  manifestHash,
  readStoredConfig,
  type StoredConfig,
} from './stage-files.js'

export type { FileEntry, Json, Manifest } from './stage-files.js'

/**
 * A stage is `(input directories, config) -> one new directory` that nothing writes to afterwards.
 * Its directory holds the payload, `config.json` (what was asked for, fully resolved) and `manifest.json`.
 */
export interface StageRequest {
  /** name of the stage, e.g. "corpus", "model", "sae" */
  stage: string
  /** the directory that will exist when the stage is done */
  out: string
  /** the fully resolved configuration; equality of this object decides between resume, reuse and refusal */
  config: Record<string, Json>
  /** finished stage directories that this one reads, by role, e.g. { corpus: "runs/a/corpus" } */
  inputs: Record<string, string>
  seed?: number
}

export interface StageResult {
  directory: string
  /** true when a finished directory with the same config was already there */
  reused: boolean
}

/**
 * Runs a stage into `<out>.partial`, then hashes, syncs and renames it to `out`.
 * A finished `out` with the same config and inputs is reused; a partial one is handed to `body` again, which resumes from
 * whatever checkpoint it left there (files and folders whose name starts with "checkpoint" are removed at the end).
 *
 * With several ranks `body` runs on all of them, in one directory on a file system that they share; everything else is done by rank 0, and all ranks
 * return or throw the same. An error of `body` on one rank is thrown there only: it has to end the job.
 * @param body may enter files that it hashed while it wrote them into `hashed` (on rank 0); all others are read once more at the end
 * @throws MonosemError config (the directory has another config: names the first key that differs; ranks differ in config or inputs), busy, io,
 *   missing (a rank does not see the directory of rank 0)
 */
export async function runStage(
  request: StageRequest,
  body: (partial: string, hashed: Map<string, FileEntry>) => Promise<void>,
  ranks: Communicator = singleRank,
): Promise<StageResult> {
  const out = resolve(request.out)
  const partial = `${out}.partial`
  const wanted = await storedConfig(request)
  await requireSameStage(ranks, wanted)
  let unlock = async (): Promise<void> => {}
  const state = await onFirstRank(ranks, async () => {
    const claimed = await claim(request, wanted)
    unlock = claimed.unlock
    return claimed.state
  })
  if (state === 'finished') return { directory: out, reused: true }
  try {
    requireShared(partial, ranks)
    if (state === 'open') {
      const hashed = new Map<string, FileEntry>()
      await body(partial, hashed)
      await ranks.barrier()
      await onFirstRank(ranks, () => seal(partial, request, hashed))
    }
    await onFirstRank(ranks, () => removeScratch(partial))
  } catch (error) {
    if (ranks.rank === 0) await removeUnlessWork(partial)
    throw error
  } finally {
    await unlock()
  }
  await onFirstRank(ranks, () => publish(partial, out))
  return { directory: out, reused: false }
}

function requireSameStage(ranks: Communicator, { stage, config, inputs }: StoredConfig): Promise<void> {
  const hashes = Object.entries(inputs).map(([role, hash]) => [`${role} (hash of its manifest)`, hash])
  return requireSameOnAllRanks(ranks, {
    stage,
    [`configuration of ${stage}`]: sha256(JSON.stringify(config)),
    ...Object.fromEntries(hashes),
  })
}

function requireShared(partial: string, { rank }: Communicator): void {
  if (rank > 0 && !existsSync(join(partial, 'config.json')))
    throw new MonosemError('missing', `rank ${rank} does not see ${partial}, which rank 0 has made`, {
      hint: 'all nodes need the same file system at the same path: write to one that they share',
    })
}

/** What a stage finds at its start: nothing to do, nothing to compute (a kill came between sealing and renaming), or work. */
type StageState = 'finished' | 'sealed' | 'open'

/** Decides what is to be done, and locks the partial directory for it. */
async function claim(
  request: StageRequest,
  wanted: StoredConfig,
): Promise<{ state: StageState; unlock: () => Promise<void> }> {
  const out = resolve(request.out)
  const partial = `${out}.partial`
  if (existsSync(out)) {
    await requireFinished(request, wanted)
    return { state: 'finished', unlock: async () => {} }
  }
  try {
    await mkdir(partial, { recursive: true })
  } catch (cause) {
    throw storageError('create', partial, cause)
  }
  const unlock = await lockDirectory(partial)
  try {
    await claimPartial(partial, wanted)
  } catch (error) {
    await removeUnlessWork(partial)
    await unlock()
    throw error
  }
  return { state: existsSync(join(partial, 'manifest.json')) ? 'sealed' : 'open', unlock }
}

async function requireFinished({ out, stage }: StageRequest, wanted: StoredConfig): Promise<void> {
  const directory = resolve(out)
  if (!existsSync(join(directory, 'manifest.json')))
    throw new MonosemError('config', `${out} exists and is not a finished ${stage} directory`, {
      hint: 'choose another output directory',
    })
  requireSameConfig(out, await readStoredConfig(directory), wanted)
}

/** Writes the configuration into a partial directory, or checks that the work in it was done with the same one. */
async function claimPartial(partial: string, wanted: StoredConfig): Promise<void> {
  if (await holdsWork(partial)) requireSameConfig(partial, await readStoredConfig(partial), wanted)
  else await writeFileAtomic(join(partial, 'config.json'), `${JSON.stringify(wanted, null, 2)}\n`)
}

/** Whether a partial directory holds anything that took time to make: without that, another configuration may have it. */
async function holdsWork(partial: string): Promise<boolean> {
  return (await readdir(partial)).some(
    (name) => !['config.json', 'lock'].includes(name) && !name.endsWith('.tmp'),
  )
}

async function removeUnlessWork(partial: string): Promise<void> {
  if (!(await holdsWork(partial))) await rm(partial, { recursive: true, force: true })
}

const isScratch = (name: string): boolean => name.startsWith('checkpoint') || name.endsWith('.tmp')

async function removeScratch(partial: string): Promise<void> {
  for (const name of (await readdir(partial)).filter(isScratch))
    await rm(join(partial, name), { recursive: true })
}

/** Hashes and syncs the payload, then writes the manifest. Checkpoints go later, so that a kill here loses nothing. */
async function seal(partial: string, request: StageRequest, hashed: Map<string, FileEntry>): Promise<void> {
  const files: Manifest['files'] = {}
  for (const name of (await readdir(partial)).sort()) {
    if (!isScratch(name) && name !== 'lock') {
      const path = join(partial, name)
      await syncFile(path)
      files[name] = hashed.get(name) ?? { sha256: await sha256File(path), bytes: (await stat(path)).size }
    }
  }
  const inputs: Manifest['inputs'] = {}
  for (const [role, directory] of Object.entries(request.inputs))
    inputs[role] = {
      path: relative(resolve(request.out), resolve(directory)),
      manifestSha256: await manifestHash(directory),
    }
  const manifest: Manifest = { stage: request.stage, version: 1, seed: request.seed ?? null, files, inputs }
  await writeFileAtomic(join(partial, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
}

/** Gives a sealed directory its name. */
async function publish(partial: string, out: string): Promise<void> {
  try {
    await rename(partial, out)
    await syncDirectory(dirname(out))
  } catch (cause) {
    throw storageError('rename', partial, cause)
  }
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function storedConfig(request: StageRequest): Promise<StoredConfig> {
  const inputs: Record<string, string> = {}
  for (const [role, directory] of Object.entries(request.inputs)) inputs[role] = await manifestHash(directory)
  return { stage: request.stage, config: request.config, inputs }
}

function requireSameConfig(directory: string, found: StoredConfig, wanted: StoredConfig): void {
  const difference = firstDifference(found as unknown as Json, wanted as unknown as Json, '')
  if (difference)
    throw new MonosemError('config', `${directory} was made with another configuration: ${difference}`, {
      hint: 'choose another output directory (--out on the command line), or remove this one',
    })
}

/** Describes the first key in which two JSON values differ, or returns null. */
export function firstDifference(
  found: Json | undefined,
  wanted: Json | undefined,
  path: string,
): string | null {
  if (isObject(found) && isObject(wanted)) {
    for (const key of new Set([...Object.keys(found), ...Object.keys(wanted)])) {
      const inner = firstDifference(found[key], wanted[key], path ? `${path}.${key}` : key)
      if (inner) return inner
    }
    return null
  }
  if (JSON.stringify(found) === JSON.stringify(wanted)) return null
  return `${path} is ${JSON.stringify(found)} there, ${JSON.stringify(wanted)} was asked for`
}

const isObject = (value: Json | undefined): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
