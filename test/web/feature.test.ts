import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import type { TestContext } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import type { FeatureNotes, FeaturePage } from '../../src/server/protocol.js'
import { startServer } from '../../src/server/serve.js'
import { addComparisons } from '../server/relatives/compared-run.js'
import { everything, smallFeatures, smallRun, sparseArrays } from '../small-run.js'
import { browserTest, openPage } from './browser.js'

/** A served run with all parts, and its page of one feature. */
async function openFeature(
  t: TestContext,
  browser: Browser,
  feature: number | string,
  query = '',
  prepare: (root: string) => Promise<void> = async () => {},
) {
  const { root } = await smallRun(t, { arrays: sparseArrays(), extras: everything })
  await prepare(root)
  const server = await startServer({ runs: [root], port: 0 })
  t.after(() => server.close())
  const { runs } = (await (await fetch(`${server.url}/api/v1/runs`)).json()) as { runs: { run: string }[] }
  const at = `/${runs[0].run}/features`
  const api = async <T>(path: string): Promise<T> =>
    (await (await fetch(`${server.url}/api/v1/runs${at}${path}`)).json()) as T
  const opened = await openPage(browser, `${server.url}${at}/${feature}${query}`)
  return { ...opened, api, address: `${server.url}${at}` }
}

const panel = (page: Page, name: string) => page.getByRole('region', { name, exact: true })

browserTest('the feature page shows what the store has', async (t, browser) => {
  const { page, complaints, api } = await openFeature(t, browser, 0)
  await page.getByRole('heading', { level: 1, name: 'Feature 0 greeting number 0' }).waitFor()
  const stored = await api<FeaturePage>('/0')
  const figures = await page.locator('.feature-figures').innerText()
  assert.match(figures, new RegExp(`1 in ${Math.round(1 / stored.density)} tokens`))
  assert.match(figures, new RegExp(stored.hookName))
  const panels = ['Explanations', 'Your label and note', 'Activations', 'Logits', 'Tokens it fires on']
  for (const name of [...panels, 'Your own text', 'Examples', 'Related features', 'Neurons', 'Specificity'])
    assert.equal(await panel(page, name).count(), 1, name)
  assert.equal(await panel(page, 'Explanations').getByText('spearman 0').count(), 1)
  assert.match(await panel(page, 'Activations').innerText(), new RegExp(`${stored.fires} of the`))
  const rows = panel(page, 'Tokens it fires on').locator('tbody tr')
  assert.equal(await rows.count(), Math.min(10, stored.tokens.length))
  const source = `${stored.examples[0].document}:${stored.examples[0].position}`
  assert.ok((await panel(page, 'Examples').getByText(source, { exact: true }).count()) > 0)
  assert.equal(await panel(page, 'Related features').getByRole('link').count(), relatedOf(stored))
  assert.deepEqual(complaints, [])
})

/** Requests of what is no longer wanted are stopped: that is no fault. */
const notStopped = (complaint: string): boolean => !complaint.includes('net::ERR_ABORTED')

const relatedOf = ({ neighbours, coActive }: FeaturePage): number => neighbours.length + coActive.length

browserTest(
  'pointer and keys read the values of tokens; the context width is in the address',
  async (t, browser) => {
    const { page, complaints } = await openFeature(t, browser, 0, '?context=full')
    const readOut = page.locator('.read-out')
    const token = page.locator('.example .token[data-focus]').first()
    await token.hover()
    await readOut.getByText(/^activation \d/).waitFor()
    await page.keyboard.press('Escape')
    await readOut.waitFor({ state: 'detached' })

    await page.getByRole('group', { name: /^Examples/ }).focus()
    await page.keyboard.press('ArrowDown')
    const first = await readOut.innerText()
    await page.keyboard.press('ArrowLeft')
    assert.notEqual(await readOut.innerText(), first)
    assert.equal(await page.locator('.token[data-current]').count(), 1)

    const text = page.locator('.example .tokens').first()
    const full = await text.locator('.token').count()
    await page.getByRole('radio', { name: 'short' }).check({ force: true })
    await page.waitForURL('**?context=short')
    assert.ok((await text.locator('.token').count()) < full, 'less text is shown')
    await page.reload()
    assert.equal(await page.getByRole('radio', { name: 'short' }).isChecked(), true)
    assert.deepEqual(complaints, [])
  },
)

browserTest(
  'labels are saved with the keyboard and stay; what is not saved outlives a look elsewhere',
  async (t, browser) => {
    const { page, complaints, api } = await openFeature(t, browser, 1)
    const own = panel(page, 'Your label and note')
    await own.getByLabel('Label').fill('سلام, <b>hello</b>')
    await own.getByText('Not saved yet').waitFor()
    await page.getByRole('link', { name: 'Next: feature 2' }).click()
    await page.getByRole('heading', { level: 1, name: 'Feature 2' }).waitFor()
    await page.getByRole('link', { name: 'Previous: feature 1' }).click()
    await page.getByRole('heading', { level: 1, name: 'Feature 1' }).waitFor()
    await own.getByText('Not saved yet').waitFor()
    assert.equal(await own.getByLabel('Label').inputValue(), 'سلام, <b>hello</b>')
    await own.getByLabel('Note').fill('a note')
    await page.keyboard.press('Control+Enter')
    await own.getByText('Saved', { exact: true }).waitFor()
    const { label, note } = await api<FeatureNotes>('/1/notes')
    assert.deepEqual({ label, note }, { label: 'سلام, <b>hello</b>', note: 'a note' })
    await page.reload()
    await page.getByRole('heading', { level: 1, name: 'Feature 1 سلام, <b>hello</b>' }).waitFor()
    assert.deepEqual(complaints, [])
  },
)

