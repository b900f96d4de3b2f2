import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Splitting } from '../../../src/compare/splitting-file.js'
import { featureTree } from '../../../src/server/relatives/feature-tree.js'
import { treeRow as row } from './compared-run.js'

/** Feature 0 of the smallest becomes 20 of the middle one, of which 15 becomes 0 and 1 of the largest; 1 is lost. */
const many = Array.from({ length: 20 }, (_, i) => i)
const splitting = {
  summary: { sizes: [{ features: 2 }, { features: 20 }, { features: 40 }] },
  features: [
    [row(0, 0, null, many), row(0, 1, null, [])],
    many.map((i) => row(1, i, 0, i === 15 ? [0, 1] : [])),
    Array.from({ length: 40 }, (_, i) => row(2, i, i < 2 ? 15 : null, [])),
  ],
} as unknown as Splitting

const shape = (size: number, feature: number): string[] =>
  featureTree(splitting, size, feature).nodes.map(
    (node) =>
      `${node.size}:${node.feature}${node.here ? ' here' : ''}${node.hidden ? ` +${node.hidden}` : ''}`,
  )

test('the tree of a feature begins at its oldest ancestor and goes down from there', () => {
  const { sizes, nodes } = featureTree(splitting, 2, 1)
  assert.deepEqual(sizes, [2, 20, 40])
  assert.deepEqual(nodes[0], {
    ...{ size: 0, feature: 0, here: false, fires: 10, fate: 'split', cosine: null, correlation: null },
    ...{ tokens: ['t0'], explanation: null, hidden: 7 },
  })
  assert.deepEqual(
    nodes.filter(({ here }) => here).map(({ size, feature, cosine }) => [size, feature, cosine]),
    [[2, 1, 0.9]],
  )
})

test('of very many children twelve are shown, and the one that the feature comes through', () => {
  const twelve = many.slice(0, 12).map((i) => `1:${i}`)
  assert.deepEqual(shape(2, 1), ['0:0 +7', ...twelve, '1:15', '2:0', '2:1 here'])
  assert.deepEqual(shape(0, 0), ['0:0 here +8', ...twelve])
})

test('a feature without parent or children is a tree by itself', () => {
  assert.deepEqual(shape(0, 1), ['0:1 here'])
  assert.deepEqual(shape(2, 39), ['2:39 here'])
})
