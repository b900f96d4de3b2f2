import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BaselinesReport } from '../../src/baselines/baselines-report.js'
import { judge, type Measured, type Verdict } from '../../src/baselines/verdict.js'
import { conclusion, verdictWords } from '../../src/baselines/verdict-words.js'
import type { EvalReport } from '../../src/eval/eval-report.js'
import type { EvalColumn } from '../../src/eval/eval-sums.js'

const documents = 40
const noise = (i: number): number => ((i * 7) % 11) / 11 - 0.45

interface Sums {
  /** share of the deviation that is lost, of each document */
  error(i: number): number
  /** share of the damage of ablation that is left, of each document */
  damage(i: number): number
  l0?: number
  count?: number
}

/** Documents of 10 tokens with a deviation of 100; ablation adds 5 nats to a clean loss of 20. */
function measured({ error, damage, l0 = 30, count = documents }: Sums): Measured {
  const column = (value: (i: number) => number): number[] => Array.from({ length: count }, (_, i) => value(i))
  const columns = {
    tokens: column(() => 10),
    targets: column(() => 10),
    deviation: column(() => 100),
    squaredError: column((i) => 100 * error(i)),
    clean: column((i) => 20 + noise(i)),
    spliced: column((i) => 20 + noise(i) + 5 * damage(i)),
    zeroAblated: column((i) => 25 + noise(i)),
    meanAblated: column((i) => 25 + noise(i)),
    kl: column((i) => damage(i)),
  } as Record<EvalColumn, number[]>
  const meanOf = (value: (i: number) => number): number => column(value).reduce((a, b) => a + b) / count
  const report = {
    documents: count,
    l0,
    explainedVariance: 1 - meanOf(error),
    lossRecovered: 1 - meanOf(damage),
    lossRecoveredMean: 1 - meanOf(damage),
    kl: meanOf(damage) / 10,
    underpowered: [],
  } as unknown as EvalReport
  return { report, columns }
}

const constant = (value: number) => () => value
const outcomes = (verdicts: readonly Verdict[]): Record<string, string> =>
  Object.fromEntries(verdicts.map(({ headline, outcome }) => [headline, outcome]))
const dictionary = measured({ error: (i) => 0.2 + 0.05 * noise(i), damage: (i) => 0.1 + 0.02 * noise(i) })

test('better in every document is a win in every headline, and the other way round a loss', () => {
  const worse = measured({ error: (i) => 0.3 + 0.05 * noise(i), damage: (i) => 0.2 + 0.02 * noise(i) })
  const wins = judge(dictionary, worse, true)
  assert.deepEqual(outcomes(wins), {
    explainedVariance: 'beats',
    lossRecovered: 'beats',
    lossRecoveredMean: 'beats',
    kl: 'beats',
  })
  // the noise is the same in both, so the paired difference has none
  const [low, high] = wins[0].interval as [number, number]
  assert.ok(Math.abs(low - 0.1) < 1e-9 && Math.abs(high - 0.1) < 1e-9, `${low} ${high}`)
  assert.ok(Math.abs((wins[3].advantage as number) - 0.01) < 1e-12, 'a smaller KL is better')
  for (const { outcome, advantage } of judge(worse, dictionary, true)) {
    assert.equal(outcome, 'worse')
    assert.ok((advantage as number) < 0)
  }
})

test('the interval is that of the paired differences: computed by hand for equal denominators', () => {
  const other = measured({ error: (i) => 0.25 + 0.05 * noise(i * i), damage: constant(0.2) })
  const [verdict] = judge(dictionary, other, true)
  const differences = Array.from({ length: documents }, (_, i) => 0.05 + 0.05 * (noise(i * i) - noise(i)))
  const mean = differences.reduce((a, b) => a + b) / documents
  const variance = differences.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (documents - 1)
  const half = 1.96 * Math.sqrt(variance / documents)
  const [low, high] = verdict.interval as [number, number]
  assert.ok(Math.abs(low - (mean - half)) < 1e-12 && Math.abs(high - (mean + half)) < 1e-12)
})

