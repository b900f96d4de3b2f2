import { serve as listen } from '@hono/node-server'
import type { Kernels } from '../kernels/kernels.js'
import { loadKernels } from '../kernels/load.js'
import { createApp } from './app.js'
import { createJobQueue } from './model/job-queue.js'
import { once } from './model/once.js'
import { openServedRun, runNames } from './served-run.js'
import { readWebFiles } from './web-files.js'

export interface ServeOptions {
  runs: readonly string[]
  /** default 4100; 0 takes a free one */
  port?: number
  /** loads what computes, at the first text that is run; default: the best kernels there are */
  kernels?: () => Promise<Kernels>
  /** threads of the default kernels; default: the number of processors */
  threads?: number
}

export interface Server {
  /** e.g. http://127.0.0.1:4100 */
  url: string
  close(): Promise<void>
}

/** Opens the runs and starts to listen on 127.0.0.1. */
export async function startServer({
  runs,
  port = 4100,
  threads,
  kernels = () => loadKernels({ threads }),
}: ServeOptions): Promise<Server> {
  const names = runNames(runs)
  const shared = { kernels: once(kernels), queue: createJobQueue() }
  const opened = await Promise.all(runs.map((directory, i) => openServedRun(directory, names[i], shared)))
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
