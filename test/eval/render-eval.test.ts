import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decoderReport } from '../../src/eval/decoder-geometry.js'
import { densityReport } from '../../src/eval/density.js'
import type { EvalReport } from '../../src/eval/eval-report.js'
import { l0Distribution, l0Histogram } from '../../src/eval/l0-distribution.js'
import { underpoweredDensities } from '../../src/eval/power.js'
import { renderEval } from '../../src/eval/render-eval.js'
import { displayWidth } from '../../src/terminal/display-width.js'

const fires = [0, 3, 3, 30, 30, 30, 400, 5000]

const report: EvalReport = {
  hookName: 'blocks.0.mlp.hook_post',
  targetHookName: 'blocks.0.mlp.hook_post',
  features: 8,
  width: 512,
  windows: 80,
  documents: 61,
  tokens: 10_000,
  targets: 9_900,
  l0: 31.26,
  l0Distribution: { min: 2, p5: 9, p25: 20, median: 29, p75: 40, p95: 61, max: 133 },
  l0Histogram: l0Histogram([0, 3, 5]),
  l1: 12.34,
  squaredError: 3.21,
  mse: 0.0063,
  normalizedMse: 0.1874,
  cosine: 0.912,
  l2Ratio: 0.934,
  relativeBias: 0.971,
  explainedVariance: 0.8123,
  losses: { clean: 2.5, spliced: 2.625, zeroAblated: 4, meanAblated: 2.4 },
  lossIntervals: {
    clean: [2.45, 2.55],
    spliced: [2.5625, 2.6875],
    zeroAblated: [3.9, 4.1],
    meanAblated: null,
  },
  lossRecovered: 0.9167,
  lossRecoveredMean: null,
  kl: 0.1234,
  deadFraction: 0.125,
  density: densityReport(fires, 10_000),
  decoder: decoderReport({ maxCosines: Float32Array.of(0.25, 0.5, 0.75), alignments: null }),
  intervals: {
    l0: [30.9, 31.7],
    l1: [12.1, 12.6],
    squaredError: [3.2, 3.22],
    mse: [0.00625, 0.00629],
    normalizedMse: null,
    cosine: [0.9, 0.92],
    l2Ratio: null,
    relativeBias: [0.97, 0.972],
    explainedVariance: [0.8, 0.82],
    lossRecovered: [0.91, 0.923],
    lossRecoveredMean: null,
    kl: [0.12, 0.13],
  },
  underpowered: underpoweredDensities(10_000, 8),
}

test('an evaluation is shown whole: figures with intervals, losses, densities, within 100 columns', () => {
  const text = renderEval(report)
  for (const expected of [
    /^blocks\.0\.mlp\.hook_post: 8 features, measured on 10,000 tokens of validation text \(61 documents\)$/m,
    /^L0 +31\.3 +30\.9 to 31\.7 +features active/m,
    /median 29; 5% at most 9, 95% at most 61; 2 to 133$/m,
    /^explained variance +81\.2% +80\.0% to 82\.0% /m,
    /^loss recovered, zero +91\.7% +91\.0% to 92\.3% /m,
    /^loss recovered, mean +– +– /m,
    /^KL divergence +0\.1234 +0\.1200 to 0\.1300 +nats/m,
    /^nothing \(original\) +2\.5000 +2\.4500 to 2\.5500$/m,
    /^its reconstruction +2\.6250 +2\.5625 to 2\.6875 +\+0\.1250$/m,
    /^the mean +2\.4000 +– +−0\.1000$/m,
    /^zero +4\.0000 +3\.9000 to 4\.1000 +\+1\.5000$/m,
    /^L2 ratio +0\.934 +– /m,
    /^relative bias +0\.971 +0\.970 to 0\.972 /m,
    /^dead features: never fired on the sample +1 \(12\.5%\)$/m,
    /^dense features: on more than 10% of tokens +1 \(12\.5%\)$/m,
    /^ultra-low density features: below 1e-6 +the sample is too small$/m,
    /^decoder direction and the nearest other one +0\.25 +0\.50 +0\.75 +0\.75$/m,
    /^encoder direction and decoder direction +– +– +– +–$/m,
    /^too small a sample:\n {2}features below a density of 1e-6 take 10,000,000 tokens, the sample has 10,000$/m,
  ])
    assert.match(text, expected)
  for (const line of text.split('\n')) assert.ok(displayWidth(line) <= 100, line)
})

test('the density histogram stands over its axis: each decade is 8 columns', () => {
  const lines = renderEval(report).split('\n')
  const axis = lines.findIndex((line) => line.includes('10^-4'))
  assert.equal(lines[axis], '  10^-4   10^-3   10^-2   10^-1   10^0')
  // 3e-4 twice, 3e-3 three times, 4e-2 and 5e-1 once: each a bar in its quarter decade
  assert.equal(lines[axis - 2], `  ${' '.repeat(2)}██${' '.repeat(6)}██${' '.repeat(8)}██${' '.repeat(6)}██`)
})

test('a sample that shows ultra-low densities counts them, and one without any feature has no histogram', () => {
  const low = renderEval({ ...report, density: densityReport([1, 50], 10_000_000) })
  assert.match(low, /below 1e-6 +1 \(50\.0%\)$/m)
  const dead = renderEval({ ...report, density: densityReport([0, 0], 100) })
  assert.match(dead, /^dead features: .* 2 \(100\.0%\)$/m)
  assert.doesNotMatch(dead, /10\^/)
})

test('L0 quantiles are the smallest counts that enough tokens do not exceed', () => {
  // 10 tokens: one with 1 feature, eight with 2, one with 4
  assert.deepEqual(l0Distribution([0, 1, 8, 0, 1, 0]), {
    min: 1,
    p5: 1,
    p25: 2,
    median: 2,
    p75: 2,
    p95: 4,
    max: 4,
  })
})
