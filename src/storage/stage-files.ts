import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { sha256, storageError } from './atomic-file.js'

/** JSON values, as configurations and manifests hold them. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

/** What the manifest says of one file. */
export interface FileEntry {
  sha256: string
  bytes: number
}

/** `manifest.json`: what a finished stage directory holds, and what it was made from. */
export interface Manifest {
  stage: string
  /** version of the manifest layout */
  version: 1
  seed: number | null
  files: Record<string, FileEntry>
  /** path relative to this directory, and SHA-256 of that directory's manifest */
  inputs: Record<string, { path: string; manifestSha256: string }>
}

/** What `config.json` of a stage directory holds: inputs by the hash of their manifest. */
export interface StoredConfig {
  stage: string
  config: Record<string, Json>
  inputs: Record<string, string>
}

/** What a stage directory is recognised by. @throws MonosemError missing (not finished), io */
export async function manifestHash(directory: string): Promise<string> {
  return sha256(await readText(join(directory, 'manifest.json'), directory))
}

/** @throws MonosemError missing (not finished), corrupt, io */
export async function readStoredConfig(directory: string): Promise<StoredConfig> {
  return parseJson(await readText(join(directory, 'config.json'), directory), join(directory, 'config.json'))
}

/** Reads `path` in the stage directory `directory`. @throws MonosemError missing (not finished), io */
export async function readText(path: string, directory: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw storageError('read', path, cause)
    const found = existsSync(directory)
      ? `${directory} is not a finished Monosem directory: it has no ${basename(path)}`
      : `${directory}: no such directory`
    throw new MonosemError('missing', found, {
      cause,
      hint: existsSync(`${directory}.partial`)
        ? `the stage was interrupted: run its command again to finish ${directory}`
        : 'check the path, or run the stage that makes this directory first',
    })
  }
}

/** @param path of the file, for messages @throws MonosemError corrupt */
export function parseJson<T>(text: string, path: string): T {
  try {
    return JSON.parse(text) as T
  } catch (cause) {
    throw new MonosemError('corrupt', `${path}: expected JSON`, {
      cause,
      hint: 'remove the directory and make it again',
    })
  }
}
