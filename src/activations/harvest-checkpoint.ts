import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../storage/atomic-file.js'
import type { FileEntry } from '../storage/stage.js'
import { type StoreInfo, shardFile } from './store-info.js'

/** Files of shards that are whole, by name. */
export type Finished = Record<string, FileEntry>

/** Every rank notes what it has finished in a file of its own, so that none waits for another and a kill loses only what is not whole. */
const checkpointFile = (rank: number): string => (rank === 0 ? 'checkpoint.json' : `checkpoint-${rank}.json`)

/** Notes what a rank has finished. @throws MonosemError io */
export function writeFinished(directory: string, rank: number, finished: Finished): Promise<void> {
  return writeFileAtomic(join(directory, checkpointFile(rank)), JSON.stringify(finished))
}

/** The files of the shards that earlier runs completed, on however many ranks, as far as they are still there. */
export async function readFinished(directory: string, info: StoreInfo): Promise<Finished> {
  const noted: Finished = {}
  for (const name of await readdir(directory))
    if (/^checkpoint.*\.json$/.test(name))
      Object.assign(noted, JSON.parse(await readFile(join(directory, name), 'utf8')))
  const finished: Finished = {}
  for (const shard of info.shardRows.keys()) {
    const names = shardFiles(info, shard)
    const sizes = await Promise.all(names.map((name) => sizeOf(join(directory, name))))
    if (names.every((name, i) => noted[name]?.bytes === sizes[i]))
      for (const name of names) finished[name] = noted[name]
  }
  return finished
}

/** Shards that are still to be computed, ascending. */
export function unfinishedShards(info: StoreInfo, finished: Finished): number[] {
  return [...info.shardRows.keys()].filter((shard) =>
    shardFiles(info, shard).some((name) => !(name in finished)),
  )
}

const shardFiles = ({ hooks }: StoreInfo, shard: number): string[] =>
  hooks.map(({ name }) => shardFile(name, shard))

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => -1,
  )
