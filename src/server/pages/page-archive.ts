import { type FileHandle, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MonosemError } from '../../errors/monosem-error.js'
import { storageError } from '../../storage/atomic-file.js'
import { requireMadeFrom } from '../../storage/made-from.js'
import { type OpenStage, openStage } from '../../storage/open-stage.js'
import { hashBytes, hashOf, type StoredAnswer } from '../stored-answer.js'

/*
 * The pages of all features, ready to be sent. pages-0000.bin and on hold 512 features each: one member of gzip after another. index.bin has a
 * record for each feature, by id: offset in its file and length (uint32, little-endian), and the first 16 bytes of the SHA-256 of the JSON and of
 * the compressed page. So the index alone is checked against the manifest when the archive is opened, and each page against the index when it is read:
 * gigabytes are not read before the first page.
 */

/** Features in one file. */
export const archiveFeatures = 512

export const archiveFile = (number: number): string => `pages-${String(number).padStart(4, '0')}.bin`
export const indexFile = 'index.bin'
export const recordBytes = 8 + 2 * hashBytes

export interface PageArchive {
  features: number
  /**
   * One read from the disk, checked against the hash of the page.
   * @throws MonosemError corrupt, io
   */
  get(feature: number): Promise<StoredAnswer>
  close(): Promise<void>
}

/** Directories that pages are made from, by role; null where the run has none. */
export interface PageInputs {
  features: string
  'feature-map': string | null
  ablation: string | null
}

/**
 * Opens a finished `feature-pages` directory.
 * @throws MonosemError missing (not finished), corrupt, config (made from other features, another map or other effects)
 */
export async function openPageArchive(directory: string, inputs: PageInputs): Promise<PageArchive> {
  const stage = await openStage(directory, 'feature-pages')
  await requireInputs(stage, inputs)
  const path = await stage.file(indexFile)
  const index = await readFile(path)
  const features = index.length / recordBytes
  if (!Number.isInteger(features))
    throw new MonosemError('corrupt', `${path}: expected ${recordBytes} bytes a feature, got ${index.length}`)
  const handles = new Map<number, Promise<FileHandle>>()
  const file = (number: number): Promise<FileHandle> => {
    const opened = handles.get(number) ?? openFile(join(stage.directory, archiveFile(number)))
    handles.set(number, opened)
    return opened
  }
  return {
    features,
    get: async (feature) => {
      const at = feature * recordBytes
      const [offset, length] = [index.readUInt32LE(at), index.readUInt32LE(at + 4)]
      const handle = await file(Math.floor(feature / archiveFeatures))
      const gzip = Buffer.allocUnsafe(length)
      const { bytesRead } = await handle.read(gzip, 0, length, offset)
      const [ofJson, ofPage] = [at + 8, at + 8 + hashBytes]
      if (bytesRead !== length || !hashOf(gzip).equals(index.subarray(ofPage, at + recordBytes)))
        throw new MonosemError('corrupt', `${directory}: the page of feature ${feature} is damaged`, {
          hint: `remove ${directory} and make it again`,
        })
      return { gzip, hash: index.toString('base64url', ofJson, ofPage) }
    },
    close: async () => {
      for (const opened of await Promise.allSettled(handles.values()))
        if (opened.status === 'fulfilled') await opened.value.close()
    },
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw storageError('open', path, cause)
    // Not `missing`: the feature is there, and the archive is not whole.
    throw new MonosemError('corrupt', `${path} is gone`, {
      cause,
      hint: 'remove its directory and make it again',
    })
  }
}

/** Pages show all that the run has, so they must have been made from all of it, and from nothing else. */
async function requireInputs(stage: OpenStage<unknown>, inputs: PageInputs): Promise<void> {
  for (const [role, directory] of Object.entries(inputs) as [string, string | null][]) {
    if (directory !== null && stage.manifest.inputs[role]) await requireMadeFrom(stage, role, directory)
    else if (directory !== null || stage.manifest.inputs[role])
      throw new MonosemError(
        'config',
        `${stage.directory} was made ${directory ? 'before there was a' : 'with a'} ${role}${directory ? '' : ' that is not there'}`,
        { hint: 'remove it and make it again: monosem features pages' },
      )
  }
}
