import { type Mesh, sliceOf } from '../../src/distributed/mesh.js'
import type { Kernels, SaeForm } from '../../src/kernels/kernels.js'
import { Random } from '../../src/random/random.js'
import type { Batch } from '../../src/sae/batch-stream.js'
import { writeSaelens } from '../../src/sae/formats/saelens.js'
import { createSaeMeter, type SaeMeasurements } from '../../src/sae/measure-sae.js'
import { resampleDeadFeatures } from '../../src/sae/resample.js'
import { createSaeParts } from '../../src/sae/sae.js'
import { paramNames, readSae, type SaeArrays, saeShapes, saeTensors } from '../../src/sae/sae-params.js'
import { saeRanksOf } from '../../src/sae/sae-ranks.js'
import { topkConfig } from '../sae/formats/topk-config.js'

/*
 * What is done with an autoencoder whose features are on several ranks: the same functions for one rank and for the programs that several run. None of
 * the sizes is a multiple of 3.
 */

const [d, features, rows] = [5, 11, 64]

const normals = (seed: number, n: number): Float32Array => {
  const random = new Random(seed)
  return Float32Array.from({ length: n }, () => random.normal())
}

function someArrays(seed: number): SaeArrays {
  return {
    wEnc: normals(seed, features * d),
    bEnc: normals(seed + 1, features),
    wDec: normals(seed + 2, features * d),
    bDec: normals(seed + 3, d),
    rMag: normals(seed + 4, features),
    bMag: normals(seed + 5, features),
  }
}

/** The rows of one rank's features. */
function partOf(arrays: SaeArrays, mesh: Mesh): SaeArrays {
  const { first, count } = sliceOf(features, mesh.features)
  const shapes = saeShapes({ d, dOut: d, features })
  const parts = paramNames(arrays).map((name) => {
    const array = arrays[name]!
    const width = array.length / features
    const spread = shapes[name][0] === features
    return [name, spread ? array.slice(first * width, (first + count) * width) : array]
  })
  return Object.fromEntries(parts)
}

async function* batchesOf(kernels: Kernels, seed: number, count: number, n = rows): AsyncGenerator<Batch> {
  for (let index = 0; index < count; index++) {
    const x = kernels.tensor(normals(seed + index, n * d), [n, d])
    yield { x, y: x, index }
  }
}

/** Measures it, then writes it with its frequencies, in shards and in tiles of a few bytes. */
export async function measureAndWrite(
  kernels: Kernels,
  mesh: Mesh,
  directory: string,
): Promise<SaeMeasurements> {
  const { rMag: _r, bMag: _b, ...arrays } = partOf(someArrays(1), mesh)
  const form: SaeForm = { activation: { kind: 'topk', k: 3 }, subtractDecoderBias: true }
  const parts = createSaeParts(kernels, arrays, form, saeRanksOf(mesh, features, rows))
  const meter = createSaeMeter(kernels, parts, mesh.features)
  for await (const batch of batchesOf(kernels, 100, 3)) await meter.add(batch)
  const measured = meter.result()
  const config = topkConfig(d, features, {
    k: 3,
    metadata: {},
  })
  const part = { config, arrays, ranks: mesh.features, shardBytes: 100, tileBytes: 90 }
  await writeSaelens(directory, part, measured.frequencies)
  return measured
}

export interface Resampled {
  count: number
  params: SaeArrays
  m: SaeArrays
  average: SaeArrays
  tokensSinceFired: Int32Array
}

/**
 * Resamples a gated autoencoder whose features 1, 2, 5 and 10 are dead, three times from the same start: without a penalty, with a large one, and with fewer
 * inputs than dead features.
 */
export async function resampleThrice(kernels: Kernels, mesh: Mesh): Promise<Resampled[]> {
  return [
    await resample(kernels, mesh, 0, batchesOf(kernels, 200, 2)),
    await resample(kernels, mesh, 100, batchesOf(kernels, 200, 2)),
    await resample(kernels, mesh, 0, batchesOf(kernels, 200, 1, 3)),
  ]
}

async function resample(
  kernels: Kernels,
  mesh: Mesh,
  l1Coefficient: number,
  batches: AsyncIterable<Batch>,
): Promise<Resampled> {
  const [params, m, average] = [1, 11, 21].map((seed) => saeTensors(kernels, partOf(someArrays(seed), mesh)))
  const { first, count } = sliceOf(features, mesh.features)
  const fired = Int32Array.of(0, 100, 100, 99, 4, 100, 1, 2, 3, 4, 250).slice(first, first + count)
  const state = {
    ...{ params, m, average },
    v: saeTensors(kernels, partOf(someArrays(31), mesh)),
    packed: kernels.saePack(params.wEnc, 'fp32', null),
    tokensSinceFired: kernels.tensor(fired, [count]),
  }
  return {
    count: await resampleDeadFeatures(kernels, state, batches, {
      deadAfterTokens: 100,
      form: { activation: { kind: 'gated' }, subtractDecoderBias: true },
      l1Coefficient,
      unitNormDecoder: false,
      featureStart: { rMag: 0, bMag: 0.5 },
      random: new Random(4),
      mesh,
    }),
    params: await readSae(kernels, params),
    m: await readSae(kernels, m),
    average: await readSae(kernels, average),
    tokensSinceFired: (await kernels.read(state.tokensSinceFired)) as Int32Array,
  }
}
