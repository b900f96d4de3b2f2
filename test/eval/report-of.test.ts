import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decoderReport } from '../../src/eval/decoder-geometry.js'
import { addBatch, createEvalSums, type EvaluatedBatch } from '../../src/eval/eval-sums.js'
import { reportOf } from '../../src/eval/report-of.js'
import type { Kernels } from '../../src/kernels/kernels.js'
import { loadKernels } from '../../src/kernels/load.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { Random } from '../../src/random/random.js'
import { explainedVariance, totalVariance } from '../../src/sae/explained-variance.js'

const native = await loadKernels({ threads: 2 })
const reference = createReferenceKernels()
const sae = { hookName: 'h', targetHookName: 'h', features: 3, dOut: 2 }
const decoder = decoderReport({ maxCosines: null, alignments: null })

/** What the kernels find of x [n, 2] and xHat, about a centre. */
async function compared(kernels: Kernels, x: number[], xHat: number[], center: number[]) {
  const [n, d] = [x.length / center.length, center.length]
  const [sums, shift] = [kernels.zeros([n, 5]), kernels.zeros([d])]
  const tensor = (values: number[], shape: number[]) => kernels.tensor(Float32Array.from(values), shape)
  kernels.saeCompare(sums, shift, tensor(x, [n, d]), tensor(xHat, [n, d]), tensor(center, [d]))
  return { comparison: await kernels.readF32(sums), shift: await kernels.readF32(shift) }
}

/** Five positions of two documents; the first of each document is its start and no text. */
async function handMade(kernels: Kernels): Promise<EvaluatedBatch> {
  const losses = (...values: number[]) => Float32Array.from(values)
  return {
    documents: Int32Array.of(7, 7, 7, 9, 9),
    rows: Int32Array.of(1, 2, 4),
    // the last position of a document has no target
    targets: Int32Array.of(5, 6, -1, 5, 6),
    ...(await compared(kernels, [3, 4, 0, 0, 0, 2], [3, 0, 1, 0, 0, 1], [1, 2])),
    codes: {
      rowOffsets: Int32Array.of(0, 2, 3, 4),
      featureIds: Int32Array.of(0, 2, 2, 2),
      values: losses(0.5, 1.5, 4, 1),
    },
    losses: {
      clean: losses(100, 1, 100, 100, 3),
      spliced: losses(200, 2, 100, 100, 3),
      zeroAblated: losses(300, 5, 100, 100, 7),
      meanAblated: losses(400, 3, 100, 100, 5),
      kl: losses(500, 0.25, 100, 100, 0.75),
    },
  }
}

test('every figure of a report matches a hand-computed case', async () => {
  for (const kernels of [reference, native]) {
    const sums = createEvalSums(3, 2)
    addBatch(sums, await handMade(kernels))
    const report = reportOf(sums, sae, 1, decoder)
    const near = (found: number | null, expected: number) =>
      assert.ok(found !== null && Math.abs(found - expected) < 1e-6, `${found} is not ${expected}`)
    assert.equal(report.tokens, 3)
    assert.equal(report.documents, 2)
    // positions 1 and 4: 0 and 3 are starts of documents, 2 has no target
    assert.equal(report.targets, 2)
    near(report.l0, 4 / 3)
    near(report.l1, 7 / 3)
    // 16, 1, 1
    near(report.squaredError, 6)
    near(report.mse, 3)
    // 16/25 and 1/4: the second token is zero
    near(report.normalizedMse, (16 / 25 + 1 / 4) / 2)
    // 9 / (5 * 3) and 1
    near(report.cosine, (9 / 15 + 1) / 2)
    near(report.l2Ratio, (3 / 5 + 1 / 2) / 2)
    // (9 + 1 + 1) / (9 + 0 + 2): the second token counts here
    near(report.relativeBias, 1)
    // mean (1, 2): 4 + 4, 1 + 4, 1 + 0
    near(report.explainedVariance, 1 - 18 / 14)
    assert.deepEqual(report.losses, { clean: 2, spliced: 2.5, zeroAblated: 6, meanAblated: 4 })
    near(report.lossRecovered, 3.5 / 4)
    near(report.lossRecoveredMean, 1.5 / 2)
    near(report.kl, 0.5)
    assert.deepEqual(report.l0Histogram, { edges: [0, 1, 2, 3], counts: [0, 2, 1] })
    assert.deepEqual([...sums.fires], [1, 0, 3])
    assert.equal(report.density.neverFired, 1)
  }
})

