import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { createApp } from '../../src/server/app.js'
import type { FeatureList } from '../../src/server/protocol.js'
import { openServedRun } from '../../src/server/served-run.js'
import { type Ask, askApp } from '../../src/server/site/ask.js'
import { exportSite } from '../../src/server/site/export-site.js'
import { readWebFiles } from '../../src/server/web-files.js'
import { context, smallRun } from '../small-run.js'
import { temporaryDirectory } from '../temporary-directory.js'
import { browserTest, openPage } from './browser.js'

const types: Record<string, string> = {
  ...{ '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' },
}

/** As plain a file server as there can be, with the site in a folder. */
async function serveFolder(t: TestContext, directory: string): Promise<string> {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const name = pathname.replace(/^\/some\/folder\//, '').replace(/^$/, 'index.html')
    try {
      const content = await readFile(join(directory, name))
      const type = types[extname(name)] ?? 'application/octet-stream'
      response.writeHead(200, { 'content-type': type }).end(content)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/some/folder/`
}

async function exported(t: TestContext, features: string[] = []) {
  const { root } = await smallRun(t, { extras: ['feature-map', 'explanations'] })
  const out = join(await temporaryDirectory(t), 'site')
  const { runs } = await exportSite({ runs: [root], out, features }, context)
  return { root, run: runs[0].run, url: await serveFolder(t, out) }
}

/** Waits until the numbers in the list are these. */
async function waitForRows(page: Page, features: readonly number[]): Promise<void> {
  const links = page.locator('tbody .cell-id a')
  for (const [i, feature] of features.entries())
    await links
      .nth(i)
      .and(page.getByText(String(feature), { exact: true }))
      .waitFor()
  await links.nth(features.length).waitFor({ state: 'detached' })
}

browserTest(
  'an exported site is walked from the overview to the map without a server',
  async (t, browser) => {
    const { run, url } = await exported(t)
    const { page, complaints } = await openPage(browser, url)
    const foreign: string[] = []
    page.on('request', (request) => {
      if (!request.url().startsWith(url)) foreign.push(request.url())
    })
    await page.getByRole('heading', { name: run }).waitFor()
    for (const name of ['Text', 'Steer', 'API'])
      assert.equal(await page.getByRole('link', { name }).count(), 0)
    await page.getByRole('navigation').getByRole('link', { name: 'Features' }).click()
    await page.locator('tbody .cell-id a').first().click()
    await page.getByRole('heading', { name: /^Feature \d+/ }).waitFor()
    await page.getByRole('heading', { name: 'Activations' }).waitFor()
    await page.getByRole('link', { name: 'Map' }).first().click()
    await page.getByRole('heading', { name: /^Map/ }).waitFor()
    await page.goto(`${url}#/${run}/steer`)
    await page.getByText('Steering needs the model').waitFor()
    assert.deepEqual(foreign, [])
    assert.deepEqual(
      complaints.filter((text) => !text.includes('GPU stall')),
      [],
    )
  },
)

const queries = [
  'sort=max&order=asc',
  'sort=random&seed=3',
  'sort=map',
  'sort=score',
  'singleToken=false&sort=mean&minMax=0.001',
  'q=greeting',
  'q=number+12&in=explanation',
  'q=7',
]

browserTest('exported lists are those of the server', async (t, browser) => {
  const { root, run, url } = await exported(t)
  const served = await openServedRun(root, run)
  t.after(() => served.close())
  const ask: Ask = askApp(createApp(new Map([[run, served]]), readWebFiles()))
  const { page, complaints } = await openPage(browser, url, { viewport: { width: 1200, height: 2600 } })
  const all: FeatureList = JSON.parse(await ask(`/runs/${run}/features?sort=id`))
  const token = encodeURIComponent(all.items.flatMap(({ tokens }) => tokens)[0])
  for (const query of [...queries, `q=${token}&in=token&sort=id`]) {
    const list: FeatureList = JSON.parse(await ask(`/runs/${run}/features?${query}`))
    assert.ok(list.total > 0, query)
    await page.goto(`${url}#/${run}/features?${query}`)
    const wanted = list.items.map(({ feature }) => feature)
    await waitForRows(page, wanted).catch((cause) => {
      throw new Error(`${query}: the list did not become ${wanted.join()}`, { cause })
    })
  }
  assert.deepEqual(complaints, [])
})

browserTest('what was not exported is said so', async (t, browser) => {
  const { run, url } = await exported(t, ['4-6'])
  const { page } = await openPage(browser, `${url}#/${run}/features/9`)
  await page.getByText('Perhaps only some features were exported.').first().waitFor()
  await page.goto(`${url}#/${run}/features?sort=id`)
  await waitForRows(page, [4, 5, 6])
})
