import assert from 'node:assert/strict'
import { before } from 'node:test'
import { type Server, startServer } from '../../src/server/serve.js'
import { everything, smallRun } from '../small-run.js'
import { fileLifetime } from '../temporary-directory.js'
import { browserPath, browserTest, openPage } from './browser.js'

const file = fileLifetime()
let root = ''
before(async () => {
  if (browserPath !== undefined) root = (await smallRun(file, { extras: everything })).root
})

async function served(t: { after(fn: () => unknown): void }, token: boolean): Promise<Server> {
  const server = await startServer({ runs: [root], port: 0, token })
  t.after(() => server.close())
  return server
}

browserTest(
  'a login by keyboard opens the page that was asked for, and its requests are answered',
  async (t, browser) => {
    const server = await served(t, true)
    const [{ run }] = server.runs
    const { page, complaints } = await openPage(browser, `${server.url}/${run}/features?q=greeting`)
    assert.deepEqual(complaints, [])
    await page.getByLabel('Token').fill('not-the-token')
    await page.keyboard.press('Enter')
    await page.getByText('That is not the token.').waitFor()
    assert.ok(complaints.every((complaint: string) => complaint.includes('401')))
    complaints.length = 0
    await page.getByLabel('Token').fill(server.token ?? '')
    await page.keyboard.press('Enter')
    await page.waitForURL(`**/${run}/features?q=greeting`)
    await page.getByText('greeting number').first().waitFor()
    assert.equal(await page.evaluate('document.cookie'), '', 'scripts cannot read the cookie')
    assert.deepEqual(complaints, [])
  },
)

const hostile = '<img src="/x" onerror="document.title=1"><script>document.title=2</script>'

browserTest('what people and models wrote is shown as text, wherever it stands', async (t, browser) => {
  const server = await served(t, false)
  const [{ run }] = server.runs
  const api = `${server.url}/api/v1/runs/${run}`
  const { items } = (await (await fetch(`${api}/features?limit=1`)).json()) as {
    items: { feature: number }[]
  }
  const { feature } = items[0]!
  const saved = await fetch(`${api}/features/${feature}/notes`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ label: hostile, note: hostile }),
  })
  assert.equal(saved.status, 200, await saved.text())
  const { page, complaints } = await openPage(browser, 'about:blank')
  for (const path of ['/features', `/features/${feature}`]) {
    await page.goto(`${server.url}/${run}${path}`)
    await page.getByText(hostile).first().waitFor()
    assert.equal(await page.locator('main img, main script').count(), 0, path)
  }
  const typed = await page.evaluate(
    `fetch('/api/v1/runs/${run}/features?q=' + encodeURIComponent('<script>')).then((r) => r.headers.get('content-type'))`,
  )
  assert.match(String(typed), /^application\/json/)
  assert.deepEqual(complaints, [])
})

browserTest(
  'the policy keeps out what a page was tricked into: scripts in it, and other servers',
  async (t, browser) => {
    const server = await served(t, false)
    const { page } = await openPage(browser, server.url)
    await page.getByRole('navigation').first().waitFor()
    const inline = `new Promise((resolve) => {
    addEventListener('securitypolicyviolation', (event) => resolve(event.violatedDirective))
    document.body.insertAdjacentHTML('beforeend', '<p onclick="document.title=3" id="trap">x</p>')
    document.getElementById('trap').click()
  })`
    assert.match(String(await page.evaluate(inline)), /^script-src/)
    const foreign = `fetch('http://192.0.2.1/').then(() => 'sent', (error) => error.name)`
    assert.equal(await page.evaluate(foreign), 'TypeError')
    assert.notEqual(await page.title(), '3')
  },
)
