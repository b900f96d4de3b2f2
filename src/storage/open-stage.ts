import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { sha256File, storageError } from './atomic-file.js'
import {
  type Json,
  type Manifest,
  manifestHash,
  parseJson,
  readStoredConfig,
  readText,
} from './stage-files.js'

/** A finished stage directory, opened for reading. */
export interface OpenStage<C> {
  directory: string
  config: C
  manifest: Manifest
  /** Absolute path of a payload file, after checking its size and SHA-256 against the manifest. */
  file(name: string): Promise<string>
  /** A JSON payload file, after the same check. @throws MonosemError missing (no such file), corrupt */
  json<T = Json>(name: string): Promise<T>
  /** Absolute path of an input directory, after checking that it is still the one that was used. */
  input(role: string): Promise<string>
}

/**
 * Opens a finished stage directory.
 * @throws MonosemError missing (not finished, or another stage's), corrupt (manifest damaged), format (another version's)
 */
export async function openStage<C = Record<string, Json>>(
  directory: string,
  stage: string,
): Promise<OpenStage<C>> {
  const absolute = resolve(directory)
  const manifestPath = join(absolute, 'manifest.json')
  const manifest = parseJson<Manifest>(await readText(manifestPath, directory), manifestPath)
  if (manifest.version !== 1)
    throw new MonosemError(
      'format',
      `${directory} was made by another version: expected layout 1, got ${manifest.version}`,
      { hint: 'read it with that version, or make it again' },
    )
  if (manifest.stage !== stage)
    throw new MonosemError(
      'missing',
      `${directory}: expected a ${stage} directory, got a ${manifest.stage} directory`,
      {
        hint: `pass the directory that the ${stage} stage wrote`,
      },
    )
  const { config } = await readStoredConfig(absolute)
  const verified = new Map<string, Promise<string>>()
  const file = (name: string): Promise<string> => {
    if (!verified.has(name)) verified.set(name, verifyFile(absolute, manifest, name))
    return verified.get(name)!
  }
  return {
    directory: absolute,
    config: config as C,
    manifest,
    file,
    json: async <T>(name: string) => {
      const path = await file(name)
      return parseJson<T>(await readText(path, directory), path)
    },
    input: (role) => verifyInput(absolute, manifest, role),
  }
}

/** A JSON payload file of a finished stage directory. @throws MonosemError as `openStage` and `OpenStage.json` */
export async function readStageJson<T = Json>(directory: string, stage: string, name: string): Promise<T> {
  return (await openStage(directory, stage)).json<T>(name)
}

async function verifyFile(directory: string, manifest: Manifest, name: string): Promise<string> {
  const path = join(directory, name)
  const entry = manifest.files[name]
  if (!entry)
    throw new MonosemError('missing', `${directory} has no file ${name}`, {
      hint: 'was it made by another version?',
    })
  const size = await stat(path).then(
    (s) => s.size,
    (cause) => Promise.reject(storageError('open', path, cause)),
  )
  if (size !== entry.bytes)
    throw new MonosemError('corrupt', `${path}: expected ${entry.bytes} bytes, got ${size}`, {
      hint: `remove ${directory} and make it again`,
    })
  const found = await sha256File(path)
  if (found !== entry.sha256)
    throw new MonosemError(
      'corrupt',
      `${path}: expected SHA-256 ${entry.sha256.slice(0, 12)}…, got ${found.slice(0, 12)}…`,
      {
        hint: `the file changed after it was written; remove ${directory} and make it again`,
      },
    )
  return path
}

async function verifyInput(directory: string, manifest: Manifest, role: string): Promise<string> {
  const entry = manifest.inputs[role]
  if (!entry) throw new MonosemError('missing', `${directory} has no input called ${role}`)
  const path = resolve(directory, entry.path)
  if ((await manifestHash(path)) !== entry.manifestSha256)
    throw new MonosemError('corrupt', `${path} is not the ${role} that ${directory} was made from`, {
      hint: 'it was replaced since; make the later stages again',
    })
  return path
}
