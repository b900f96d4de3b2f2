import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openFeatureStore } from '../../features/feature-store.js'
import { type StageContext, throwIfInterrupted } from '../../progress/progress.js'
import { storageError, writeFileAtomic } from '../../storage/atomic-file.js'
import { runStage, type StageResult } from '../../storage/stage.js'
import { openOptionalParts } from '../optional-parts.js'
import { hashBytes, hashOf, type StoredAnswer, storedAnswer } from '../stored-answer.js'
import { archiveFeatures, archiveFile, indexFile, recordBytes } from './page-archive.js'
import { openPageMaker, type PageMaker } from './page-maker.js'

/** Pages made at once, a few hundred kilobytes each on the way; few at once would read the files of the tables again and again. */
const pagesAtOnce = 256

/**
 * Runs the `feature-pages` stage: the page of every feature, ready to be sent. The directory is `<run>/feature-pages`; the features, and the map and the
 * effects of ablation where they are there, are the run's. It keeps no checkpoint: when interrupted it starts over.
 * @param run directory with finished `features`
 * @throws MonosemError missing, config (a directory made from others is there), corrupt, io, interrupted
 */
export async function runFeaturePagesStage(run: string, context: StageContext): Promise<StageResult> {
  const part = (role: string): string => join(run, role)
  const parts = await openOptionalParts(run)
  const inputs = {
    features: part('features'),
    ...(parts.map === null ? {} : { 'feature-map': part('feature-map') }),
    ...(parts.ablation === null ? {} : { ablation: part('ablation') }),
  }
  const request = { stage: 'feature-pages', out: part('feature-pages'), config: {}, inputs }
  return runStage(request, async (partial) => {
    const store = await openFeatureStore(inputs.features)
    const maker = await openPageMaker(store, parts)
    try {
      await writePages(maker, store.summary.features, partial, context)
    } finally {
      maker.close()
      store.close()
    }
  })
}

async function writePages(
  maker: PageMaker,
  features: number,
  directory: string,
  context: StageContext,
): Promise<void> {
  const index = Buffer.alloc(features * recordBytes)
  const task = context.progress.start('write pages', features, 'features')
  for (let first = 0; first < features; first += archiveFeatures) {
    const end = Math.min(features, first + archiveFeatures)
    const pages: StoredAnswer[] = []
    while (first + pages.length < end) {
      throwIfInterrupted(context.signal)
      const from = first + pages.length
      const ids = Array.from({ length: Math.min(pagesAtOnce, end - from) }, (_, i) => from + i)
      pages.push(...(await Promise.all((await maker.pages(ids)).map((json) => storedAnswer(json)))))
      task.update(first + pages.length)
    }
    await writeArchiveFile(directory, first, pages, index)
  }
  await writeFileAtomic(join(directory, indexFile), index)
  task.end()
}

/** Writes one file of pages and the records of its features. @param first the first feature */
export async function writeArchiveFile(
  directory: string,
  first: number,
  pages: readonly StoredAnswer[],
  index: Buffer,
): Promise<void> {
  let offset = 0
  pages.forEach(({ gzip, hash }, i) => {
    const at = (first + i) * recordBytes
    index.writeUInt32LE(offset, at)
    index.writeUInt32LE(gzip.length, at + 4)
    index.write(hash, at + 8, 'base64url')
    hashOf(gzip).copy(index, at + 8 + hashBytes)
    offset += gzip.length
  })
  const path = join(directory, archiveFile(first / archiveFeatures))
  try {
    await writeFile(path, Buffer.concat(pages.map(({ gzip }) => gzip)))
  } catch (cause) {
    throw storageError('write', path, cause)
  }
}
