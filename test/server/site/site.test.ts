import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { createApp } from '../../../src/server/app.js'
import type { FeatureList, FeatureMap, FeaturePage } from '../../../src/server/protocol.js'
import { openServedRun } from '../../../src/server/served-run.js'
import { askApp } from '../../../src/server/site/ask.js'
import { exportSite } from '../../../src/server/site/export-site.js'
import {
  answerFile,
  pageFile,
  type SiteColumns,
  type SiteDocuments,
  type SitePage,
} from '../../../src/server/site/site-layout.js'
import type { WebFiles } from '../../../src/server/web-files.js'
import { context, smallRun } from '../../small-run.js'
import { temporaryDirectory } from '../../temporary-directory.js'

const file = (text: string, type: string) => {
  const content = Buffer.from(text)
  return { content, gzipped: content, type, etag: '"1"' }
}

/** An app of two files, so that these tests need no build. */
const web: WebFiles = new Map([
  ['/index.html', file('<html><head><base href="/"></head><body></body></html>', 'text/html')],
  ['/assets/app.js', file('1', 'text/javascript')],
  ['/login.html', file('<html></html>', 'text/html')],
])

async function exported(t: TestContext, features: string[] = []) {
  const { root } = await smallRun(t, { extras: ['feature-map', 'explanations'] })
  const out = join(await temporaryDirectory(t), 'site')
  const report = await exportSite({ runs: [root], out, features, web }, context)
  const run = report.runs[0].run
  const read = <T>(path: string): T =>
    JSON.parse(gunzipSync(readFileSync(join(out, 'data', path))).toString('utf8')) as T
  return { root, out, report, run, read }
}

test('an exported site holds what the API answers, but for the directory of the run', async (t) => {
  const { root, run, read } = await exported(t)
  const served = await openServedRun(root, run)
  t.after(() => served.close())
  const ask = askApp(createApp(new Map([[run, served]]), web))
  const answer = async (path: string) => JSON.parse(await ask(path))
  const info = { ...served.info, directory: run }
  assert.deepEqual(read(answerFile('/runs')), { ...(await answer('/runs')), runs: [info] })
  assert.deepEqual(read(answerFile(`/runs/${run}`)), { ...(await answer(`/runs/${run}`)), run: info })
  assert.deepEqual(read(answerFile(`/runs/${run}/map`)), await answer(`/runs/${run}/map`))
  for (const feature of [0, 7]) {
    const { answers } = read<SitePage>(pageFile(run, feature))
    for (const part of ['', '/notes', '/specificity', '/relatives'])
      assert.deepEqual(answers[part], await answer(`/runs/${run}/features/${feature}${part}`), part)
  }
})

test('the page of a feature names the features that it mentions', async (t) => {
  const { run, read } = await exported(t)
  const mentioned = Array.from({ length: 24 }, (_, feature) => {
    const { answers, names } = read<SitePage>(pageFile(run, feature))
    const { neighbours, coActive } = answers[''] as FeaturePage
    const others = new Set([...neighbours, ...coActive].map(({ feature }) => feature))
    for (const other of others)
      assert.equal(names[other], other % 2 === 0 ? `greeting number ${other}` : null)
    return others.size
  })
  assert.ok(Math.max(...mentioned) > 0)
})

test('only the features that were asked for are exported', async (t) => {
  const { out, run, read, report } = await exported(t, ['2-4,9'])
  assert.deepEqual(report.runs, [{ run, features: 4 }])
  assert.equal(report.sizes.pages.files, 4)
  assert.ok(!existsSync(join(out, 'data', pageFile(run, 5))))
  const columns = read<SiteColumns>(`${run}/columns.json.gz`)
  assert.deepEqual(columns.features, [2, 3, 4, 9])
  assert.deepEqual(
    read<SiteDocuments>(`${run}/documents.json.gz`).text.map((text) => text !== ''),
    [true, false, true, false],
  )
  const onMap = read<FeatureMap>(`${run}/map.json.gz`).feature
  assert.deepEqual(
    onMap.filter((feature) => ![2, 3, 4, 9].includes(feature)),
    [],
  )
  const lines = read<FeatureList['items']>(`${run}/items/0.json.gz`)
  assert.deepEqual(lines.map(({ feature }) => feature).sort(), [2, 3, 4, 9])
})

test('the exported start page says what it is, allows nothing foreign and stands in any folder', async (t) => {
  const { out } = await exported(t)
  const html = readFileSync(join(out, 'index.html'), 'utf8')
  assert.match(html, /<meta http-equiv="Content-Security-Policy" content="default-src 'none';/)
  assert.match(html, /<meta name="monosem-export"/)
  assert.doesNotMatch(html, /<base/)
  assert.ok(existsSync(join(out, 'assets', 'app.js')))
  assert.ok(!existsSync(join(out, 'login.html')))
})

test('a site that was not finished leaves nothing', async (t) => {
  const { root } = await smallRun(t)
  const out = join(await temporaryDirectory(t), 'site')
  const stopped = { ...context, signal: AbortSignal.abort() }
  await assert.rejects(exportSite({ runs: [root], out, web }, stopped), { code: 'interrupted' })
  assert.ok(!existsSync(out) && !existsSync(`${out}.partial`))
  await assert.rejects(exportSite({ runs: [root], out, features: ['99'], web }, context), { code: 'missing' })
  assert.ok(!existsSync(out))
})

test('a directory that is there already is not written to', async (t) => {
  const { root } = await smallRun(t)
  await assert.rejects(exportSite({ runs: [root], out: root, web }, context), { code: 'config' })
})
