import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { SourceOptions } from '../hub/hub-source.js'
import { resolveSource } from '../hub/resolve-source.js'
import { readerFor } from './readers.js'

/** Whether a text is named by its place on the Hugging Face hub: `hf://datasets/owner/name/data/*.parquet`. */
export const isHubText = (pattern: string): boolean => pattern.startsWith('hf:')

/** A file of text of the hub. */
export interface HubText {
  /** absolute, in the hub's cache */
  path: string
  /** for people: the same on every machine */
  name: string
}

/**
 * Downloads the text files that a place on the hub names, a file, a folder or a glob, into the hub's cache.
 * @throws MonosemError as `resolveSource`
 */
export async function findHubTexts(pattern: string, options: SourceOptions): Promise<HubText[]> {
  const segments = pattern.split('/')
  const glob = segments.findIndex((segment) => /[*?{]/.test(segment))
  const place = glob < 0 ? pattern : segments.slice(0, glob).join('/')
  const matches = glob < 0 ? /^/ : new RegExp(`^${globSource(segments.slice(glob).join('/'))}$`)
  const isText = (path: string) => matches.test(path) && readerFor(path) !== null
  // Of a file that is named, nothing beside it.
  const wanted = glob < 0 && readerFor(place) !== null ? () => false : isText
  const { directory, file, commit } = await resolveSource(place, wanted, options)
  const paths = file ? [file] : (await readdir(directory, { recursive: true })).filter(isText).sort()
  return paths.map((path) => ({
    path: join(directory, path),
    name: `${file ? place : `${place.replace(/\/$/, '')}/${path}`} (${commit?.slice(0, 8)})`,
  }))
}

/** `*` and `?` stay inside a folder, `**` goes into all; `{a,b}` is either. */
function globSource(glob: string): string {
  return glob.replace(/\*\*\/|\*\*|[*?]|\{[^{}]*\}|[.+^$()|[\]\\{}]/g, (part) => {
    if (part === '**/') return '(?:.*/)?'
    if (part === '**') return '.*'
    if (part === '*') return '[^/]*'
    if (part === '?') return '[^/]'
    if (part.length > 1) return `(?:${part.slice(1, -1).split(',').map(globSource).join('|')})`
    return `\\${part}`
  })
}
