import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import type { FeatureMap, RunList } from '../../src/server/protocol.js'
import { startServer } from '../../src/server/serve.js'
import { everything, kernels, smallRun } from '../small-run.js'
import { browserTest, openPage } from './browser.js'

type PageOptions = Parameters<typeof openPage>[2]

/** Opens the map of a small run; `search` is the query of its address, FIRST in it the first feature on the map. */
async function openMap(t: TestContext, browser: Browser, search = '', options: PageOptions = {}) {
  const { root } = await smallRun(t, { extras: everything })
  const server = await startServer({ runs: [root], port: 0, kernels: async () => kernels })
  t.after(() => server.close())
  const ask = async (path: string) => (await fetch(`${server.url}/api/v1${path}`)).json()
  const { run } = ((await ask('/runs')) as RunList).runs[0]
  const map = (await ask(`/runs/${run}/map`)) as FeatureMap
  const url = `${server.url}/${run}`
  const opened = await openPage(
    browser,
    `${url}/map${search.replace('FIRST', String(map.feature[0]))}`,
    options,
  )
  await opened.page.locator('canvas[data-drawn]').waitFor()
  return { ...opened, map, url, first: map.feature[0] }
}

const stage = (page: Page) => page.getByRole('application', { name: /^Map/ })

/** Middle of the map on the page. */
async function middle(page: Page): Promise<{ x: number; y: number; width: number; height: number }> {
  const box = await stage(page).boundingBox()
  assert.ok(box)
  return { ...box, x: box.x + box.width / 2, y: box.y + box.height / 2 }
}

/** Pixels of the canvas that are not empty, read in the frame that it is drawn in: WebGL forgets them after it. */
const pixelsDrawn = (page: Page): Promise<number> =>
  page.evaluate(`new Promise((resolve) => {
    const stage = document.querySelector('[role=application]')
    stage.dispatchEvent(new KeyboardEvent('keydown', { key: '0', bubbles: true }))
    requestAnimationFrame(() => {
      const canvas = stage.querySelector('canvas')
      const context = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d')
      context.drawImage(canvas, 0, 0)
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height)
      resolve(data.filter((value, i) => i % 4 === 3 && value > 0).length)
    })
  })`)

browserTest('the map draws its points, with WebGL and without', async (t, browser) => {
  const { page, complaints, map, url } = await openMap(t, browser)
  const webgl = await page.evaluate("document.createElement('canvas').getContext('webgl2') !== null")
  const drawn = () => page.locator('canvas[data-drawn]').getAttribute('data-drawn')
  assert.equal(await drawn(), webgl ? 'webgl2' : 'canvas2d')
  const pixels = await pixelsDrawn(page)
  assert.ok(pixels > 10 * map.feature.length, `${pixels} pixels`)
  await page.goto(`${url}/map?renderer=canvas`)
  await page.locator('canvas[data-drawn]').waitFor()
  assert.equal(await drawn(), 'canvas2d')
  const plain = await pixelsDrawn(page)
  assert.ok(Math.abs(plain - pixels) < 0.35 * pixels, `${plain} and ${pixels} pixels`)
  assert.deepEqual(complaints, [])
})

browserTest('a feature is marked, named under the pointer and opened by a click', async (t, browser) => {
  const { page, complaints, first, url } = await openMap(t, browser, '?feature=FIRST')
  const { x, y } = await middle(page)
  await page.mouse.move(x + 2, y)
  await page.locator('.map-tip[data-shown]', { hasText: new RegExp(`^${first}\\b`) }).waitFor()
  await page.mouse.click(x + 2, y)
  await page.waitForURL(`${url}/features/${first}`)
  await page.goto(`${url}/map?feature=999`)
  await page.getByText('Feature 999 is not on the map').waitFor()
  assert.deepEqual(complaints, [])
})

