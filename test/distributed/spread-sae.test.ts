import assert from 'node:assert/strict'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { deserialize } from 'node:v8'
import { singleMesh } from '../../src/distributed/mesh.js'
import { loadKernels } from '../../src/kernels/load.js'
import { readSae } from '../../src/sae/formats/read-sae.js'
import type { SaeMeasurements } from '../../src/sae/measure-sae.js'
import type { SaeArrays } from '../../src/sae/sae-params.js'
import { temporaryDirectory } from '../temporary-directory.js'
import { noMpi } from './find-mpi.js'
import { runRanks } from './run-ranks.js'
import { measureAndWrite, type Resampled, resampleThrice } from './spread-sae.js'

interface Found {
  measured: SaeMeasurements
  resampled: Resampled[]
}

const kernels = await loadKernels()
const skip = noMpi ?? (kernels.name === 'native' ? false : 'the kernels are not compiled')

/** What is spread, one rank's after the other's. */
const joined = (parts: ArrayLike<number>[]): number[] => parts.flatMap((part) => Array.from(part))

function assertNear(what: string, found: readonly number[], expected: ArrayLike<number>): void {
  assert.equal(found.length, expected.length, what)
  for (const [i, value] of found.entries())
    assert.ok(Math.abs(value - expected[i]) < 1e-5, `${what}[${i}]: ${value}, expected ${expected[i]}`)
}

test('an autoencoder on 3 ranks is measured, written and resampled as on one', { skip }, async (t) => {
  const directory = await temporaryDirectory(t)
  const [alone, spread, results] = ['alone', 'spread', 'results'].map((name) => join(directory, name))
  for (const path of [alone, spread]) await mkdir(path)
  const program = 'test/distributed/programs/spread-sae.js'
  const { code, stderr } = await runRanks(3, program, [spread, results])
  assert.equal(code, 0, stderr)
  const all = deserialize(await readFile(results)) as Found[]
  const expected: Found = {
    measured: await measureAndWrite(kernels, singleMesh, alone),
    resampled: await resampleThrice(kernels, singleMesh),
  }

  await t.test('measured: the same figures on all ranks, frequencies of their own features', () => {
    for (const { measured } of all) {
      assert.equal(measured.tokens, expected.measured.tokens)
      assert.equal(measured.l0, expected.measured.l0)
      assert.equal(measured.explainedVariance, all[0].measured.explainedVariance)
      assertNear('EV', [measured.explainedVariance], [expected.measured.explainedVariance])
    }
    assert.deepEqual(
      joined(all.map(({ measured }) => measured.frequencies)),
      Array.from(expected.measured.frequencies),
    )
  })

  await t.test('written: the same files to the byte', async () => {
    const names = (await readdir(alone)).sort()
    assert.ok(names.includes('sae_weights.safetensors.index.json') && names.includes('sparsity.safetensors'))
    assert.deepEqual((await readdir(spread)).sort(), names)
    for (const name of names)
      assert.deepEqual(await readFile(join(spread, name)), await readFile(join(alone, name)), name)
    assert.equal((await readSae(spread)).config.d_sae, 11)
  })

  await t.test('resampled: the same inputs for the same features', () => {
    for (const [i, one] of expected.resampled.entries()) {
      const several = all.map(({ resampled }) => resampled[i])
      const inputs = [4, 4, 3][i]
      assert.equal(one.count, inputs)
      for (const { count } of several) assert.equal(count, inputs)
      assert.deepEqual(
        joined(several.map(({ tokensSinceFired }) => tokensSinceFired)),
        Array.from(one.tokensSinceFired),
      )
      for (const group of ['params', 'm', 'average'] as const)
        for (const name of Object.keys(one[group]) as (keyof SaeArrays)[])
          if (name === 'bDec') for (const each of several) assert.deepEqual(each[group].bDec, one[group].bDec)
          else assertNear(`${group}.${name}`, joined(several.map((s) => s[group][name]!)), one[group][name]!)
    }
    assert.notDeepEqual(expected.resampled[0].params, expected.resampled[1].params, 'the penalty counts')
  })
})
