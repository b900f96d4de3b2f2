import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { loadKernels } from '../src/kernels/load.js'
import { createApp } from '../src/server/app.js'
import { openServedRun, type ServedRun } from '../src/server/served-run.js'
import { machine } from './machine.js'

/** Longest delays of the event loop during one kind of work, milliseconds. */
export interface DelayFigures {
  work: string
  seconds: number
  p99: number
  max: number
  /** longest time that this thread itself computed between two looks at the clock; null where the system does not tell */
  own: number | null
}

type Post = (path: string, body: unknown) => Promise<void>

/** Milliseconds between two looks at the clock: what an idle loop shows. */
const resolution = 1

const steer = {
  prompt: 'The weather today is',
  edits: [{ feature: 0, strength: 2 }],
  maxTokens: 256,
  temperature: 1,
}
const target = { target: 10, verify: 20 }

/**
 * How long the server's event loop is held up while the model works for it: by the clock, which other programs on the machine disturb, and in
 * time that the thread itself computed. MONOSEM_BENCH_RUN names the directory of a finished demo,
 * MONOSEM_THREADS the threads of the kernels (all).
 */
export async function benchEventLoop(): Promise<DelayFigures[]> {
  console.log(`event loop of the server, ${machine()}`)
  const directory = process.env.MONOSEM_BENCH_RUN
  if (!directory) {
    console.log('MONOSEM_BENCH_RUN is not set: no run to serve')
    return []
  }
  const threads = process.env.MONOSEM_THREADS ? Number(process.env.MONOSEM_THREADS) : undefined
  const kernels = await loadKernels({ threads })
  console.log(kernels.description)
  const run = await openServedRun(directory, 'run', { kernels: async () => kernels })
  const figures: DelayFigures[] = []
  try {
    const edited = await liveFeature(run)
    for (const [work, body] of Object.entries(works(poster(run), edited)))
      figures.push(await measure(work, body))
  } finally {
    run.close()
  }
  return figures
}

/** What is measured, in this order: the first text also loads the model. */
function works(post: Post, feature: number): Record<string, () => Promise<unknown>> {
  const text = { text: longText() }
  const generation = () => post('/steer', { ...steer, edits: [{ ...steer.edits[0], feature }] })
  const specificity = (concept: object) => () =>
    post(`/features/${feature}/specificity`, { concept, tokens: 100_000 })
  const repeated = async (count: number, body: () => Promise<void>): Promise<void> => {
    for (let i = 0; i < count; i++) await body()
  }
  const texts = (count: number) => repeated(count, () => post('/text', { ...text, top: 50, limit: 500 }))
  return {
    idle: () => setTimeout(3000),
    'the first text, which loads the model': () => texts(1),
    '50 texts of full context': () => texts(50),
    '16 texts at once': () => Promise.all(Array.from({ length: 16 }, () => texts(1))),
    '20 texts of 20,000 letters in one word': () =>
      repeated(20, () => post('/text', { text: 'abcdefghij'.repeat(2000) })),
    '5 attributions with 20 ablations': () => repeated(5, () => post('/attribution', { ...text, ...target })),
    'a steered generation of 256 tokens': generation,
    'specificity of a script, which opens the corpus': specificity({ kind: 'script', script: 'Arabic' }),
    'specificity of a slow expression': specificity({ kind: 'regex', regex: '(\\w+ ?)+;' }),
    'texts, a generation and a specificity at once': () =>
      Promise.all([texts(50), generation(), specificity({ kind: 'named', name: 'base64' })()]),
  }
}

/** More than any context: English, code and letters of several bytes. */
const longText = (): string =>
  'The weather today is mild. const x = [1, 2, 3].map((n) => n * 2) // سلام и мир 😀\n'.repeat(60)

async function liveFeature({ store }: ServedRun): Promise<number> {
  const [row] = await store.list({ limit: 1, maxDensity: 0.01 })
  return row.feature
}

/** Requests to the app in this process, answers read to their end. */
function poster(run: ServedRun): Post {
  const app = createApp(new Map([['run', run]]), new Map())
  return async (path, body) => {
    const response = await app.request(`/api/v1/runs/run${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const text = await response.text()
    if (!response.ok || text.includes('event: error')) throw new Error(`${path}: ${text.slice(0, 500)}`)
  }
}

async function measure(work: string, body: () => Promise<unknown>): Promise<DelayFigures> {
  const delays = monitorEventLoopDelay({ resolution })
  const own = watchOwnTime()
  const start = performance.now()
  delays.enable()
  await body()
  // The last delay is written down by the next look at the clock.
  await setTimeout(5)
  delays.disable()
  const seconds = (performance.now() - start) / 1000
  const figures = {
    ...{ work, seconds, own: own.end() },
    p99: delays.percentile(99) / 1e6,
    max: delays.max / 1e6,
  }
  const ms = (value: number | null): string => `${value?.toFixed(1) ?? '–'} ms`.padStart(9)
  console.log(
    `${work.padEnd(48)} ${seconds.toFixed(1).padStart(5)} s   p99 ${ms(figures.p99)}   max ${ms(figures.max)}   own ${ms(figures.own)}   (target < 50 ms)`,
  )
  return figures
}

/** Linux: nanoseconds that the main thread has run, as the first number. */
const statistics = `/proc/self/task/${process.pid}/schedstat`

/** Notes the longest computing between two turns of the event loop, milliseconds. */
function watchOwnTime(): { end(): number | null } {
  if (!existsSync(statistics)) return { end: () => null }
  const file = openSync(statistics, 'r')
  const buffer = Buffer.alloc(80)
  const now = (): number =>
    Number.parseInt(buffer.toString('latin1', 0, readSync(file, buffer, 0, 80, 0)), 10)
  let before = now()
  let longest = 0
  const look = (): void => {
    const time = now()
    longest = Math.max(longest, time - before)
    before = time
  }
  const timer = setInterval(look, resolution)
  return {
    end() {
      clearInterval(timer)
      closeSync(file)
      return longest / 1e6
    },
  }
}
