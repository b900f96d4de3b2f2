import type { FeatureListItem, FeatureNotes, FeaturePage } from '../protocol.js'
import type { Ask } from './ask.js'
import type { ReadPages } from './read-pages.js'
import { answerFile, pageFile, type SiteNames, type SitePage } from './site-layout.js'
import type { SiteWriter } from './site-writer.js'

export interface PagesOptions {
  run: string
  /** of the exported features */
  items: readonly FeatureListItem[]
  /** every name of the run, for the features that pages mention */
  names: ReadonlyMap<number, string | null>
  /** after each page */
  wrote: () => void
}

/** Pages that are read and compressed at the same time. */
const pagesAtOnce = 64

/** Writes the page of each feature with its notes. @returns the notes, in the order of the features */
export async function writePages(
  writer: SiteWriter,
  ask: Ask,
  readPages: ReadPages,
  options: PagesOptions,
): Promise<FeatureNotes[]> {
  const { items } = options
  const notes: FeatureNotes[] = []
  for (let i = 0; i < items.length; i += pagesAtOnce) {
    const features = items.slice(i, i + pagesAtOnce).map(({ feature }) => feature)
    const pages = await readPages(features)
    notes.push(...(await Promise.all(pages.map((page) => writePage(writer, ask, page, options)))))
  }
  return notes
}

async function writePage(
  writer: SiteWriter,
  ask: Ask,
  page: FeaturePage,
  { run, names, wrote }: PagesOptions,
): Promise<FeatureNotes> {
  const { feature } = page
  const about = (rest: string): Promise<string> => ask(`/runs/${run}/features/${feature}${rest}`)
  const notes: FeatureNotes = JSON.parse(await about('/notes'))
  const [specificity, relatives] = await Promise.all([about('/specificity'), about('/relatives')])
  const content: SitePage = {
    answers: {
      ...{ '': page, '/notes': notes },
      ...{ '/specificity': JSON.parse(specificity), '/relatives': JSON.parse(relatives) },
    },
    names: namesOf(page, names),
  }
  await writer.data(pageFile(run, feature), JSON.stringify(content))
  // Looked at by few and as large as the page: files of their own.
  for (const { id } of notes.explanations.filter(({ hasExamples }) => hasExamples)) {
    const examples = `/explanations/${id}/examples`
    await writer.data(answerFile(`/runs/${run}/features/${feature}${examples}`), await about(examples))
  }
  wrote()
  return notes
}

/** Names of the features that a page mentions. */
function namesOf({ coActive, neighbours }: FeaturePage, names: PagesOptions['names']): SiteNames {
  const mentioned = new Set([...coActive, ...neighbours].map(({ feature }) => feature))
  return Object.fromEntries([...mentioned].map((feature) => [feature, names.get(feature) ?? null]))
}