test('the relative bias is the factor that reconstructions are short by', async () => {
  const sums = createEvalSums(3, 2)
  const batch = await handMade(native)
  const x = [3, 4, -1, 5, 2, 2]
  const shrunk = await compared(
    native,
    x,
    x.map((value) => 0.8 * value),
    [1, 2],
  )
  addBatch(sums, { ...batch, ...shrunk })
  const { relativeBias, l2Ratio, cosine } = reportOf(sums, sae, 1, decoder)
  for (const [found, expected] of [
    [relativeBias, 0.8],
    [l2Ratio, 0.8],
    [cosine, 1],
  ] as const)
    assert.ok(Math.abs((found as number) - expected) < 1e-6, `${found} is not ${expected}`)
})

test('the explained variance of f32 activations with a mean of 10,000 is right, whatever the batches and the centre', async () => {
  const [n, d] = [300, 3]
  const random = Random.named(4, 'offset')
  const x = Array.from({ length: n * d }, (_, i) => Math.fround(10_000 + (1 + (i % d)) * random.normal()))
  const xHat = x.map((value) => Math.fround(value + 0.5 * random.normal()))
  const mean = [0, 1, 2].map((j) => x.filter((_, i) => i % d === j).reduce((a, b) => a + b, 0) / n)
  const total = x.reduce((sum, value, i) => sum + (value - mean[i % d]) ** 2, 0)
  const error = x.reduce((sum, value, i) => sum + (value - xHat[i]) ** 2, 0)
  for (const kernels of [reference, native])
    for (const center of [mean, mean.map((value) => value + 2), x.slice(0, d)]) {
      const { variance } = createEvalSums(1, d)
      for (const [from, to] of [
        [0, 1],
        [1, 190],
        [190, 300],
      ]) {
        const part = await compared(kernels, x.slice(from * d, to * d), xHat.slice(from * d, to * d), center)
        variance.count += to - from
        part.comparison.forEach((value, i) => {
          if (i % 5 === 0) variance.squaredError += value
          if (i % 5 === 4) variance.deviation += value
        })
        for (let j = 0; j < d; j++) variance.shift[j] += part.shift[j]
      }
      assert.ok(Math.abs(totalVariance(variance) / total - 1) < 1e-5, `${totalVariance(variance)}, ${total}`)
      assert.ok(Math.abs((explainedVariance(variance) as number) - (1 - error / total)) < 1e-5)
    }
})

test('a document that is read in several batches is one unit of the intervals', async () => {
  const batch = await handMade(reference)
  const sums = createEvalSums(3, 2)
  addBatch(sums, batch)
  addBatch(sums, { ...batch, documents: Int32Array.of(9, 9, 9, 12, 12) })
  assert.equal(sums.perDocument.documents(), 3)
  // document 9: one token of the first batch, two of the second
  assert.deepEqual(sums.perDocument.columns.tokens, [2, 3, 1])
  assert.deepEqual(sums.perDocument.columns.active, [3, 1 + 3, 1])
})

test('intervals over documents hold the truth about as often as they say, though the tokens of a document are alike', () => {
  const random = Random.named(8, 'coverage')
  const [rounds, documents, truth] = [400, 60, 5]
  let [held, heldByTokens] = [0, 0]
  for (let round = 0; round < rounds; round++) {
    const sums = createEvalSums(3, 2)
    const { columns, unit } = sums.perDocument
    let [count, squares, total] = [0, 0, 0]
    for (let document = 0; document < documents; document++) {
      const own = truth + random.normal()
      const at = unit(document)
      for (let token = 0; token < 5 + random.int(40); token++) {
        const value = own + random.normal()
        columns.tokens[at]++
        columns.activation[at] += value
        count++
        total += value
        squares += value * value
      }
    }
    const [low, high] = reportOf({ ...sums, variance: { ...sums.variance, count } }, sae, 1, decoder)
      .intervals.l1 as [number, number]
    if (low <= truth && truth <= high) held++
    const half = 1.96 * Math.sqrt((squares / count - (total / count) ** 2) / count)
    if (Math.abs(total / count - truth) <= half) heldByTokens++
  }
  assert.ok(held / rounds > 0.9 && held / rounds < 0.98, `${held} of ${rounds}`)
  assert.ok(heldByTokens / rounds < 0.7, `by tokens ${heldByTokens} of ${rounds}`)
})
