import assert from 'node:assert/strict'
import { rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { overviewSchema } from '../../src/server/protocol.js'
import type { ServedRun } from '../../src/server/served-run.js'
import { fakeApp } from './fake-app.js'
import { evalFile, madeRun, madeStage, overviewSource } from './made-run.js'

test('an overview has an ETag, and is not sent again to who has it', async (t) => {
  const run = await overviewSource(t, await madeRun(t))
  const { app } = await fakeApp(t, {}, run as Partial<ServedRun>)
  const answer = await app.request('/api/v1/runs/demo')
  assert.equal(answer.status, 200)
  overviewSchema.parse(await answer.json())
  const etag = answer.headers.get('etag') ?? ''
  assert.match(etag, /^"[\w-]+"$/)
  const again = await app.request('/api/v1/runs/demo', { headers: { 'if-none-match': `"x", W/${etag}` } })
  assert.deepEqual([again.status, await again.text()], [304, ''])
  assert.equal((await app.request('/api/v1/runs/other')).status, 404)
})

test('reports are served as they are, in a sandbox without the rights of the app', async (t) => {
  const root = await madeRun(t)
  const page = '<script>fetch("/api/v1/runs")</script>'
  await madeStage(root, 'dashboard', { 'report.html': page, 'data.json': '{}', 'page.htm': '' })
  await madeStage(join(root, 'baselines'), 'report', { 'report.html': 'deeper' })
  await writeFile(join(root, 'summary.json'), '{"seconds":1}')
  await writeFile(join(root, 'loose.html'), 'in no manifest')
  const run = await overviewSource(t, root)
  const { app } = await fakeApp(t, {}, run as Partial<ServedRun>)
  const { reports } = overviewSchema.parse(await (await app.request('/api/v1/runs/demo')).json())
  assert.deepEqual(
    reports.map(({ name }) => name),
    [
      ...['baselines/report/report.html', 'case-studies/case-studies.json', 'dashboard/report.html'],
      ...['eval/eval.json', 'summary.json'],
    ],
  )
  const contents = await Promise.all(
    reports.map(async ({ href }) => {
      const answer = await app.request(`/api/v1/runs/demo/${href}`)
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
      const policy = answer.headers.get('content-security-policy') ?? ''
      assert.match(policy, /default-src 'none'/)
      assert.match(policy, /; sandbox allow-scripts$/)
      assert.doesNotMatch(policy, /'self'|allow-same-origin|connect-src/)
      return [answer.headers.get('content-type'), await answer.text()]
    }),
  )
  assert.deepEqual(contents[2], ['text/html; charset=utf-8', page])
  assert.deepEqual(contents[3], ['application/json', JSON.stringify(evalFile)])
  assert.deepEqual(contents[4], ['application/json', '{"seconds":1}'])
})

test('a name from a request is looked up among the reports and never becomes a path', async (t) => {
  const run = await overviewSource(t, await madeRun(t))
  const { app } = await fakeApp(t, {}, run as Partial<ServedRun>)
  const names = ['eval%2Feval.json', '..%2Fsummary.json', '%2Fetc%2Fpasswd', 'config.json', '__proto__']
  for (const name of names) {
    const answer = await app.request(`/api/v1/runs/demo/reports/${name}`)
    assert.equal(answer.status, 404, name)
    const { error } = (await answer.json()) as { error: { hint: string } }
    assert.match(error.hint, /there are case-studies.case-studies.json, eval.eval.json/)
  }
})

test('neither a manifest nor a link leads out of a run', async (t) => {
  const root = await madeRun(t)
  const dashboard = await madeStage(root, 'dashboard', { 'report.html': 'inside' })
  const other = join(root, 'other')
  await writeFile(join(root, 'secret.html'), 'outside')
  const manifest = { stage: 'x', version: 1, seed: null, inputs: {}, files: { '../secret.html': {} } }
  await madeStage(root, 'other', {})
  await writeFile(join(other, 'manifest.json'), JSON.stringify(manifest))
  await symlink(join(root, 'secret.html'), join(root, 'summary.json'))
  const run = await overviewSource(t, root)
  const names = [...run.reports.values()].map(({ name }) => name)
  assert.deepEqual(names, ['case-studies/case-studies.json', 'dashboard/report.html', 'eval/eval.json'])
  // The same content, so that its hash is right, but somewhere else.
  await writeFile(join(root, 'secret.html'), 'inside')
  await rm(join(dashboard, 'report.html'))
  await symlink(join(root, 'secret.html'), join(dashboard, 'report.html'))
  const { app } = await fakeApp(t, {}, run as Partial<ServedRun>)
  const answer = await app.request('/api/v1/runs/demo/reports/dashboard.report.html')
  assert.equal(answer.status, 404)
  assert.match(await answer.text(), /no plain file/)
})