browserTest('a concept is measured on the page, with precision by level as a table', async (t, browser) => {
  const { page, complaints } = await openFeature(t, browser, 0)
  const specificity = panel(page, 'Specificity')
  await specificity.getByLabel('Kind of concept').selectOption('regular expression')
  await specificity.getByLabel('Regular expression').fill('[0-9]+')
  await specificity.getByRole('button', { name: 'Measure' }).click()
  await specificity.locator('summary').filter({ hasText: '[0-9]+' }).waitFor()
  const headings = specificity
    .getByRole('table', { name: 'By level of activation' })
    .getByRole('columnheader')
  assert.deepEqual(await headings.allInnerTexts(), ['activation', 'tokens', 'holds on', 'log ratio'])
  await specificity.getByLabel('Regular expression').fill('(')
  await specificity.getByRole('button', { name: 'Measure' }).click()
  await specificity.getByRole('alert').waitFor()
  assert.ok(
    complaints.every((complaint) => complaint.includes('400')),
    complaints.join('\n'),
  )
})

browserTest(
  'a text is shaded while it is typed; the page can be taken along as a file',
  async (t, browser) => {
    const { page, complaints, api } = await openFeature(t, browser, 0)
    const own = panel(page, 'Your own text')
    await own.getByLabel('Text to run').pressSequentially('Line 1 says hello. '.repeat(3))
    await own.getByText(/Only the first \d+ tokens were run/).waitFor()
    assert.ok((await own.locator('.token').count()) > 5)
    await own.getByLabel('Text to run').fill('')
    await own.locator('.token').first().waitFor({ state: 'detached' })

    const waiting = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Download JSON' }).click()
    const file = await waiting
    assert.equal(file.suggestedFilename(), 'feature-0.json')
    const content = JSON.parse(await readFile(await file.path(), 'utf8'))
    assert.deepEqual(content, { page: await api('/0'), notes: await api('/0/notes') })
    assert.deepEqual(complaints.filter(notStopped), [])
  },
)

browserTest(
  'keys go from feature to feature, within the list that the user came from; dead and unknown features say so',
  async (t, browser) => {
    const { page, complaints, address } = await openFeature(t, browser, 0)
    const heading = (feature: number) =>
      page.getByRole('heading', { level: 1, name: `Feature ${feature}` }).waitFor()
    await heading(0)
    await page.keyboard.press('ArrowRight')
    await heading(1)
    await page.keyboard.press('[')
    await heading(0)

    await page.goto(`${address}/3?sort=id&at=3`)
    await page.getByRole('link', { name: 'Next: feature 4' }).waitFor()
    await page.keyboard.press(']')
    await heading(4)
    assert.match(page.url(), /features\/4\?sort=id&at=4$/)
    assert.ok(await page.getByRole('link', { name: 'Back to the list' }).isVisible())

    await page.goto(`${address}/${smallFeatures - 1}`)
    await page.getByRole('heading', { name: 'This feature is dead' }).waitFor()
    assert.equal(await panel(page, 'Examples').count(), 0)

    await page.goto(`${address}/${smallFeatures}`)
    await page.getByRole('heading', { name: `There is no feature ${smallFeatures}` }).waitFor()
    await page.getByRole('link', { name: `Feature ${smallFeatures - 1}, the nearest` }).click()
    await heading(smallFeatures - 1)
    await page.goto(`${address}/abc%3Cb%3E`)
    await page.getByRole('heading', { name: 'There is no feature abc<b>' }).waitFor()
    assert.deepEqual(complaints.filter(notStopped), [])
  },
)

browserTest(
  'a feature of a compared dictionary shows its tree across sizes and its partner',
  async (t, browser) => {
    const { page, complaints } = await openFeature(t, browser, 0, '', (root) =>
      addComparisons(root, { collected: true }),
    )
    const sizes = panel(page, 'Across dictionary sizes')
    await sizes.waitFor()
    const lines = sizes.getByRole('listitem')
    assert.equal(await lines.count(), 1 + smallFeatures)
    assert.match(await lines.nth(1).innerText(), /^8 0 t0 cosine 0.90, correlation 0.80/)
    assert.equal(await lines.nth(1).getAttribute('aria-current'), 'true')
    const partner = panel(page, 'In other models')
    assert.match(
      await partner.innerText(),
      /Feature 2 of .*seed-1, which has this one as its partner in turn/,
    )
    assert.match(await partner.innerText(), /correlate with 0.75 \(0.5 on text that did not choose it\)/)
    const sides = partner.locator('.side-by-side > div')
    assert.equal(await sides.count(), 2)
    for (const side of await sides.all()) assert.ok((await side.locator('.partner-text').count()) > 0)
    await lines.nth(4).getByRole('link').click()
    await page.getByRole('heading', { level: 1, name: /^Feature 3/ }).waitFor()
    assert.deepEqual(complaints, [])
  },
)
