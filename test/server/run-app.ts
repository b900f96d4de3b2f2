import type { TestContext } from 'node:test'
import { createApp } from '../../src/server/app.js'
import { openServedRun, type ServedRun } from '../../src/server/served-run.js'

export const runPath = '/api/v1/runs/run'

/** The server over a real run directory, without a port, a log and the app's files. */
export async function runApp(t: TestContext, directory: string) {
  const run = await openServedRun(directory, 'run')
  t.after(() => run.close())
  const app = createApp(new Map<string, ServedRun>([['run', run]]), new Map(), { log: () => {} })
  const get = (path: string, headers: Record<string, string> = {}) =>
    app.request(`${runPath}${path}`, { headers })
  /** @returns the answer to a request that must not fail */
  const read = async (path: string): Promise<unknown> => {
    const answer = await get(path)
    const body = await answer.json()
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(body)}`)
    return body
  }
  return { run, app, get, read }
}
