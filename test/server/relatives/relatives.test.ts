import assert from 'node:assert/strict'
import { test } from 'node:test'
import { relativesSchema, runListSchema } from '../../../src/server/protocol.js'
import { smallRun, sparseArrays } from '../../small-run.js'
import { runApp } from '../run-app.js'
import { addComparisons } from './compared-run.js'

test('a feature has its tree across sizes and its partner in another model, with the texts of that', async (t) => {
  const { root } = await smallRun(t, { arrays: sparseArrays() })
  await addComparisons(root, { collected: true })
  const { app, read } = await runApp(t, root)
  const { runs } = runListSchema.parse(await (await app.request('/api/v1/runs')).json())
  assert.equal(runs[0].has.relatives, true)
  const { tree, partners, withoutPartner } = relativesSchema.parse(await read('/features/0/relatives'))
  assert.deepEqual(tree?.sizes, [2, 8])
  assert.deepEqual(tree?.nodes.map(({ size, feature, here }) => [size, feature, here]).slice(0, 3), [
    [0, 1, false],
    [1, 0, true],
    [1, 1, false],
  ])
  assert.deepEqual(withoutPartner, [])
  const [partner] = partners
  assert.equal(partner.feature, 2)
  assert.equal(partner.mutual, true)
  assert.deepEqual(partner.byLogits, { feature: 1, similarity: 0.625 })
  assert.equal(partner.missing, null)
  assert.ok(partner.max > 0 && partner.examples.length > 0 && partner.tokens.length > 0)
})

test('a feature that fired too seldom has no partner, and is told of', async (t) => {
  const { root } = await smallRun(t, { arrays: sparseArrays() })
  await addComparisons(root, { collected: true })
  const { read, get } = await runApp(t, root)
  const { partners, withoutPartner } = relativesSchema.parse(await read('/features/5/relatives'))
  assert.deepEqual([partners, withoutPartner], [[], ['universality']])
  assert.equal((await get('/features/99/relatives')).status, 404)
})

test('where the other dictionary has no features, the command that collects them is told', async (t) => {
  const { root } = await smallRun(t, { arrays: sparseArrays() })
  await addComparisons(root, { collected: false })
  const { read } = await runApp(t, root)
  const [partner] = relativesSchema.parse(await read('/features/0/relatives')).partners
  assert.match(partner.missing ?? '', /^monosem features build --corpus .*corpus --model .*seed-1\/model/)
  assert.deepEqual([partner.tokens, partner.examples], [[], []])
})

test('a run without comparisons has no relatives', async (t) => {
  const { root } = await smallRun(t, { arrays: sparseArrays() })
  const { app, read } = await runApp(t, root)
  const { runs } = runListSchema.parse(await (await app.request('/api/v1/runs')).json())
  assert.equal(runs[0].has.relatives, false)
  assert.deepEqual(await read('/features/0/relatives'), { tree: null, partners: [], withoutPartner: [] })
})
