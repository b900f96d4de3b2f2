import assert from 'node:assert/strict'
import { test } from 'node:test'
import { densityReport } from '../../src/eval/density.js'
import {
  tokensForDead,
  tokensNeeded,
  underpoweredDensities,
  underpoweredIntervals,
  underpoweredRecovery,
} from '../../src/eval/power.js'

const claims = (found: { claim: string }[]) => found.map(({ claim }) => claim)

test('a count about a density takes ten expected tokens at that density', () => {
  assert.equal(tokensNeeded(0.1), 100)
  assert.equal(tokensNeeded(1e-6), 10_000_000)
  assert.equal(tokensForDead(4096), 40_960)
})

test('what a sample is too small for is named, with what it holds and what it would take', () => {
  assert.deepEqual(claims(underpoweredDensities(99, 4)), ['density.dense', 'density.ultraLow'])
  assert.deepEqual(claims(underpoweredDensities(100, 4096)), ['density.dead', 'density.ultraLow'])
  assert.deepEqual(underpoweredDensities(10_000_000, 4096), [])
  assert.match(underpoweredDensities(100, 4096)[0].reason, /4,096 take 40,960 tokens, the sample has 100$/)
  assert.deepEqual(claims(underpoweredIntervals(19)), ['intervals'])
  assert.deepEqual(underpoweredIntervals(20), [])
})

test('densities that a sample cannot count are null, and the bare count of what never fired is not', () => {
  const { dead, deadFraction, dense, ultraLow, neverFired } = densityReport([0, 50, 3], 20)
  assert.deepEqual(
    { dead, deadFraction, dense, ultraLow, neverFired },
    { dead: null, deadFraction: null, dense: null, ultraLow: null, neverFired: 1 },
  )
  assert.equal(densityReport([1, 1], 1000).deadFraction, 0)
})

test('loss recovered takes an ablation that surely does damage; without an interval nothing is struck out', () => {
  assert.deepEqual(underpoweredRecovery('lossRecovered', 'zero ablation', [0.01, 0.5]), [])
  assert.deepEqual(underpoweredRecovery('lossRecovered', 'zero ablation', null), [])
  const [found] = underpoweredRecovery('lossRecovered', 'zero ablation', [-0.01, 0.5])
  assert.equal(found.claim, 'lossRecovered')
  assert.match(found.reason, /^zero ablation adds -0\.0100 to 0\.5000 nats/)
})
