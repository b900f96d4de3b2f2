import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { z } from 'zod'
import { MonosemError } from '../../errors/monosem-error.js'
import { storageError } from '../../storage/atomic-file.js'
import { type OpenStage, openStage } from '../../storage/open-stage.js'

/**
 * Opens a part of a run that may not be there.
 * @returns null where the run has no such part
 * @throws MonosemError missing (unfinished, or another stage's), corrupt
 */
export async function openPart(directory: string, stage: string): Promise<OpenStage<unknown> | null> {
  if (existsSync(directory)) return openStage(directory, stage)
  if (!existsSync(`${directory}.partial`)) return null
  throw new MonosemError('missing', `${basename(directory)} is not finished`, {
    hint: 'run the command that was making it again: it goes on where it stopped',
  })
}

/**
 * A JSON file of a finished stage, checked against the hash in its manifest.
 * @returns null where the stage has no such file
 * @throws MonosemError corrupt (hash, or not of the form that is expected)
 */
export async function readPartJson<Schema extends z.ZodType>(
  stage: OpenStage<unknown>,
  name: string,
  schema: Schema,
): Promise<z.output<Schema> | null> {
  const text = await readPartText(stage, name)
  return text === null ? null : parseJson(text, `${basename(stage.directory)}/${name}`, schema)
}

/** @returns null where the stage has no such file @throws MonosemError corrupt, io */
export async function readPartText(stage: OpenStage<unknown>, name: string): Promise<string | null> {
  if (!stage.manifest.files[name]) return null
  const path = await stage.file(name)
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw storageError('read', path, cause)
  }
}

/** @throws MonosemError corrupt */
export function parseJson<Schema extends z.ZodType>(
  text: string,
  name: string,
  schema: Schema,
): z.output<Schema> {
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new MonosemError('corrupt', `${name} does not hold what is expected in it`, {
      cause,
      hint: 'was it made by another version? remove the directory and make it again',
    })
  }
}
