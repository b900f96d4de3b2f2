// Entry file of the process that asks a server as fast as it can: a load on standard input, the figures of it on standard output, as JSON.
import { createRequire } from 'node:module'
import { text } from 'node:stream/consumers'

export interface LoadRequest {
  path: string
  headers?: Record<string, string>
}

export interface Load {
  url: string
  /** each client asks for its share of them, or for all where there are few, again and again */
  requests: LoadRequest[]
  connections: number
  /** whichever is reached first */
  seconds: number
  most: number
}

/** Milliseconds, and requests a second. */
export interface LoadFigures {
  requests: number
  perSecond: number
  p50: number
  p95: number
  p99: number
  max: number
  /** answers that were errors, and requests without an answer */
  failed: number
}

interface Client {
  setRequests(requests: LoadRequest[]): void
}

interface Instance extends PromiseLike<{ duration: number; errors: number; non2xx: number }> {
  on(event: 'response', listener: (client: Client, status: number, bytes: number, ms: number) => void): void
}

// It brings no types.
const autocannon = createRequire(import.meta.url)('autocannon') as (options: object) => Instance

async function measure({ requests, most, seconds, ...load }: Load): Promise<LoadFigures> {
  const times: number[] = []
  let failed = 0
  let clients = 0
  const start = performance.now()
  const instance = autocannon({
    ...load,
    duration: seconds,
    maxOverallRequests: most,
    // Each client gets a copy of these before it gets its own: thousands would take seconds.
    requests: requests.slice(0, 1),
    setupClient: (client: Client) => client.setRequests(shareOf(requests, clients++, load.connections)),
  })
  instance.on('response', (_client, status, _bytes, ms) => {
    times.push(ms)
    if (status >= 400) failed++
  })
  const { errors } = await instance
  const elapsed = (performance.now() - start) / 1000
  times.sort((a, b) => a - b)
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(share * times.length))]
  return {
    ...{ requests: times.length, perSecond: times.length / elapsed, failed: failed + errors },
    ...{ p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) },
  }
}

/** What one client asks for: its own share where there is enough, so that few ask for the same; else all, beginning elsewhere. */
function shareOf(requests: LoadRequest[], client: number, clients: number): LoadRequest[] {
  if (requests.length >= 10 * clients) return requests.filter((_, i) => i % clients === client % clients)
  const from = (client * 7919) % requests.length
  return [...requests.slice(from), ...requests.slice(0, from)]
}

if (process.argv[1]?.endsWith('server-load.js'))
  process.stdout.write(JSON.stringify(await measure(JSON.parse(await text(process.stdin)) as Load)))
