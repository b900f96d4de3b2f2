import { isUtf8 } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { Random } from '../random/random.js'
import { type CorpusDocument, splitLongText, utf8Length } from './document.js'
import { listPackageFiles, type PackageFile } from './package-files.js'

/** Documents of package files are at most this long: small enough to mix well. */
const DOCUMENT_BYTES = 16_000

/** One file and one package may give at most this many bytes of code. */
const FILE_BYTES = 300_000
const PACKAGE_BYTES = 2_500_000

/** A piece is left out when more than this share of its long lines were seen before. */
const REPEATED_SHARE = 0.4

/** Wanted bytes (UTF-8) of each part. */
export interface PackageBudget {
  docs: number
  code: number
  messages: number
}

/**
 * Documents from installed packages: "docs" (README, CHANGELOG, other prose, then declarations that are mostly comments),
 * "code", and "messages-<language>" (TypeScript's translated diagnostics, the only real prose in many languages there).
 * Repeated text (licences, ESM and CommonJS builds of one source) is taken once; minified and binary files are not.
 * @param onFile called after every file; may throw to stop
 */
export async function packageTexts(
  nodeModules: string,
  budget: PackageBudget,
  seed: number,
  onFile: () => Promise<void>,
): Promise<CorpusDocument[]> {
  const random = Random.named(seed, 'package texts')
  const files = random.shuffle(await listPackageFiles(nodeModules))
  const ofKind = (kind: PackageFile['kind']) => files.filter((file) => file.kind === kind)
  const seen = new Set<string>()
  const used = new Map<string, number>()
  const take = async (list: PackageFile[], kind: 'docs' | 'code', bytes: number, wanted: Filter) => {
    const out: CorpusDocument[] = []
    let total = 0
    for (const file of list) {
      if (total >= bytes) break
      const text = await readSource(file.path)
      await onFile()
      if (text === null || !wanted(text)) continue
      const room = Math.min(FILE_BYTES, PACKAGE_BYTES - (used.get(file.package) ?? 0), bytes - total)
      const pieces = freshPieces(text, room, seen)
      const size = pieces.reduce((sum, piece) => sum + utf8Length(piece), 0)
      used.set(file.package, (used.get(file.package) ?? 0) + size)
      total += size
      for (const piece of pieces) out.push({ kind, source: file.name, group: file.name, text: piece })
    }
    return { out, total }
  }
  const prose = await take(ofKind('docs'), 'docs', budget.docs, () => true)
  const types = ofKind('types')
  const documented = await take(types, 'docs', budget.docs - prose.total, (text) => commentShare(text) > 0.4)
  const code = await take(random.shuffle([...ofKind('code'), ...types]), 'code', budget.code, () => true)
  const messages = await messageTexts(ofKind('messages'), budget.messages, random, onFile)
  return [...prose.out, ...documented.out, ...code.out, ...messages]
}

type Filter = (text: string) => boolean

/** A text file with \n line ends; null when it is binary, minified or hardly holds a word. */
async function readSource(path: string): Promise<string | null> {
  const bytes = await readFile(path)
  if (bytes.length < 80 || bytes.includes(0) || !isUtf8(bytes)) return null
  const text = bytes
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .replaceAll('\r\n', '\n')
  const lines = text.split('\n')
  const longest = lines.reduce((most, line) => Math.max(most, line.length), 0)
  return longest > 2000 || text.length / lines.length > 160 ? null : text
}

function commentShare(text: string): number {
  const comments = text.match(/\/\*\*[\s\S]*?\*\//g) ?? []
  return comments.reduce((sum, comment) => sum + comment.length, 0) / text.length
}

/**
 * Cuts a file into documents without what was seen before, at most `room` bytes: of a longer file, pieces spread evenly over
 * it.
 */
function freshPieces(text: string, room: number, seen: Set<string>): string[] {
  const pieces = splitLongText(text, DOCUMENT_BYTES).filter((piece) => isFresh(piece, seen))
  const total = pieces.reduce((sum, piece) => sum + utf8Length(piece), 0)
  if (total <= room) return pieces
  const kept = Math.floor((pieces.length * Math.max(0, room)) / total)
  return Array.from({ length: kept }, (_, i) => pieces[Math.floor((i * pieces.length) / kept)] as string)
}

/** Notes a piece's long lines, and says whether most of them are new. */
function isFresh(piece: string, seen: Set<string>): boolean {
  const lines = piece
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.length >= 20)
  const repeated = lines.filter((line) => seen.has(line)).length
  if (repeated > REPEATED_SHARE * lines.length) return false
  for (const line of lines) seen.add(line)
  return true
}

/** Messages per document. */
const MESSAGES = 40

async function messageTexts(
  files: PackageFile[],
  budget: number,
  random: Random,
  onFile: () => Promise<void>,
): Promise<CorpusDocument[]> {
  const out: CorpusDocument[] = []
  for (const file of files) {
    const language = file.name.split('/').at(-2) as string
    const table = JSON.parse(await readFile(file.path, 'utf8')) as Record<string, string>
    await onFile()
    const messages = random.shuffle(Object.values(table).filter((text) => typeof text === 'string'))
    let total = 0
    for (let i = 0; i < messages.length && total < budget / files.length; i += MESSAGES) {
      const text = `${messages.slice(i, i + MESSAGES).join('\n')}\n`
      total += utf8Length(text)
      out.push({ kind: `messages-${language}`, source: file.name, group: `${file.name}#${i}`, text })
    }
  }
  return out
}
