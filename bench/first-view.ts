import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium } from 'playwright-core'
import { browserPath } from '../test/web/find-browser.js'
import { machine } from './machine.js'

/** Milliseconds until something can be read. */
export interface ViewFigures {
  page: string
  /** from the start of `monosem serve` until it says its address */
  opened: number
  /** from asking for the address in a browser with an empty cache until the page's own content is there */
  view: number
  /** compressed bytes of JavaScript that this took */
  script: number
}

/** What has to be there for a page to count as seen. */
const pages = [
  { page: 'overview', path: '/', content: 'main h2' },
  { page: 'list', path: '/RUN/features', content: '[role=grid] #row-0 .cell-id' },
  { page: 'feature', path: '/RUN/features/1', content: 'main .token' },
] as const

/**
 * The first view of a run, each from a server that has just been started and a browser that has nothing in its cache. MONOSEM_BENCH_RUN names the
 * directory of a finished demo. Beside it: the same browser showing an empty page.
 */
export async function benchFirstView(): Promise<ViewFigures[]> {
  console.log(`first view, ${machine()}`)
  const run = process.env.MONOSEM_BENCH_RUN
  if (!run || browserPath === undefined) {
    console.log(run ? 'no Chromium was found' : 'MONOSEM_BENCH_RUN is not set: no run to serve')
    return []
  }
  const browser = await chromium.launch({
    executablePath: browserPath,
    args: ['--no-sandbox', '--disable-quic'],
  })
  try {
    console.log(`an empty page: ${(await emptyPage(browser)).toFixed(0)} ms`)
    const figures: ViewFigures[] = []
    for (const one of pages) figures.push(await measure(browser, run, one))
    return figures
  } finally {
    await browser.close()
  }
}

async function emptyPage(browser: Browser): Promise<number> {
  const page = await browser.newPage()
  const start = performance.now()
  await page.goto('data:text/html,<main><h2>here</h2></main>')
  await page.waitForSelector('main h2')
  const taken = performance.now() - start
  await page.close()
  return taken
}

async function measure(
  browser: Browser,
  run: string,
  { page: name, path, content }: (typeof pages)[number],
): Promise<ViewFigures> {
  const start = performance.now()
  const main = fileURLToPath(new URL('../src/cli/main.js', import.meta.url))
  const child = spawn(process.execPath, [main, 'serve', run, '--port', '0', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  try {
    const url = await addressOf(child)
    const opened = performance.now() - start
    const { runs } = (await (await fetch(`${url}/api/v1/runs`)).json()) as { runs: { run: string }[] }
    const { view, script } = await see(browser, url + path.replace('RUN', runs[0].run), content)
    console.log(
      `${name.padEnd(9)} server ready in ${opened.toFixed(0)} ms, seen ${view.toFixed(0)} ms after, JavaScript ${(script / 1000).toFixed(1)} kB`,
    )
    return { page: name, opened, view, script }
  } finally {
    child.kill('SIGINT')
    await ended
  }
}

async function see(
  browser: Browser,
  url: string,
  content: string,
): Promise<{ view: number; script: number }> {
  const context = await browser.newContext()
  const page = await context.newPage()
  let script = 0
  page.on('requestfinished', async (request) => {
    if (request.resourceType() === 'script') script += (await request.sizes()).responseBodySize
  })
  const start = performance.now()
  await page.goto(url)
  await page.waitForSelector(content)
  const view = performance.now() - start
  await page.waitForLoadState('networkidle')
  await context.close()
  return { view, script }
}

async function addressOf(child: ChildProcess): Promise<string> {
  let seen = ''
  for await (const chunk of child.stdout ?? []) {
    seen += chunk
    const address = /http:\/\/127\.0\.0\.1:\d+/.exec(seen)
    if (address) return address[0]
  }
  throw new Error(`the server did not start: ${seen}`)
}
