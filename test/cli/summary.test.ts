import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderSummary, type Summary } from '../../src/cli/summary.js'
import { displayWidth } from '../../src/terminal/display-width.js'

const summary: Summary = {
  seconds: 312.4,
  peakRssMiB: 1843.2,
  threads: 4,
  model: {
    valLoss: 2.4567,
    bigramLoss: 3.5,
    unigramLoss: 5.25,
    bitsPerByte: 1.2345,
    tokensPerSecond: 45678.9,
  },
  sae: {
    features: 4096,
    l0: 31.26,
    explainedVariance: 0.8123,
    lossRecovered: 0.9,
    lossRecoveredMean: null,
    deadFraction: 0.0123,
    samplesPerSecond: 34567.8,
  },
  caseStudies: [
    {
      name: 'arabic',
      feature: 17,
      correlation: 0.81234,
      precisionAboveHalfMax: 0.985,
      recall: 0.7,
      bestNeuronCorrelation: 0.3,
    },
    {
      name: 'dna',
      feature: null,
      correlation: null,
      precisionAboveHalfMax: null,
      recall: null,
      bestNeuronCorrelation: null,
    },
  ],
  explanations: {
    explained: 250,
    spearman: 0.7123,
    spearmanWithoutSingleToken: 0.7,
    singleTokenFeatures: 3,
    bestNeuronSpearman: 0.4,
    neuronSpearman: 0.45678,
    shuffledSpearman: null,
  },
}

test('the summary shows every figure with its unit and meaning, within 100 columns', () => {
  const text = renderSummary(summary)
  for (const pattern of [
    /^transformer +validation loss +2\.457 {2}nats per token$/m,
    /bigram, unigram loss +3\.500, 5\.250 {2}nats per token/,
    /compression +1\.23\d {2}bits per byte/,
    /training speed +45,679 {2}tokens per second/,
    /^autoencoder +features +4,096 /m,
    /L0 +31\.3 {2}features active on a token/,
    /explained variance +81\.2% {2}of the variance/,
    /loss recovered, zero +90\.0% {2}of the loss/,
    /loss recovered, mean +– {2}of the loss/,
    /dead features +1\.2% {2}never fired/,
    /training speed +34,568 {2}activations per second/,
    /^explanations +Spearman, features +0\.712 {2}predicted/m,
    /Spearman, neurons +0\.457 {2}the same/,
    /Spearman, shuffled +– {2}explanations of other/,
    /^run +time +5 min 12 s /m,
    /peak memory +1,843 MiB /,
    /threads +4$/m,
  ])
    assert.match(text, pattern)
  for (const line of text.split('\n')) assert.ok(displayWidth(line) <= 100, line)
})
