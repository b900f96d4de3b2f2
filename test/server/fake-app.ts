import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type AppOptions, createApp } from '../../src/server/app.js'
import type { FeatureNotes, NotesUpdate } from '../../src/server/protocol.js'
import type { ServedRun } from '../../src/server/served-run.js'
import { readWebFiles, type WebFiles } from '../../src/server/web-files.js'
import { temporaryDirectory } from '../temporary-directory.js'

/** The files that a build leaves, in small. */
export async function fakeWebFiles(t: TestContext): Promise<WebFiles> {
  const directory = await temporaryDirectory(t)
  await mkdir(join(directory, 'assets'))
  await writeFile(join(directory, 'index.html'), '<html><head></head><body>the app</body></html>')
  await writeFile(join(directory, 'login.html'), '<html><head></head><body role="alert"></body></html>')
  await writeFile(join(directory, 'assets', 'index-1234.js'), `console.log(1)\n${'//\n'.repeat(1000)}`)
  await writeFile(join(directory, 'secret.txt'), 'not for the network')
  return readWebFiles(directory)
}

/** An app with one run that writes down what is done to it. */
export async function fakeApp(t: TestContext, options: AppOptions = {}, parts: Partial<ServedRun> = {}) {
  const written: NotesUpdate[] = []
  const logged: string[] = []
  const has = { model: true, map: true, explanations: true, ablation: true }
  const info = { run: 'demo', directory: 'runs/demo', hookName: 'h', features: 4, context: 8, has }
  const notes: Partial<ServedRun['notes']> = {
    put: async (feature, update) => {
      written.push(update)
      return { feature, ...update, explanations: [] } as unknown as FeatureNotes
    },
    get: async (feature) =>
      ({ feature, label: null, note: null, explanations: [] }) as unknown as FeatureNotes,
    names: () => new Map(),
  }
  const run = { info, directory: '/home/somebody/runs/demo', notes, close: () => {}, ...parts }
  const log = (text: string) => void logged.push(text)
  const runs = new Map([['demo', run as unknown as ServedRun]])
  const app = createApp(runs, await fakeWebFiles(t), { log, ...options })
  return { app, written, logged }
}

/** A request that changes something, as the app itself sends it. */
export const put = (
  headers: Record<string, string> = {},
  body = '{"label":"x","note":null}',
): RequestInit => ({
  method: 'PUT',
  headers: { 'content-type': 'application/json', ...headers },
  body,
})

/** Address of what `put` changes. */
export const notesPath = '/api/v1/runs/demo/features/1/notes'
