import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RanksCase, RanksCaseResult } from '../../bench/ranks-case.js'
import { sentBytes, stepExchanges } from '../../src/scaling/step-exchanges.js'
import { noMpi } from './find-mpi.js'
import { runRanks } from './run-ranks.js'

const shape = { b: 512, d: 64, f: 512, k: 16 }
const meshes = [
  [2, 1],
  [4, 1],
  [1, 2],
  [2, 2],
]

const kinds = [
  { architecture: 'topk', precision: 'fp32' },
  { architecture: 'topk', precision: 'bf16' },
  { architecture: 'batchtopk', precision: 'fp32' },
] as const

for (const { architecture, precision } of kinds)
  for (const [featureRanks, dataRanks] of meshes)
    for (const gradients of dataRanks > 1 ? (['f32', 'bf16'] as const) : (['f32'] as const))
      test(`${architecture} in ${precision} on ${featureRanks} x ${dataRanks} ranks (${gradients}) sends what the model says, within 5%`, {
        skip: noMpi ?? false,
      }, async () => {
        const mesh = { featureRanks, dataRanks, gradients }
        const given: RanksCase = { ...mesh, architecture, shape, precision, threads: 1, steps: 3 }
        const ranks = featureRanks * dataRanks
        const { code, stdout, stderr } = await runRanks(ranks, 'bench/ranks-case.js', [JSON.stringify(given)])
        assert.equal(code, 0, stderr)
        const { bytesPerStep, l0, exchangeShare, precision: granted } = JSON.parse(stdout) as RanksCaseResult
        assert.ok(Math.abs(l0 - shape.k) < 1e-6, `L0 ${l0}`)
        assert.ok(exchangeShare > 0)
        const { b: batchSize, d, f: features, k } = shape
        const step = { ...mesh, architecture, precision: granted, batchSize, d, features, k }
        const predicted = sentBytes(stepExchanges(step))
        const off = predicted.total / bytesPerStep - 1
        assert.ok(
          Math.abs(off) < 0.05,
          `predicted ${JSON.stringify(predicted)}, measured ${bytesPerStep}: ${off}`,
        )
      })
