import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import type { RunList } from '../../src/server/protocol.js'
import { startServer } from '../../src/server/serve.js'
import { kernels, smallRun } from '../small-run.js'
import { browserTest, openPage } from './browser.js'

/** Opens the text lab of a small run, which sees 15 tokens of text. */
async function openLab(t: TestContext, browser: Browser, search = '') {
  const { root } = await smallRun(t)
  const server = await startServer({ runs: [root], port: 0, kernels: async () => kernels })
  t.after(() => server.close())
  const list = (await (await fetch(`${server.url}/api/v1/runs`)).json()) as RunList
  const url = `${server.url}/${list.runs[0].run}`
  return { ...(await openPage(browser, `${url}/text${search}`)), url }
}

const reading = (page: Page) => page.getByRole('listbox', { name: /^The text by segments/ })

const input = (page: Page) => page.getByRole('textbox', { name: 'Text' })

browserTest('a text is run and its segments are read by keyboard', async (t, browser) => {
  const { page, complaints } = await openLab(t, browser)
  await page.getByText('Write a text, or take one of the examples').waitFor()
  await page.getByLabel('Run while I type').uncheck()
  await input(page).fill('hello\nשלום')
  await input(page).press('Control+Enter')
  await reading(page).waitFor()
  assert.equal(
    await reading(page)
      .getByRole('option')
      .allInnerTexts()
      .then((texts) => texts.join('')),
    'hello↵שלום',
  )
  assert.equal(await page.locator('.lab-line').last().getAttribute('dir'), 'rtl')
  await reading(page).focus()
  await page.keyboard.press('Home')
  const first = await reading(page).getByRole('option').first().innerText()
  await page.getByRole('heading', { name: `Features on ${first}` }).waitFor()
  await page.keyboard.press('ArrowRight')
  assert.equal(await reading(page).getByRole('option').nth(1).getAttribute('aria-selected'), 'true')
  assert.match(page.url(), /text=hello/)
  assert.deepEqual(complaints, [])
})

browserTest('features are traced through the text, and the address keeps them', async (t, browser) => {
  const { page, complaints } = await openLab(t, browser, '?text=Line+1+says')
  const ranking = page.getByRole('region', { name: 'Features of the text' }).getByRole('table')
  const trace = ranking.getByTitle('Trace it through the text')
  await trace.nth(0).click()
  await trace.nth(1).click()
  const tracedOn = (page: Page) => page.getByRole('region', { name: 'Traced features' })
  await tracedOn(page).getByRole('img').nth(1).waitFor()
  await page.locator('.lab-segment[data-heat]').first().waitFor()
  await page.waitForURL(/feature=\d+%2C\d+/)
  const again = await openPage(browser, page.url())
  const traced = tracedOn(again.page)
  await traced.getByRole('img').nth(1).waitFor()
  await traced
    .getByRole('button', { name: /^Stop tracing/ })
    .first()
    .click()
  await again.page.waitForURL(/feature=\d+(&|$)/)
  assert.equal(await traced.getByRole('img').count(), 1)
  assert.deepEqual([...complaints, ...again.complaints], [])
})

browserTest('a next token is attributed to features, and some are checked', async (t, browser) => {
  const { page, complaints } = await openLab(t, browser, '?text=Line+1+says')
  const next = page.getByRole('region', { name: 'Next token' })
  await next.getByRole('listitem').getByRole('button').first().click()
  const attribution = page.getByRole('region', { name: /^Attribution/ }).first()
  await attribution.getByText('What no feature explains').waitFor()
  await page.locator('.lab-segment[data-sign]').first().waitFor()
  await attribution.getByLabel(/^Check the first/).check()
  await attribution.getByRole('columnheader', { name: 'By ablation' }).waitFor()
  assert.match(page.url(), /target=\d+/)
  await attribution.getByRole('button', { name: 'Close' }).click()
  assert.equal(await page.locator('.lab-segment[data-sign]').count(), 0)
  assert.deepEqual(complaints, [])
})

browserTest('what is cut or does not work is said, and tried again', async (t, browser) => {
  const { page, complaints } = await openLab(t, browser)
  const long = 'Line 1 says hello. '.repeat(100)
  await input(page).fill(long)
  await page.getByText('only its first 15 were run').waitFor()
  await page.getByText('a link to this page does not hold it').waitFor()
  assert.doesNotMatch(page.url(), /text=/)
  assert.deepEqual(complaints, [])

  const next = page.getByRole('region', { name: /^Next token/ })
  await next.getByLabel('Another token').fill('several tokens at once')
  await next.getByRole('button', { name: 'Attribute' }).click()
  const attribution = page.getByRole('region', { name: /^Attribution/ }).first()
  await attribution.getByText('expected one token').waitFor()
  await page.route('**/text', (route) => route.abort())
  await input(page).fill('hello')
  await page.getByRole('alert').getByText('The server does not answer').waitFor()
  await page.unroute('**/text')
  await page.getByRole('alert').getByRole('button', { name: 'Try again' }).first().click()
  await page.waitForURL(/text=hello/)
  await page.locator('.lab-reading', { hasText: /^hello$/ }).waitFor()
})
