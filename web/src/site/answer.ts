import type { FeatureNames } from '../../../src/server/protocol'
import {
  answerFile,
  namesFile,
  namesInFile,
  pageFile,
  type SiteNames,
  type SitePage,
} from '../../../src/server/site/site-layout'
import { ApiError } from '../api'
import { kept } from './kept'
import { listFeatures } from './list'
import { parseQuery } from './parse-query'
import { readFile } from './read-file'

/*
 * What the server would answer to a GET, from the files of an exported site; site-layout.ts says where they are.
 */

/** @param path below /api/v1, with its query. @throws ApiError missing, offline; AbortError */
export async function answer<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await find(path, signal)) as T
}

function find(path: string, signal?: AbortSignal): Promise<unknown> {
  const [address, query] = path.split('?')
  const params = new URLSearchParams(query)
  const [, run, rest] = /^\/runs\/([^/]+)\/features(?:\/(.*))?$/.exec(address) ?? []
  if (run === undefined) return readFile(answerFile(address), signal)
  if (rest === undefined) return listFeatures(run, parseQuery(params))
  if (rest === 'names') return namesOf(run, (params.get('ids') ?? '').split(',').filter(Boolean).map(Number))
  const [, feature, part] = /^(\d+)(\/.*)?$/.exec(rest) ?? []
  if (feature === undefined) throw notExported(address)
  return partOf(run, Number(feature), part ?? '', signal)
}

/** Names that came with pages: those of the features that a page mentions. */
const known = new Map<string, Map<number, string | null>>()

const pages = kept(64, async (path) => readFile<SitePage>(path))

async function partOf(run: string, feature: number, part: string, signal?: AbortSignal): Promise<unknown> {
  if (part.startsWith('/explanations/'))
    return readFile(answerFile(`/runs/${run}/features/${feature}${part}`), signal)
  const { answers, names } = await pages(pageFile(run, feature))
  const ofRun = known.get(run) ?? new Map()
  known.set(run, ofRun)
  for (const [id, name] of Object.entries(names)) ofRun.set(Number(id), name)
  if (!(part in answers)) throw notExported(`features/${feature}${part}`)
  return answers[part]
}

const namesFrom = kept(256, (path) => readFile<SiteNames>(path))

async function namesOf(run: string, ids: readonly number[]): Promise<FeatureNames> {
  const name = async (feature: number): Promise<string | null> => {
    const held = known.get(run)?.get(feature)
    if (held !== undefined) return held
    // A feature that was not exported has no name here.
    const names = await namesFrom(namesFile(run, Math.floor(feature / namesInFile))).catch(
      () => ({}) as SiteNames,
    )
    return names[feature] ?? null
  }
  return { names: await Promise.all(ids.map(async (feature) => ({ feature, name: await name(feature) }))) }
}

const notExported = (address: string) =>
  new ApiError(404, {
    code: 'missing',
    message: `${address} is not part of exported pages.`,
    hint: 'monosem serve shows the run with its model.',
  })