test('a difference that the documents do not agree on is a tie, and no win', () => {
  const even = (i: number): number => (i % 2 === 0 ? 0.1 : -0.1)
  const other = measured({ error: (i) => 0.205 + even(i), damage: (i) => 0.1 + even(i) / 2 })
  for (const verdict of judge(dictionary, other, true)) {
    assert.equal(verdict.outcome, 'tie', verdict.headline)
    assert.match(
      verdictWords(verdict, { label: 'noise' }),
      /^does not beat noise: no difference that is clear/,
    )
  }
})

test('a win with more active features is none, and neither is a loss with fewer', () => {
  const error = constant(0.4)
  const sparser = measured({ error, damage: constant(0.3), l0: 20 })
  for (const verdict of judge(dictionary, sparser, true)) {
    assert.equal(verdict.outcome, 'unmatched')
    assert.match(
      verdictWords(verdict, { label: 'it' }),
      /^does not beat it at the same L0: better by .* the dictionary has more active features: 30.0 to 20.0/,
    )
  }
  for (const { outcome } of judge(sparser, dictionary, true)) assert.equal(outcome, 'unmatched')
  const nearly = measured({ error, damage: constant(0.3), l0: 28 })
  for (const { outcome } of judge(dictionary, nearly, true)) assert.equal(outcome, 'beats')
  // fewer features and better still
  const denser = measured({ error, damage: constant(0.3), l0: 300 })
  for (const { outcome } of judge(dictionary, denser, true)) assert.equal(outcome, 'beats')
})

test('what is not known is no win: a figure that is missing, or too few documents', () => {
  const reason = 'loss recovered against zero ablation: it adds -0.0010 to 0.0020 nats per token'
  const other = measured({ error: constant(0.4), damage: constant(0.3) })
  Object.assign(other.report, { lossRecovered: null, underpowered: [{ claim: 'lossRecovered', reason }] })
  const verdict = judge(dictionary, other, false).find(({ headline }) => headline === 'lossRecovered')
  assert.deepEqual(verdict, {
    headline: 'lossRecovered',
    outcome: 'unknown',
    advantage: null,
    interval: null,
    reason: `the baseline: ${reason}`,
  })
  const few = { damage: constant(0.3), count: 19 }
  const [one] = judge(
    measured({ ...few, error: constant(0.1) }),
    measured({ ...few, error: constant(0.4) }),
    true,
  )
  assert.equal(one.outcome, 'unknown')
  assert.match(verdictWords(one, { label: 'it' }), /^is not shown to beat it: 19 documents are too few/)
})

test('the KL of another model is not compared', () => {
  const headlines = judge(dictionary, dictionary, false).map(({ headline }) => headline)
  assert.deepEqual(headlines, ['explainedVariance', 'lossRecovered', 'lossRecoveredMean'])
})

test('the conclusion names every baseline that is not beaten, and in what', () => {
  const win: Verdict = { headline: 'kl', outcome: 'beats', advantage: 1, interval: [0.9, 1.1], reason: null }
  const loss: Verdict = { ...win, outcome: 'worse', advantage: -1, interval: [-1.1, -0.9] }
  const reportOf = (verdicts: Verdict[][]): BaselinesReport => {
    const baselines = verdicts.map((each, i) => ({ label: `baseline ${i}`, verdicts: each }))
    const beatsAll = verdicts.flat().every(({ outcome }) => outcome === 'beats')
    return { baselines, beatsAll } as unknown as BaselinesReport
  }
  assert.equal(
    conclusion(reportOf([[win], [win]])),
    'The dictionary beats all 2 baselines in every headline.',
  )
  assert.equal(
    conclusion(reportOf([[win], [win, loss]])),
    'The dictionary does not beat every baseline. Not beaten: baseline 1 (KL divergence).',
  )
  assert.equal(verdictWords(win, { label: 'it' }), 'beats it by 1.0000 nats (95%: 0.9000 to 1.1000)')
  assert.equal(
    verdictWords(loss, { label: 'it' }),
    'does not beat it: worse by 1.0000 nats (95%: -1.1000 to -0.9000)',
  )
})
