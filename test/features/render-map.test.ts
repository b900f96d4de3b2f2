import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FeatureMap, MapRow } from '../../src/features/feature-map.js'
import type { FeatureRow } from '../../src/features/feature-store.js'
import { renderClusters } from '../../src/features/render-map.js'
import { displayWidth } from '../../src/terminal/display-width.js'
import { pieceTokenizer } from '../model/tiny-corpus.js'

/** token 1 is "a", 2 "b", and so on; 5 is a blank */
const tokenizer = pieceTokenizer([[97], [98], [99], [100], [32]])

/** A feature whose strongest example is about one token. */
function featureOn(feature: number, token: number | null): FeatureRow {
  const tokens = token === null ? [] : [4, token]
  const example = { interval: null, rank: 0, activation: 1, document: 0, position: 2, tokenIndex: 1, tokens }
  const topExample = token === null ? null : { ...example, activations: [0, 1] }
  return { feature, fires: 1, density: 0.1, max: 1, mean: 1, singleToken: false, topTokens: [], topExample }
}

function placed(feature: number, cluster: number | null, neighbours: [number, number][] = []): MapRow {
  const at = cluster === null ? null : feature
  const list = neighbours.map(([other, cosine]) => ({ feature: other, cosine }))
  return { feature, x: at, y: at, order: at, cluster, neighbours: list }
}

const map: FeatureMap = {
  summary: { hookName: 'hook_embed', features: 7, placed: 6, clusters: 3, neighbours: 2 },
  rows: [
    placed(0, 0, [[1, 0.5]]),
    placed(1, 0, [
      [0, 0.5],
      [2, 0.5],
    ]),
    placed(2, 0, [[1, 0.4]]),
    placed(3, 1, [
      [4, 0.9],
      [0, 0.8],
    ]),
    placed(4, 1, [[3, 0.1]]),
    placed(5, 2),
    placed(6, null),
  ],
}
const rows = [1, 1, 2, 5, 5, 1, null].map((token, feature) => featureOn(feature, token))

test('clusters are listed with the tokens that set them apart and their most central features', () => {
  const lines = renderClusters(map, rows, { tokenizer, clusters: 2 }).split('\n')
  assert.equal(lines.length, 5)
  // of "b" 1 where chance gives 1/2: 1 ln 2 = 0.69; of "a" 2 where it gives 3/2: 2 ln(4/3) = 0.58
  assert.match(lines[2], /^ +0 +3 +b a +1 0 2$/)
  assert.match(lines[3], /^ +1 +2 +␣ +3 4$/)
  assert.equal(lines[4], '… and 1 smaller cluster with 1 feature')
})

test('no line is wider than the terminal, and a map without features has no lines', () => {
  for (const line of renderClusters(map, rows, { tokenizer, width: 60 }).split('\n'))
    assert.ok(displayWidth(line) <= 60, line)
  const empty = { summary: { ...map.summary, placed: 0, clusters: 0 }, rows: [placed(0, null)] }
  assert.equal(renderClusters(empty, rows, { tokenizer }), 'no feature has a place on the map')
})
