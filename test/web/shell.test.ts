import assert from 'node:assert/strict'
import { startServer } from '../../src/server/serve.js'
import { smallRun } from '../small-run.js'
import { browserTest, openPage } from './browser.js'

browserTest('the start page shows the run and its parts without a complaint', async (t, browser) => {
  const { root } = await smallRun(t)
  const server = await startServer({ runs: [root], port: 0 })
  t.after(() => server.close())
  const { page, complaints } = await openPage(browser, server.url)
  await page.getByRole('link', { name: 'Features', exact: true }).click()
  await page.waitForURL('**/features')
  assert.equal(
    await page.getByRole('link', { name: 'Features', exact: true }).getAttribute('aria-current'),
    'page',
  )
  await page.goto(`${server.url}/nowhere/at/all`)
  await page.getByRole('heading', { name: 'Nothing is here' }).waitFor()
  assert.deepEqual(complaints, [])
})
