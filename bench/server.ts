import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { FeatureQuery } from '../src/server/protocol.js'
import { machine } from './machine.js'
import type { Load, LoadFigures, LoadRequest } from './server-load.js'
import { words, writeSyntheticRun } from './server-synthetic.js'

const script = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const flag = (name: string): string | undefined =>
  process.argv.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3)

const connections = 32
const seconds = Number(flag('seconds') ?? 8)
const most = 40_000
const gzip = { 'accept-encoding': 'gzip' }

/** With the processor time that the server took for a request, ms: it tells more than the rest where other programs run too. NaN where not known. */
export type ServerFigures = Record<string, LoadFigures & { processor: number }>

/**
 * The server under 32 clients on the loopback, with pages made ready and without, against a bare node:http server that answers with one buffer of the
 * size of a page. `--features=8192` is another size than 131,072, `--seconds=8` how long each load lasts at most, `--directory=DIR` where the run is
 * made and kept.
 */
export async function benchServer(): Promise<ServerFigures> {
  const features = Number(flag('features') ?? 131_072)
  console.log(`feature browser, ${features} features, ${connections} clients, ${machine()}`)
  const kept = flag('directory')
  const directory = kept ?? (await mkdtemp(join(tmpdir(), 'monosem-bench-server-')))
  try {
    const run = join(directory, 'run')
    const start = performance.now()
    await writeSyntheticRun(run, features)
    console.log(`synthetic run made in ${((performance.now() - start) / 1000).toFixed(0)} s`)
    return await measureAll(run, features)
  } finally {
    if (!kept) await rm(directory, { recursive: true, force: true })
  }
}

async function measureAll(run: string, features: number): Promise<ServerFigures> {
  const figures: ServerFigures = {}
  const api = `/api/v1/runs/${basename(run)}`
  const loads = loadsOf(features)
  await withServer(run, async ({ url, child }) => {
    const server = { url: `${url}${api}`, child }
    const page = await fetch(`${server.url}/features/0`, { headers: gzip })
    const etag = page.headers.get('etag') ?? ''
    const bytes = Number(page.headers.get('content-length'))
    await withProcess([script('./bare-server.js'), String(bytes)], async (bare, own) => {
      figures['bare server'] = await measure(
        'bare server',
        { url: bare, child: own },
        [{ path: '/' }],
        `one buffer of ${bytes} bytes`,
      )
    })
    const known = [{ path: '/features/0', headers: { ...gzip, 'if-none-match': etag } }]
    for (const [name, [requests, note]] of Object.entries({
      ...loads,
      'not changed': [known, '304'] as const,
    }))
      figures[name] = await measure(name, server, requests, note)
  })
  await withServer(`${run}-tables`, async ({ url, child }) => {
    const [requests] = loads['any page']
    const name = 'any page, no archive'
    const note = 'made when asked for'
    figures[name] = await measure(name, { url: `${url}${api}-tables`, child }, requests, note)
  })
  return figures
}

/** What is asked, by name, with what should be reached. */
function loadsOf(features: number): Record<string, readonly [LoadRequest[], string]> {
  const asked = (paths: string[]): LoadRequest[] => paths.map((path) => ({ path, headers: gzip }))
  const page = (i: number): string => `/features/${(i * 7919 + 13) % features}`
  const list = (query: FeatureQuery): string => {
    const parameters = Object.entries(query).map(([key, value]): [string, string] => [key, String(value)])
    return `/features?${new URLSearchParams(parameters)}`
  }
  const sorts = ['density', 'max', 'mean', 'score', 'map', 'id', 'random'] as const
  const lists = Array.from({ length: 2000 }, (_, i) =>
    list({
      ...{ sort: sorts[i % sorts.length], order: i % 3 ? 'desc' : 'asc' },
      ...(i % 4 === 1 ? { minDensity: (i % 8) / 10, maxScore: 0.9 } : {}),
      ...(i % 4 === 2 ? { cluster: i % 16 } : {}),
      offset: ((i * 37) % 40) * 50,
    } as FeatureQuery),
  )
  const places = ['all', 'explanation', 'token'] as const
  const searches = words.flatMap((word, i) =>
    [0, 50].map((offset) => list({ q: word, in: places[i % 3], offset })),
  )
  return {
    'cached pages': [asked(Array.from({ length: 64 }, (_, i) => page(i))), 'target 1,000/s'],
    'any page': [asked(Array.from({ length: 20_000 }, (_, i) => page(i))), 'target p95 < 20 ms'],
    lists: [asked(lists), 'target p95 < 50 ms'],
    searches: [asked(searches), 'target p95 < 50 ms'],
  }
}

