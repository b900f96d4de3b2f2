import { lstat, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MonosemError } from '../../errors/monosem-error.js'
import { storageError } from '../../storage/atomic-file.js'
import { openStage } from '../../storage/open-stage.js'
import { stageDirectories } from './stage-directories.js'

/** A file of a run that can be looked at as it is. */
export interface Report {
  /** as in the run directory, e.g. `eval/eval.json` */
  name: string
  type: 'text/html; charset=utf-8' | 'application/json'
  /** @throws MonosemError missing, corrupt, io */
  read(): Promise<Buffer<ArrayBuffer>>
}

/** Reports by the last part of their addresses. */
export type Reports = ReadonlyMap<string, Report>

/** JSON files that tell what came of a stage. */
const resultFiles: Readonly<Record<string, string>> = {
  eval: 'eval.json',
  'case-studies': 'case-studies.json',
}

/**
 * Finds the reports of a run: pages that a stage lists in its manifest, results of evaluations and case studies, and the summary.
 * What comes with a request is only looked up in this map: it never becomes a path.
 */
export async function findReports(root: string): Promise<Reports> {
  const reports = new Map<string, Report>()
  const add = (report: Report): void => {
    const plain = report.name.replace(/[^\w.-]+/g, '.')
    let key = plain
    for (let i = 2; reports.has(key); i++) key = `${i}.${plain}`
    reports.set(key, report)
  }
  for (const { name: part, directory, manifest } of await stageDirectories(root, 2)) {
    const names = Object.keys(manifest.files).filter((name) => isPlain(name))
    for (const name of names.filter((name) => isPage(name) || name === resultFiles[manifest.stage]))
      add({
        name: `${part}/${name}`,
        type: isPage(name) ? 'text/html; charset=utf-8' : 'application/json',
        read: async () => readPlain(await (await openStage(directory, manifest.stage)).file(name)),
      })
  }
  const summary = join(root, 'summary.json')
  if (await isFile(summary))
    add({ name: 'summary.json', type: 'application/json', read: () => readPlain(summary) })
  return reports
}

const isPage = (name: string): boolean => name.endsWith('.html')

/** A manifest may come from elsewhere: nothing in it may lead out of its directory. */
const isPlain = (name: string): boolean => /^[^/\\]+$/.test(name) && name !== '..' && name !== '.'

/** No link, which might lead anywhere. */
const isFile = async (path: string): Promise<boolean> =>
  (await lstat(path).catch(() => null))?.isFile() ?? false

async function readPlain(path: string): Promise<Buffer<ArrayBuffer>> {
  if (!(await isFile(path))) throw new MonosemError('missing', `${path} is not there, or no plain file`)
  try {
    return await readFile(path)
  } catch (cause) {
    throw storageError('read', path, cause)
  }
}
