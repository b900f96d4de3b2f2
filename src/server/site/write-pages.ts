import type { FeatureListItem, FeatureNotes, FeaturePage } from '../protocol.js'
import type { Ask } from './ask.js'
import { answerFile, pageFile, type SiteNames, type SitePage } from './site-layout.js'
import type { SiteWriter } from './site-writer.js'
import { type FoundBy, foundBy } from './write-lists.js'

export interface PagesOptions {
  run: string
  /** of the exported features */
  items: readonly FeatureListItem[]
  /** every name of the run, for the features that pages mention */
  names: ReadonlyMap<number, string | null>
  /** after each page */
  wrote: () => void
}

/** Pages that are asked for and compressed at the same time. */
const pagesAtOnce = 16

/** Writes the page of each feature with its notes. @returns what the search finds each by */
export async function writePages(writer: SiteWriter, ask: Ask, options: PagesOptions): Promise<FoundBy[]> {
  const { items } = options
  const found: FoundBy[] = []
  for (let i = 0; i < items.length; i += pagesAtOnce) {
    const some = items.slice(i, i + pagesAtOnce)
    found.push(...(await Promise.all(some.map((item) => writePage(writer, ask, item, options)))))
  }
  return found
}

async function writePage(
  writer: SiteWriter,
  ask: Ask,
  { feature, tokens }: FeatureListItem,
  { run, names, wrote }: PagesOptions,
): Promise<FoundBy> {
  const about = (rest: string): Promise<string> => ask(`/runs/${run}/features/${feature}${rest}`)
  const page: FeaturePage = JSON.parse(await about(''))
  const notes: FeatureNotes = JSON.parse(await about('/notes'))
  const content: SitePage = {
    answers: { '': page, '/notes': notes, '/specificity': JSON.parse(await about('/specificity')) },
    names: namesOf(page, names),
  }
  await writer.data(pageFile(run, feature), JSON.stringify(content))
  // Looked at by few and as large as the page: files of their own.
  for (const { id } of notes.explanations.filter(({ hasExamples }) => hasExamples)) {
    const examples = `/explanations/${id}/examples`
    await writer.data(answerFile(`/runs/${run}/features/${feature}${examples}`), await about(examples))
  }
  wrote()
  return foundBy(notes, tokens)
}

/** Names of the features that a page mentions. */
function namesOf({ coActive, neighbours }: FeaturePage, names: PagesOptions['names']): SiteNames {
  const mentioned = new Set([...coActive, ...neighbours].map(({ feature }) => feature))
  return Object.fromEntries([...mentioned].map((feature) => [feature, names.get(feature) ?? null]))
}
