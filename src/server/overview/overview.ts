import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { MonosemError } from '../../errors/monosem-error.js'
import type { NotesStore } from '../notes/notes-store.js'
import type { Overview, RunInfo } from '../protocol.js'
import { type StoredAnswer, storedAnswer } from '../stored-answer.js'
import { readCaseStudiesPart } from './case-studies-part.js'
import { readCorpusPart } from './corpus-part.js'
import { readEvaluationPart } from './evaluation-part.js'
import { readExplainedPart } from './explained-part.js'
import { frontierOf } from './frontier.js'
import { readModelPart } from './model-part.js'
import type { Reports } from './reports.js'
import { readSaePart } from './sae-part.js'

/** What an overview needs of a served run. */
export interface OverviewSource {
  info: RunInfo
  /** absolute */
  directory: string
  notes: Pick<NotesStore, 'query' | 'version' | 'refresh'>
  reports: Reports
  /** why parts that are there are not used */
  warnings: readonly string[]
}

type Problem = Overview['problems'][number]

/**
 * The story of a run in figures. A part that is not there is null; one that cannot be read is null too, and `problems` says why.
 * @param all every served run, this one among them: their evaluations make the frontier
 */
export async function readOverview(run: OverviewSource, all: readonly OverviewSource[]): Promise<Overview> {
  const problems: Problem[] = run.warnings.map((message) => ({ part: 'features', message, hint: null }))
  const part = async <T>(name: string, read: () => Promise<T>): Promise<T | null> => {
    try {
      return await read()
    } catch (error) {
      problems.push(problemOf(name, error))
      return null
    }
  }
  const at = (role: string): string => join(run.directory, role)
  const evaluation = await part('eval', () => readEvaluationPart(at('eval')))
  const points = all.map(({ info, directory }) =>
    frontierOf(info.run, directory, (name, error) => {
      // The run's own evaluation has been complained about above.
      if (directory !== run.directory || name !== 'eval' || evaluation)
        problems.push(problemOf(`${info.run}/${name}`, error))
    }),
  )
  return {
    run: run.info,
    corpus: await part('corpus', () => readCorpusPart(at('corpus'))),
    model: await part('model', () => readModelPart(at('model'))),
    sae: await part('sae', () => readSaePart(at('sae'))),
    evaluation: evaluation?.evaluation ?? null,
    density: evaluation?.density ?? null,
    explanations: await part('explanations', () => readExplainedPart(run.notes.query)),
    caseStudies: await part('case-studies', () => readCaseStudiesPart(at('case-studies'))),
    frontier: (await Promise.all(points)).flat(),
    reports: Array.from(run.reports, ([key, { name }]) => ({ name, href: `reports/${key}` })),
    problems,
  }
}

function problemOf(part: string, error: unknown): Problem {
  if (!(error instanceof MonosemError)) throw error
  return { part, message: error.message, hint: error.hint ?? null }
}

/** Overviews that are made again only when a file that they may be made from has changed. */
export interface Overviews {
  get(run: OverviewSource, all: readonly OverviewSource[]): Promise<StoredAnswer>
}

/** @param patience milliseconds for which files are not looked at again; default 500 */
export function createOverviews(patience = 500): Overviews {
  const kept = new Map<string, { page: Promise<StoredAnswer>; state: string; version: number }>()
  let looked: { state: Promise<string>; at: number } | null = null
  return {
    async get(run, all) {
      if (!looked || performance.now() - looked.at > patience)
        looked = { state: stateOf(all.map(({ directory }) => directory)), at: performance.now() }
      const state = await looked.state
      // What is wrong with them is among the problems of the page.
      await run.notes.refresh().catch(() => {})
      const version = run.notes.version()
      const known = kept.get(run.directory)
      if (known?.state === state && known.version === version) return known.page
      const page = readOverview(run, all).then((overview) => storedAnswer(JSON.stringify(overview)))
      kept.set(run.directory, { page, state, version })
      page.catch(() => kept.delete(run.directory))
      return page
    },
  }
}

/** Small text files of the parts of runs, by size and time: changes when what they hold does. */
async function stateOf(roots: readonly string[]): Promise<string> {
  const parts = await Promise.all(
    roots.map(async (root) => {
      const directories = (await readdir(root, { withFileTypes: true })).filter((entry) =>
        entry.isDirectory(),
      )
      return Promise.all(directories.map(({ name }) => partState(join(root, name))))
    }),
  )
  return parts.flat().join('\n')
}

async function partState(directory: string): Promise<string> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => /\.jsonl?$/.test(name))
  const stats = await Promise.all(
    names.sort().map(async (name) => {
      const found = await stat(join(directory, name)).catch(() => null)
      return `${name} ${found?.size} ${found?.mtimeMs}`
    }),
  )
  return [basename(directory), ...stats].join(' ')
}