async function measure(
  name: string,
  { url, child }: { url: string; child: ChildProcess },
  requests: LoadRequest[],
  note: string,
): Promise<ServerFigures[string]> {
  const base = new URL(url)
  const ask = (seconds: number): Promise<LoadFigures> => {
    const own = requests.map(({ path, headers }) => ({
      path: `${base.pathname.replace(/\/$/, '')}${path}`,
      headers,
    }))
    return load({ url: base.origin, requests: own, connections, seconds, most })
  }
  await ask(1)
  const before = await processorTime(child)
  const figures = await ask(seconds)
  const processor = ((await processorTime(child)) - before) / figures.requests
  const { perSecond, p50, p95, p99, max, failed } = figures
  const ms = (value: number): string => value.toFixed(1).padStart(6)
  const rate = perSecond.toFixed(0).padStart(6)
  const bad = failed > 0 ? `, ${failed} FAILED` : ''
  console.log(
    `${name.padEnd(22)} ${rate}/s   p50 ${ms(p50)}  p95 ${ms(p95)}  p99 ${ms(p99)}  max ${ms(max)} ms  processor ${processor.toFixed(2)} ms   ${note}${bad}`,
  )
  return { ...figures, processor }
}

async function load(request: Load): Promise<LoadFigures> {
  const child = spawn(process.execPath, [script('./server-load.js')], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(JSON.stringify(request))
  return JSON.parse(await text(child.stdout)) as LoadFigures
}

async function withServer(
  run: string,
  use: (server: { url: string; child: ChildProcess }) => Promise<void>,
): Promise<void> {
  const start = performance.now()
  const args = [script('../src/cli/main.js'), 'serve', run, '--port', '0', '--threads', '1']
  await withProcess(args, async (url, child) => {
    const opened = (performance.now() - start) / 1000
    await fetch(`${url}/api/v1/runs/${basename(run)}/features`)
    const listed = (performance.now() - start) / 1000
    // The index of words is built in the background: the first search waits for it.
    await fetch(`${url}/api/v1/runs/${basename(run)}/features?q=x`)
    const ready = (performance.now() - start) / 1000
    await settle(child)
    console.log(
      `${basename(run)}: opened in ${opened.toFixed(1)} s, first list ${listed.toFixed(1)} s, search ready ${ready.toFixed(1)} s, memory ${await residentMemory(child)}`,
    )
    await use({ url, child })
  })
}

/** Runs a program of ours that tells its address, and stops it in the end. */
async function withProcess(
  args: string[],
  use: (url: string, child: ChildProcess) => Promise<void>,
): Promise<void> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'exit')
  try {
    await use(await addressIn(child), child)
  } finally {
    child.kill('SIGINT')
    await ended
  }
}

/** The address that a program tells. What it says later is let go by, so that it is never held up. */
const addressIn = (child: ChildProcess): Promise<string> =>
  new Promise((resolve, reject) => {
    let seen = ''
    const listen = (chunk: Buffer): void => {
      seen += chunk
      const address = /http:\/\/127\.0\.0\.1:\d+/.exec(seen)
      if (address) resolve(address[0])
    }
    child.stdout?.on('data', listen)
    child.stderr?.on('data', listen)
    child.on('exit', () => reject(new Error(`the server did not start: ${seen}`)))
  })

/** Milliseconds that a process has computed so far; NaN where that cannot be known. */
async function processorTime({ pid }: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const fields = status.slice(status.lastIndexOf(')') + 2).split(' ')
  // In hundredths of a second, in the mode of the program and of the system.
  return 10 * (Number(fields[11]) + Number(fields[12]))
}

/** Waits until a server does nothing on its own any more. */
async function settle(child: ChildProcess): Promise<void> {
  for (let before = await processorTime(child); ; ) {
    await setTimeout(1000)
    const now = await processorTime(child)
    if (!(now - before > 50)) return
    before = now
  }
}

/** Linux only. */
async function residentMemory({ pid }: ChildProcess): Promise<string> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const kilobytes = /VmRSS:\s+(\d+)/.exec(status)?.[1]
  return kilobytes ? `${(Number(kilobytes) / 1024).toFixed(0)} MiB` : 'unknown'
}
