import { serve as listen } from '@hono/node-server'
import { createApp } from './app.js'
import { openServedRun, runNames } from './served-run.js'
import { readWebFiles } from './web-files.js'

export interface ServeOptions {
  runs: readonly string[]
  /** default 4100; 0 takes a free one */
  port?: number
}

export interface Server {
  /** e.g. http://127.0.0.1:4100 */
  url: string
  close(): Promise<void>
}

/** Opens the runs and starts to listen on 127.0.0.1. */
export async function startServer({ runs, port = 4100 }: ServeOptions): Promise<Server> {
  const names = runNames(runs)
  const opened = await Promise.all(runs.map((directory, i) => openServedRun(directory, names[i])))
  const app = createApp(new Map(opened.map((run) => [run.info.run, run])), readWebFiles())
  return new Promise((resolve) => {
    const server = listen({ fetch: app.fetch, port, hostname: '127.0.0.1' }, ({ port }) =>
      resolve({
        url: `http://127.0.0.1:${port}`,
        close: () =>
          new Promise((done) => {
            server.close(() => {
              for (const run of opened) run.close()
              done()
            })
          }),
      }),
    )
  })
}
