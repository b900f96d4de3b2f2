import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { before, type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Page } from 'playwright-core'
import { type Server, startServer } from '../../src/server/serve.js'
import { readWebFiles } from '../../src/server/web-files.js'
import { everything, smallRun } from '../small-run.js'
import { fileLifetime } from '../temporary-directory.js'
import { browserPath, browserTest, type OpenedPage, openPage } from './browser.js'

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** All tests look at one run, which has everything. */
const file = fileLifetime()
let server: Server
let pages: { name: string; path: string; refused?: RegExp }[] = []
before(async () => {
  if (browserPath === undefined) return
  const { root } = await smallRun(file, { extras: everything })
  server = await startServer({ runs: [root], port: 0 })
  file.after(() => server.close())
  const [{ run, features }] = server.runs
  const list = (await (await fetch(`${server.url}/api/v1/runs/${run}/features?limit=1`)).json()) as {
    items: { feature: number }[]
  }
  const of = (path: string) => `/${run}${path}`
  pages = [
    { name: 'overview', path: of('') },
    { name: 'list of features', path: of('/features') },
    { name: 'search', path: of('/features?q=greeting') },
    { name: 'feature', path: of(`/features/${list.items[0]!.feature}`) },
    { name: 'map', path: of('/map') },
    { name: 'text lab', path: of('/text') },
    { name: 'steer lab', path: of('/steer') },
    { name: 'API', path: '/api' },
    { name: 'unknown address', path: of('/nothing/here') },
    { name: 'feature that is not there', path: of(`/features/${features}`), refused: /404/ },
  ]
})

/*
 * What runs in the page is text here: this program knows no DOM.
 */

/** Adds up how far content jumps while a page loads. */
const watchShifts = `
  window.shifts = 0
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value
  }).observe({ type: 'layout-shift', buffered: true })`

const isWaiting = `document.querySelector('main .placeholder, main [aria-busy="true"]') !== null`

const measures = `({
  shifts: window.shifts,
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  title: document.title,
})`

const violations = `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
  violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html.slice(0, 200)).slice(0, 3).join(' | ')))`

/** Waits until a page has its heading and everything that it asked for. */
async function settled(page: Page): Promise<void> {
  await page.locator('main h1, main .failure').first().waitFor()
  await page.waitForLoadState('networkidle')
  await page.waitForFunction(`!(${isWaiting})`)
}

/** What axe finds serious or critical, each with the elements it is about. */
async function violationsOf(page: Page): Promise<string[]> {
  await page.evaluate(axeSource)
  return page.evaluate<string[]>(violations)
}

/** Everything that is wrong with the page that is shown. */
async function faultsOf({ page, complaints }: OpenedPage, refused: RegExp | undefined): Promise<string[]> {
  const unexpected = complaints.filter((complaint) => refused === undefined || !refused.test(complaint))
  const { shifts, wide, title } = await page.evaluate<{ shifts: number; wide: number; title: string }>(
    measures,
  )
  return [
    ...unexpected,
    ...(shifts < 0.1 ? [] : [`content jumps: layout shift ${shifts.toFixed(3)}`]),
    ...(wide <= 0 ? [] : [`the page is ${wide} px wider than the window`]),
    ...(title === '' ? ['no title'] : []),
    ...(await violationsOf(page)),
  ]
}

for (const width of [360, 1280])
  for (const colorScheme of ['light', 'dark'] as const)
    browserTest(
      `every page is whole, accessible and steady at ${width} px, ${colorScheme}, and asks nobody else`,
      async (t, browser) => {
        const opened = await openPage(browser, 'about:blank', {
          colorScheme,
          viewport: { width, height: 900 },
        })
        const { page, complaints } = opened
        await page.addInitScript(watchShifts)
        const strangers: string[] = []
        page.on('request', (request) => {
          if (!request.url().startsWith(`${server.url}/`) && !/^(data|blob):/.test(request.url()))
            strangers.push(request.url())
        })
        for (const { name, path, refused } of pages)
          await t.test(name, async () => {
            complaints.length = 0
            await page.goto(server.url + path)
            await settled(page)
            assert.deepEqual(await faultsOf(opened, refused), [])
            assert.deepEqual(strangers, [])
          })
      },
    )

test('the first page needs at most 200 kB of JavaScript, compressed', (t: TestContext) => {
  const web = readWebFiles()
  const names = [...web.keys()]
  const needed = new Set<string>()
  const add = (name: string): void => {
    const found = web.get(name)
    if (!found || needed.has(name)) return
    needed.add(name)
    const text = found.content.toString('utf8')
    for (const [, imported] of text.matchAll(/(?:\bfrom|\bimport)\s*["']\.\/([\w.-]+\.js)["']/g))
      add(`/assets/${imported}`)
  }
  const html = web.get('/index.html')?.content.toString('utf8') ?? ''
  for (const [, name] of html.matchAll(/(?:src|href)="\.(\/assets\/[\w.-]+\.js)"/g)) add(name!)
  assert.ok(needed.size > 0, html)
  const overview = names.filter((name) => /^\/assets\/overview-[\w-]+\.js$/.test(name))
  assert.equal(overview.length, 1, names.join())
  overview.forEach(add)
  const bytes = [...needed].reduce((sum, name) => sum + gzipSync(web.get(name)!.content).length, 0)
  t.diagnostic(`${needed.size} files, ${bytes} bytes`)
  assert.ok(bytes <= 200_000, `${bytes} bytes: ${[...needed].join(', ')}`)
})
