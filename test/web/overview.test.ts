import assert from 'node:assert/strict'
import type { RunList } from '../../src/server/protocol.js'
import { startServer } from '../../src/server/serve.js'
import { everything, features, smallRun } from '../small-run.js'
import { browserTest, openPage } from './browser.js'

browserTest(
  'the overview shows figures, where they come from, and how to make what is missing',
  async (t, browser) => {
    const { root } = await smallRun(t, { extras: everything })
    const server = await startServer({ runs: [root], port: 0 })
    t.after(() => server.close())
    const { page, complaints } = await openPage(browser, server.url)
    const explanations = page.locator('section', { has: page.getByRole('heading', { name: 'Explanations' }) })
    await explanations.getByText('Explained features').click()
    await explanations.locator('code').first().waitFor()
    assert.match((await explanations.textContent()) ?? '', new RegExp(`${features / 2}`))
    await page.getByText(`monosem eval --run ${root}`).first().waitFor()
    await page.getByText('Show all').or(page.getByText('Kind of text')).first().waitFor()
    const { run } = ((await (await fetch(`${server.url}/api/v1/runs`)).json()) as RunList).runs[0]
    assert.equal(await page.title(), `Overview · ${run} · Monosem`)
    await page.getByRole('link', { name: 'Browse the features' }).click()
    await page.getByRole('heading', { name: 'Features', exact: true }).waitFor()
    await page.waitForFunction('document.activeElement.tagName === "H1"')
    assert.equal(await page.title(), `Features · ${run} · Monosem`)
    assert.deepEqual(complaints, [])
  },
)
