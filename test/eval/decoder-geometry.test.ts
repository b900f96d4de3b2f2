import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decoderGeometry, decoderReport } from '../../src/eval/decoder-geometry.js'
import { distributionOf } from '../../src/eval/histogram.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { silentProgress } from '../../src/progress/progress.js'
import { saeOf } from './tiny-sae.js'

const kernels = createReferenceKernels()
const context = { progress: silentProgress }
const arrays = {
  // (1, 0), (0, 2), (1, 1)
  wEnc: Float32Array.of(1, 0, 0, 2, 1, 1),
  bEnc: new Float32Array(3),
  // (2, 0), (0, -1), (3, 4)
  wDec: Float32Array.of(2, 0, 0, -1, 3, 4),
  bDec: new Float32Array(2),
}

test('decoder cosines and alignment match a hand-computed case', async () => {
  const found = await decoderGeometry(saeOf(kernels, arrays, 2, 'h'), context)
  const near = (values: Float32Array | null, expected: number[]) =>
    expected.forEach((value, i) => {
      assert.ok(Math.abs((values as Float32Array)[i] - value) < 1e-6, `[${i}] ${values?.[i]}, not ${value}`)
    })
  near(found.maxCosines, [0.6, 0, 0.6])
  near(found.alignments, [1, -1, 7 / (5 * Math.SQRT2)])
  const { maxCosine } = decoderReport(found)
  assert.ok(maxCosine && Math.abs(maxCosine.mean - 0.4) < 1e-6)
  assert.equal(
    maxCosine.histogram.counts.reduce((a, b) => a + b, 0),
    3,
  )
})

test('a transcoder has no alignment, and a single feature no neighbour', async () => {
  const transcoder = saeOf(
    kernels,
    arrays,
    2,
    'h',
    { activation: { kind: 'relu' }, subtractDecoderBias: false },
    'later',
  )
  assert.equal((await decoderGeometry(transcoder, context)).alignments, null)
  const single = {
    wEnc: Float32Array.of(1, 0),
    bEnc: new Float32Array(1),
    wDec: Float32Array.of(1, 0),
    bDec: new Float32Array(2),
  }
  const geometry = await decoderGeometry(saeOf(kernels, single, 2, 'h'), context)
  assert.equal(geometry.maxCosines, null)
  assert.equal(decoderReport(geometry).maxCosine, null)
})

test('a distribution has the quantiles of its values, and the ends of its range in the outer bins', () => {
  const found = distributionOf([-1, 1, 0.5, 0.25], [-1, 1], 4)
  const { mean, min, median, p95, max, histogram } = found
  assert.deepEqual({ mean, min, median, p95, max }, { mean: 0.1875, min: -1, median: 0.25, p95: 1, max: 1 })
  assert.deepEqual(histogram, { edges: [-1, -0.5, 0, 0.5, 1], counts: [1, 0, 1, 2] })
})