browserTest('on a narrow touch screen a tap names a feature, with a link to its page', async (t, browser) => {
  const options = { hasTouch: true, viewport: { width: 360, height: 740 } }
  const { page, complaints, first, url } = await openMap(t, browser, '?feature=FIRST', options)
  assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 360)
  const { x, y } = await middle(page)
  await page.touchscreen.tap(x, y)
  await page.locator('.map-tip[data-shown]', { hasText: new RegExp(`^${first}\\b`) }).waitFor()
  await page.getByRole('link', { name: 'Open its page' }).tap()
  await page.waitForURL(`${url}/features/${first}`)
  assert.deepEqual(complaints, [])
})

browserTest('colour, search and view are in the address and change the legend', async (t, browser) => {
  const { page, complaints } = await openMap(t, browser)
  const legend = page.getByRole('region', { name: 'Legend' })
  await legend.getByText('Density').waitFor()
  await page.getByLabel('Colour').selectOption('score')
  await legend.getByText('Score of the explanation').waitFor()
  await legend.getByText('no value').waitFor()
  await page.getByLabel('Colour').selectOption('cluster')
  await legend.getByText('Largest clusters').waitFor()
  await page.getByLabel('Mark features').fill('1')
  await page.getByText(/\d+ found/).waitFor()
  await page.getByRole('button', { name: 'Zoom in' }).click()
  await page.waitForURL(/at=/)
  assert.match(page.url(), /colour=cluster/)
  assert.match(page.url(), /q=1/)
  const again = await openPage(browser, page.url())
  await again.page.getByRole('region', { name: 'Legend' }).getByText('Largest clusters').waitFor()
  assert.equal(await again.page.getByLabel('Mark features').inputValue(), '1')
  assert.deepEqual([...complaints, ...again.complaints], [])
})

browserTest('a lasso lists the points inside it, and they can be saved', async (t, browser) => {
  const { page, complaints, map } = await openMap(t, browser)
  const { x, y, width, height } = await middle(page)
  const corners = [
    [-0.49, -0.49],
    [0.49, -0.49],
    [0.49, 0.49],
    [-0.49, 0.49],
  ].map(([right, down]) => [x + right * width, y + down * height])
  await page.keyboard.down('Shift')
  await page.mouse.move(corners[0][0], corners[0][1])
  await page.mouse.down()
  for (const [right, down] of corners.slice(1)) await page.mouse.move(right, down, { steps: 4 })
  await page.mouse.up()
  await page.keyboard.up('Shift')
  await page.getByRole('button', { name: `Selected ${map.feature.length}` }).waitFor()
  const list = page.getByRole('region', { name: 'Selected features' })
  await list.getByRole('link').first().waitFor()
  const saving = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Download JSON' }).click()
  assert.match((await saving).suggestedFilename(), /-selection\.json$/)
  await page.getByRole('button', { name: 'Clear' }).click()
  await page.getByRole('button', { name: 'Selected 0' }).waitFor()
  assert.deepEqual(complaints, [])
})

browserTest('the keyboard moves the map, opens features and reaches clusters', async (t, browser) => {
  const { page, complaints, map, first, url } = await openMap(t, browser, '?feature=FIRST')
  await stage(page).focus()
  // There and back: what is in the middle is said again.
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('ArrowLeft')
  await page.locator('.map-tip[data-shown]', { hasText: new RegExp(`^${first}\\b`) }).waitFor()
  await page.keyboard.press('+')
  await page.keyboard.press('Enter')
  await page.waitForURL(`${url}/features/${first}`)
  await page.goBack()
  await page.locator('canvas[data-drawn]').waitFor()
  const [{ size }] = map.clusters
  await page
    .getByRole('button', { name: /^Select the features of the cluster/ })
    .first()
    .press('Enter')
  await page.getByRole('button', { name: `Selected ${size}` }).waitFor()
  await page.getByRole('button', { name: /^Clusters/ }).press('Enter')
  const clusters = page.getByRole('region', { name: 'Clusters, largest first' })
  await clusters.getByRole('link').first().press('Enter')
  await page.waitForURL(`${url}/features?cluster=${map.clusters[0].cluster}`)
  assert.deepEqual(complaints, [])
})
