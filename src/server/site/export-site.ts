import { readFeatureList } from '../../explain/feature-list.js'
import { writeDirectory } from '../../export/export-directory.js'
import { type StageContext, silentProgress, throwIfInterrupted } from '../../progress/progress.js'
import { createApp } from '../app.js'
import type { FeatureMap, Overview, RunInfo, RunList } from '../protocol.js'
import { openServedRun, runNames, type ServedRun } from '../served-run.js'
import { readWebFiles, type WebFiles } from '../web-files.js'
import { type Ask, askApp } from './ask.js'
import { withPages } from './read-pages.js'
import { writeSiteApp } from './site-app.js'
import { answerFile, dataFolder } from './site-layout.js'
import { createSiteWriter, type SiteSize, type SiteWriter } from './site-writer.js'
import { readList, writeDocuments, writeLists, writeNames } from './write-lists.js'
import { writePages } from './write-pages.js'

export interface SiteOptions {
  /** finished run directories */
  runs: readonly string[]
  /** directory to make */
  out: string
  /** numbers and ranges, e.g. 0-99; the same of each run; default: all */
  features?: readonly string[]
  /** the built app; default: what `npm run build` made */
  web?: WebFiles
}

export interface SiteReport {
  runs: { run: string; features: number }[]
  /** by kind: app, pages, lists, other */
  sizes: Record<string, SiteSize>
}

/**
 * Writes the browser of some runs as files that any file server can show in any folder: all that needs no model. The directory appears when it is
 * complete.
 * @throws MonosemError config (`out` is there, no list of features), missing (no run, no such feature, the app is not built), corrupt, busy, io, interrupted
 */
export async function exportSite(
  { runs, out, features = [], web = readWebFiles() }: SiteOptions,
  context: StageContext = { progress: silentProgress },
): Promise<SiteReport> {
  const names = runNames(runs)
  const opened: ServedRun[] = []
  try {
    for (const [i, directory] of runs.entries()) opened.push(await openServedRun(directory, names[i]))
    const chosen = opened.map(({ info }) => readFeatureList(features, info.features))
    const ask = askApp(createApp(new Map(opened.map((run) => [run.info.run, run])), web))
    let sizes: Record<string, SiteSize> = {}
    await writeDirectory(out, async (partial) => {
      const writer = createSiteWriter(partial, kindOf)
      await writeSiteApp(writer, web)
      const list: RunList = JSON.parse(await ask('/runs'))
      await writer.data(answerFile('/runs'), JSON.stringify({ ...list, runs: list.runs.map(withoutPath) }))
      for (const [i, run] of opened.entries()) await writeRun(writer, ask, run, chosen[i], context)
      sizes = Object.fromEntries(writer.sizes)
    })
    return { runs: opened.map(({ info }, i) => ({ run: info.run, features: chosen[i].length })), sizes }
  } finally {
    for (const run of opened) run.close()
  }
}

/** Where a run lies on this machine is nobody's business elsewhere. */
const withoutPath = (info: RunInfo): RunInfo => ({ ...info, directory: info.run })

function kindOf(path: string): string {
  if (!path.startsWith(`${dataFolder}/`)) return 'app'
  if (/\/features\/\d+\//.test(path)) return 'pages'
  return /\/(items|names)\/|\/(columns|documents)\./.test(path) ? 'lists' : 'other'
}

async function writeRun(
  writer: SiteWriter,
  ask: Ask,
  served: ServedRun,
  features: readonly number[],
  context: StageContext,
): Promise<void> {
  const { info, index } = served
  const { run } = info
  await writeOverview(writer, ask, info)
  if (info.has.map) await writeMap(writer, ask, run, new Set(features))
  const everything = await readList(ask, run, 'sort=id')
  const exported = new Set(features)
  const items = everything.filter(({ feature }) => exported.has(feature))
  const all = items.length === everything.length
  await writeLists(writer, ask, { run, items, all, map: info.has.map })
  await writeNames(writer, run, items)
  const task = context.progress.start(`export ${run}`, items.length, 'features')
  let done = 0
  const wrote = (): void => {
    throwIfInterrupted(context.signal)
    task.update(++done)
  }
  const names = new Map(everything.map(({ feature, name }) => [feature, name]))
  const notes = await withPages(served, (read) => writePages(writer, ask, read, { run, items, names, wrote }))
  await writeDocuments(writer, run, items, notes, index.tokens)
  task.end()
}

/** The map of the exported features. */
async function writeMap(
  writer: SiteWriter,
  ask: Ask,
  run: string,
  exported: ReadonlySet<number>,
): Promise<void> {
  const map: FeatureMap = JSON.parse(await ask(`/runs/${run}/map`))
  const { feature, x, y, cluster, density, max, score, clusters } = map
  const kept = [...feature.keys()].filter((i) => exported.has(feature[i]))
  const columns = { feature, x, y, cluster, density, max, score }
  const only = Object.fromEntries(
    Object.entries(columns).map(([name, values]) => [name, kept.map((i) => values[i])]),
  )
  await writer.data(answerFile(`/runs/${run}/map`), JSON.stringify({ ...only, clusters }))
}

async function writeOverview(writer: SiteWriter, ask: Ask, info: RunInfo): Promise<void> {
  const path = `/runs/${info.run}/overview`
  const overview: Overview = JSON.parse(await ask(path).catch(() => '{}'))
  await writer.data(answerFile(path), JSON.stringify({ ...overview, run: withoutPath(info) }))
}
