import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import type { Page } from 'playwright-core'
import { createApp } from '../../src/server/app.js'
import type { FeatureList, RunList, SteerEvent } from '../../src/server/protocol.js'
import { localAccess } from '../../src/server/security/access.js'
import { startServer } from '../../src/server/serve.js'
import { openServedRun } from '../../src/server/served-run.js'
import { readWebFiles } from '../../src/server/web-files.js'
import { kernels, smallRun } from '../small-run.js'
import { browserTest, openPage } from './browser.js'

const runButton = (page: Page) => page.getByRole('button', { name: 'Run', exact: true })

/** A run and its most active feature; most features of the small run never fire. */
async function liveFeature(url: string): Promise<{ run: string; feature: number }> {
  const answer = async (path: string) => (await fetch(`${url}/api/v1/runs${path}`)).json()
  const [{ run }] = ((await answer('')) as RunList).runs
  const { items } = (await answer(`/${run}/features?sort=density&limit=1`)) as FeatureList
  return { run, feature: items[0].feature }
}

browserTest('a feature is found, steered with, and both texts are judged', async (t, browser) => {
  const { root } = await smallRun(t, { extras: ['explanations'] })
  const server = await startServer({ runs: [root], port: 0, kernels: async () => kernels })
  t.after(() => server.close())
  const { feature } = await liveFeature(server.url)
  const { page, complaints } = await openPage(browser, server.url)
  await page.getByRole('link', { name: 'Steer' }).click()
  await page.getByRole('combobox', { name: 'Add a feature' }).fill(String(feature))
  await page.getByRole('option', { name: new RegExp(`^${feature} `) }).waitFor()
  await page.keyboard.press('Enter')
  await page.getByRole('spinbutton', { name: `Strength of feature ${feature} as a number` }).fill('-2.5')
  await page.keyboard.press('Tab')
  await page.getByText(/−2.5 × maximum = −/).waitFor()
  await page.getByRole('textbox', { name: 'Prompt' }).fill('  Line 1\nsays')
  await page.getByRole('spinbutton', { name: 'Tokens' }).fill('6')
  await page.keyboard.press('Tab')
  await runButton(page).click()
  await page.getByText('Done.').waitFor()
  for (const name of ['Unsteered text', 'Steered text']) {
    const written = page.getByRole('region', { name, exact: true }).locator('.written')
    assert.equal(await written.locator('.prompt').textContent(), '  Line 1\nsays')
    assert.ok(((await written.textContent()) ?? '').length > '  Line 1\nsays'.length)
  }
  assert.ok((await page.locator('.mover-table tbody tr').count()) > 2)
  assert.match((await page.locator('.judgements tbody').textContent()) ?? '', /Steered6\d+\.\d\d/)

  const { searchParams } = new URL(page.url())
  assert.deepEqual(Object.fromEntries(searchParams), {
    ...{ features: `${feature}:-2.5`, prompt: '  Line 1\nsays', tokens: '6' },
  })
  await page.reload()
  const strength = page.getByRole('slider', { name: `Strength of feature ${feature}` })
  assert.equal(await strength.inputValue(), '-2.5')
  assert.equal(await page.getByRole('textbox', { name: 'Prompt' }).inputValue(), '  Line 1\nsays')
  await page.getByText('Pass on').click()
  const command = (await page.locator('.command').textContent()) ?? ''
  assert.ok(
    command.includes(`--feature ${feature} --strength -2.5 --prompt '  Line 1\nsays' --max-tokens 6 `),
    command,
  )
  assert.deepEqual(complaints, [])
})

const anyPort = { ...localAccess, names: new Set(['127.0.0.1']) }

/** A server whose steered runs begin and never end; `left` resolves when the client leaves one. */
async function startHanging(t: TestContext, root: string): Promise<{ url: string; left: Promise<void> }> {
  const run = await openServedRun(root, 'run')
  const outer = new Hono()
  const left = new Promise<void>((resolve) => {
    outer.post('/api/v1/runs/run/steer', (c) =>
      streamSSE(c, async (stream) => {
        const send = (event: SteerEvent) => stream.writeSSE({ data: JSON.stringify(event) })
        await send({ type: 'queued', ahead: 2 })
        await send({ type: 'start', truncated: false })
        await send({ type: 'text', side: 'steered', text: 'אב' })
        await new Promise<void>((end) => stream.onAbort(end))
        resolve()
      }),
    )
  })
  outer.route('/', createApp(new Map([['run', run]]), readWebFiles(), { access: anyPort }))
  const server = serve({ fetch: outer.fetch, port: 0, hostname: '127.0.0.1' })
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => {
    run.close()
    return new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, left }
}

browserTest('Escape stops a run here and on the server', async (t, browser) => {
  const { root } = await smallRun(t)
  const { url, left } = await startHanging(t, root)
  const { page, complaints } = await openPage(browser, `${url}/run/steer?features=1:3,2:ablate`)
  await runButton(page).click()
  await page.getByRole('region', { name: 'Steered text', exact: true }).getByText('אב').waitFor()
  assert.equal(await runButton(page).isDisabled(), true)
  await page.keyboard.press('Escape')
  await page.getByText('Stopped.').waitFor()
  await left
  assert.equal(await runButton(page).isEnabled(), true)
  assert.deepEqual(
    complaints.filter((text) => !text.includes('ERR_ABORTED')),
    [],
  )
})

browserTest('a server that is busy is said so, and asked again', async (t, browser) => {
  const { root } = await smallRun(t)
  const server = await startServer({ runs: [root], port: 0, kernels: async () => kernels })
  t.after(() => server.close())
  const { run, feature } = await liveFeature(server.url)
  const { page } = await openPage(browser, `${server.url}/${run}/steer?features=${feature}&tokens=3`)
  const error = { code: 'busy', message: 'the queue is full', hint: 'try again in a moment' }
  await page.route('**/steer', (route) => route.fulfill({ status: 503, json: { error } }), { times: 1 })
  await runButton(page).click()
  await page.getByRole('alert').getByText('the queue is full').waitFor()
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByText('Done.').waitFor()
  assert.equal(await page.getByRole('alert').count(), 0)
})
