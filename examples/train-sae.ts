// Trains a sparse autoencoder on data whose true features are known, and checks that it finds them.
// Run it with: node dist/examples/train-sae.js
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ActivationSource,
  loadKernels,
  loadSae,
  Random,
  runSaeStage,
  saeConfigSchema,
  silentProgress,
} from 'monosem'

const [d, trueFeatures] = [16, 24]
const kernels = await loadKernels({ threads: 1 })

// 24 random directions in 16 dimensions; each sample is a sum of about two of them.
const random = Random.named(1, 'directions')
const directions = Array.from({ length: trueFeatures }, () => {
  const v = Array.from({ length: d }, () => random.normal())
  const norm = Math.hypot(...v)
  return v.map((x) => x / norm)
})

const source: ActivationSource = {
  d,
  async *batches({ batchSize, skip }) {
    for (let batch = skip; ; batch++) {
      const random = Random.named(batch, 'samples')
      const x = new Float32Array(batchSize * d)
      for (let n = 0; n < batchSize; n++)
        for (const direction of directions)
          if (random.uniform() < 2 / trueFeatures) {
            const strength = 1 + random.uniform()
            for (let i = 0; i < d; i++) x[n * d + i] += strength * direction[i]
          }
      yield kernels.tensor(x, [batchSize, d])
    }
  },
}

const out = join(await mkdtemp(join(tmpdir(), 'monosem-')), 'sae')
const config = saeConfigSchema.parse({
  features: 48,
  trainTokens: 500_000,
  batchSize: 500,
  learningRate: 4e-3,
  l1Coefficient: 2,
})
await runSaeStage(config, { source, out, inputs: {} }, { kernels, progress: silentProgress })

// How well does the best feature match each true direction? Decoder rows have unit norm: the dot product is the cosine.
const sae = await loadSae(kernels, out)
const decoder = await kernels.readF32(sae.params.wDec)
const best = directions.map((direction) => {
  const cosines = Array.from({ length: sae.features }, (_, j) =>
    direction.reduce((sum, value, i) => sum + value * decoder[j * d + i], 0),
  )
  return Math.max(...cosines)
})
const found = best.filter((cosine) => cosine > 0.9).length
console.log(`${found} of ${trueFeatures} true directions found (cosine above 0.9); weights in ${out}`)
