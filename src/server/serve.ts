import type { Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels } from '../kernels/kernels.js'
import { loadKernels } from '../kernels/load.js'
import { createApp } from './app.js'
import { createJobQueue } from './model/job-queue.js'
import { once } from './once.js'
import type { RunInfo } from './protocol.js'
import { accessTo, inUrl, isLoopback } from './security/access.js'
import { givenToken, randomToken } from './security/token.js'
import { closeRuns, openServedRuns } from './server-runs.js'
import { readWebFiles } from './web-files.js'

export interface ServeOptions {
  /** run directories */
  runs: readonly string[]
  /** default 4100; 0 takes a free one */
  port?: number
  /** address to listen on; default 127.0.0.1. Any address that other machines reach needs a token */
  host?: string
  /** ask for a token; default: only where other machines reach the server. MONOSEM_TOKEN gives one, else it is made */
  token?: boolean
  /** further names that the server answers to */
  allowHost?: readonly string[]
  /** loads what computes, at the first text that is run; default: the best kernels there are */
  kernels?: () => Promise<Kernels>
  /** threads of the default kernels; default: the number of processors */
  threads?: number
}

export interface Server {
  /** e.g. http://127.0.0.1:4100 */
  url: string
  runs: RunInfo[]
  /** what requests must bring, or null where everyone on this machine may ask */
  token: string | null
  /** Ends what is under way, closes all connections and the runs. */
  close(): Promise<void>
}

/** Requests that are nearly done may finish when the server stops, ms; streams are cut. */
const grace = 250

/** Limits of node:http, ms: a client that sends its request drop by drop does not keep a connection for ever. */
const limits = { headersTimeout: 10_000, requestTimeout: 20_000, keepAliveTimeout: 30_000 }
const maxConnections = 2000

/**
 * Opens the runs and starts to listen.
 * @throws MonosemError missing, corrupt, format (a run), busy (the port), config (host or token), io
 */
export async function startServer(options: ServeOptions): Promise<Server> {
  const { host = '127.0.0.1', port = 4100, allowHost = [] } = options
  const wantsToken = options.token === true || !isLoopback(host)
  const token = wantsToken ? (givenToken() ?? randomToken()) : null
  const web = readWebFiles()
  const { threads, kernels = () => loadKernels({ threads }) } = options
  const runs = await openServedRuns(options.runs, { kernels: once(kernels), queue: createJobQueue() })
  let app: ReturnType<typeof createApp>
  // Which names the app answers to depends on the port, which is known when the server listens.
  const server = createAdaptorServer({
    fetch: (request, env) => app.fetch(request, env),
    serverOptions: limits,
  }) as HttpServer
  server.maxConnections = maxConnections
  try {
    const chosen = await listen(server, host, port)
    app = createApp(runs, web, { access: accessTo({ host, port: chosen }, { allowed: allowHost, token }) })
    return {
      url: `http://${inUrl(host)}:${chosen}`,
      runs: [...runs.values()].map(({ info }) => info),
      token,
      async close() {
        await stop(server)
        await closeRuns(runs.values())
      },
    }
  } catch (error) {
    server.close()
    await closeRuns(runs.values())
    throw error
  }
}

/** @returns the port */
async function listen(server: HttpServer, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(listenError(cause, host, port)))
    server.listen(port, host.replace(/^\[|\]$/g, ''), resolve)
  })
  return (server.address() as AddressInfo).port
}

function listenError(cause: NodeJS.ErrnoException, host: string, port: number): MonosemError {
  const at = `${inUrl(host)}:${port}`
  if (cause.code === 'EADDRINUSE')
    return new MonosemError('busy', `${at}: another program listens there`, {
      cause,
      hint: 'choose another port with --port, or --port 0 for a free one',
    })
  if (cause.code === 'EACCES')
    return new MonosemError('io', `${at}: this port needs more rights`, {
      cause,
      hint: 'choose one from 1024 up',
    })
  return new MonosemError('config', `${at}: cannot listen there (${cause.code ?? cause.message})`, {
    cause,
    hint: 'give an address of this machine, e.g. --host 0.0.0.0 for all of them',
  })
}

async function stop(server: HttpServer): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), grace)
  await closed
  clearTimeout(timer)
}
