import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import type { FeatureList, RunList } from '../../src/server/protocol.js'
import { startServer } from '../../src/server/serve.js'
import { everything, features, smallRun } from '../small-run.js'
import { fileLifetime } from '../temporary-directory.js'
import { browserTest, openPage } from './browser.js'

const lifetime = fileLifetime()

async function serve() {
  const { root } = await smallRun(lifetime, { extras: everything })
  const server = await startServer({ runs: [root], port: 0 })
  lifetime.after(() => server.close())
  const json = async <T>(path: string): Promise<T> =>
    (await fetch(`${server.url}/api/v1/runs${path}`)).json() as Promise<T>
  const { runs } = await json<RunList>('')
  /** Numbers of features in the order of a list. */
  const api = async (query: string) => {
    const { items } = await json<FeatureList>(`/${runs[0].run}/features?limit=100${query}`)
    return items.map(({ feature }) => feature)
  }
  return { url: `${server.url}/${runs[0].run}/features`, api }
}

let serving: ReturnType<typeof serve> | undefined

/** One server for all tests: they change nothing. */
const served = () => {
  serving ??= serve()
  return serving
}

/** Waits until the list begins with these features. */
async function begins(page: Page, [first]: number[]): Promise<void> {
  await page.locator('[role=grid] #row-0 .cell-id', { hasText: new RegExp(`^${first}$`) }).waitFor()
}

/** Numbers of the first rows. */
const shown = async (page: Page, count: number): Promise<number[]> =>
  Promise.all(
    Array.from({ length: count }, async (_, i) =>
      Number(await page.locator(`[role=grid] #row-${i} .cell-id`).textContent()),
    ),
  )

const chosen = (page: Page, feature: number) =>
  page.locator('[role=grid] tr[aria-selected=true]', { hasText: new RegExp(`^${feature}`) })

browserTest(
  'sorting and filtering change the address and the list, and back undoes them',
  async (_, browser) => {
    const { url, api } = await served()
    const { page, complaints } = await openPage(browser, url)
    await begins(page, await api('&sort=density'))
    await page.getByRole('button', { name: 'Maximum' }).click()
    await page.waitForURL('**/features?sort=max')
    const largest = await api('&sort=max')
    await begins(page, largest)
    assert.deepEqual(await shown(page, 5), largest.slice(0, 5))
    await page.getByRole('button', { name: 'Maximum' }).click()
    await page.waitForURL('**/features?sort=max&order=asc')
    await begins(page, await api('&sort=max&order=asc'))
    await page.getByRole('spinbutton', { name: 'Score, at least' }).fill('0.5')
    await page.keyboard.press('Tab')
    await page.waitForURL('**minScore=0.5')
    const scored = await api('&sort=max&order=asc&minScore=0.5')
    assert.ok(scored.length > 0 && scored.length < features)
    await page.getByText(`${scored.length} of ${features} features match`).waitFor()
    await page.goBack()
    await begins(page, await api('&sort=max&order=asc'))
    assert.deepEqual(complaints, [])
  },
)

browserTest('a search finds explanations; an empty list says what to take away', async (_, browser) => {
  const { url, api } = await served()
  const { page, complaints } = await openPage(browser, url)
  await page.getByRole('searchbox').fill('number 14')
  await page.waitForURL('**q=number+14**')
  await begins(page, (await api('&q=number%2014')).slice(0, 1))
  assert.deepEqual(await shown(page, 1), [14])
  await page.getByRole('searchbox').fill('qqqqqq')
  await page.getByText('No feature matches').waitFor()
  await page.getByRole('button', { name: 'qqqqqq' }).click()
  await page.getByText(`${features} features`, { exact: true }).waitFor()
  assert.deepEqual(complaints, [])
})

browserTest('a text lists the features that fire on it', async (_, browser) => {
  const { url } = await served()
  const { page, complaints } = await openPage(browser, url)
  await page.getByRole('combobox', { name: 'in', exact: true }).selectOption('text')
  await page.getByRole('searchbox').fill('Line 3 says hello')
  await page.getByText('features fire on the text').waitFor()
  await page.waitForURL('**text=Line+3+says+hello')
  const row = page.locator('[role=grid] tbody tr').first()
  await row.locator('.token[data-focus]').waitFor()
  assert.deepEqual(complaints, [])
})

browserTest('keys work through the list, and not while someone types', async (_, browser) => {
  const { url, api } = await served()
  const order = await api('&sort=id')
  const { page, complaints } = await openPage(browser, `${url}?sort=id`)
  await begins(page, order)
  for (const key of ['j', 'j', 'j', 'k']) await page.keyboard.press(key)
  await chosen(page, order[1]).waitFor()
  await page.waitForURL('**at=1')
  await page.keyboard.press('/')
  await page.keyboard.type('j')
  assert.equal(await page.getByRole('searchbox').inputValue(), 'j')
  await page.getByRole('searchbox').fill('')
  await page.goto(`${url}?sort=id&at=3`)
  await chosen(page, order[3]).waitFor()
  await page.keyboard.press('j')
  await page.keyboard.press('Enter')
  await page.waitForURL('**/features/4?sort=id&at=4')
  await page.goBack()
  await chosen(page, order[4]).waitFor()
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Keys' }).waitFor()
  await page.keyboard.press('Escape')
  await page.keyboard.press('g')
  await page.keyboard.type('7')
  await page.keyboard.press('Enter')
  await page.waitForURL('**/features/7')
  assert.deepEqual(complaints, [])
})

browserTest('the list fits a narrow screen, in the dark', async (_, browser) => {
  const { url, api } = await served()
  const { page, complaints } = await openPage(browser, url, {
    viewport: { width: 360, height: 740 },
    colorScheme: 'dark',
  })
  await begins(page, await api('&sort=density'))
  const background = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor')
  assert.equal(await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth'), 0)
  assert.equal(await background(), 'rgb(20, 22, 27)')
  await page.getByRole('combobox', { name: 'Theme' }).selectOption('light')
  assert.equal(await background(), 'rgb(246, 246, 243)')
  assert.deepEqual(complaints, [])
})
