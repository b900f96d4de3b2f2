import { stat } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { glob } from 'tinyglobby'
import { MonosemError } from '../errors/monosem-error.js'
import type { SourceOptions } from '../hub/hub-source.js'
import type { Progress } from '../progress/progress.js'
import { sha256, storageError } from '../storage/atomic-file.js'
import type { CorpusConfig } from './corpus-config.js'
import { type CorpusDocument, type DocumentSource, splitLongText } from './document.js'
import { findHubTexts, isHubText } from './hub-texts.js'
import type { BadInput } from './reader.js'
import { readerFor, supportedExtensions } from './readers.js'

/** Longer texts are cut into documents of at most this many bytes, at paragraph ends. */
export const MAX_DOCUMENT_BYTES = 100_000

/** At most this many skipped things are named one by one. */
const NAMED_SKIPS = 5

/** The files that a list of paths and globs stands for. */
export interface UserFiles {
  /** absolute, sorted, each once */
  paths: string[]
  /** what people call those that came from the hub, by path */
  names: ReadonlyMap<string, string>
  /** changes when a file comes, goes or changes its size */
  fingerprint: string
}

/**
 * Resolves paths, directories and globs, and places on the hub such as `hf://datasets/owner/name/data/*.parquet`.
 * @throws MonosemError missing (one of them matches no file); as `resolveSource`
 */
export async function findUserFiles(
  patterns: readonly string[],
  options: SourceOptions = {},
): Promise<UserFiles> {
  const paths = new Set<string>()
  const names = new Map<string, string>()
  for (const pattern of patterns) {
    if (isHubText(pattern)) {
      for (const { path, name } of await findHubTexts(pattern, options)) names.set(path, name)
      continue
    }
    const found = (await isFile(pattern)) ? [resolve(pattern)] : await glob(pattern, { absolute: true })
    if (found.length === 0)
      throw new MonosemError('missing', `corpus: expected files for ${JSON.stringify(pattern)}, found none`, {
        hint: `check the path from ${process.cwd()}, and quote globs so that the shell leaves them alone`,
      })
    for (const path of found) paths.add(path)
  }
  const sorted = [...paths, ...names.keys()].sort()
  let bytes = 0
  const lines: string[] = []
  for (const path of sorted) {
    const { size } = await stat(path).catch((cause) => Promise.reject(storageError('open', path, cause)))
    bytes += size
    lines.push(`${names.get(path) ?? relative(process.cwd(), path)} ${size}`)
  }
  const fingerprint = `${sorted.length} files, ${bytes} bytes, ${sha256(lines.join('\n')).slice(0, 12)}`
  return { paths: sorted, names, fingerprint }
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  )

/**
 * The documents of a user's files, file by file. The first pass reports what `skipBad` skips; later ones are silent.
 * @throws MonosemError while reading: format, missing (field), config (extension), io
 */
export function userCorpus(
  { paths, names }: Pick<UserFiles, 'paths' | 'names'>,
  config: Pick<CorpusConfig, 'field' | 'skipBad'>,
  progress: Progress,
): { source: DocumentSource; skipped: () => Record<string, number> } {
  const skipped: Record<string, number> = {}
  let passes = 0
  const source = async function* (): AsyncGenerator<CorpusDocument> {
    const first = passes++ === 0
    const bad: BadInput = (reason, error, count = 1) => {
      if (!config.skipBad) throw error
      if (!first) return
      skipped[reason] = (skipped[reason] ?? 0) + count
      const total = Object.values(skipped).reduce((a, b) => a + b, 0)
      if (total <= NAMED_SKIPS) progress.note(`skipped: ${error.message}`)
    }
    for (const path of paths) {
      const name = names.get(path) ?? relative(process.cwd(), path)
      yield* documentsOf(path, name, config.field, bad)
    }
    if (first && Object.keys(skipped).length > 0)
      progress.note(
        `skipped in all: ${Object.entries(skipped)
          .map(([reason, count]) => `${count} ${reason}`)
          .join(', ')}`,
      )
  }
  return { source, skipped: () => skipped }
}

async function* documentsOf(
  path: string,
  name: string,
  field: string,
  bad: BadInput,
): AsyncGenerator<CorpusDocument> {
  const read = readerFor(path)
  if (!read) {
    bad(
      'files of other types',
      new MonosemError('config', `${name}: expected one of ${supportedExtensions.join(' ')}`, {
        hint: 'narrow the glob, or skip such files with --skip-bad',
      }),
    )
    return
  }
  let texts = 0
  for await (const { text, place } of read({ path, name, field, bad })) {
    if (text.trim() === '') continue
    texts++
    const source = place === '' ? name : `${name}:${place}`
    for (const [i, piece] of splitLongText(text, MAX_DOCUMENT_BYTES).entries())
      yield { kind: 'text', source, group: `${source}#${i}`, text: piece }
  }
  if (texts === 0)
    bad(
      'files without text',
      new MonosemError('format', `${name}: expected text, the file holds none`, {
        hint: 'remove the file, or skip such files with --skip-bad',
      }),
    )
}
