import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Kernels } from '../../../src/kernels/kernels.js'
import { loadKernels } from '../../../src/kernels/load.js'
import { silentProgress } from '../../../src/progress/progress.js'
import { renderToy } from '../../../src/synthetic/toy/render-toy.js'
import { toyConfigSchema } from '../../../src/synthetic/toy/toy-config.js'
import { readToyReport, runToyStage } from '../../../src/synthetic/toy/toy-stage.js'
import { displayWidth } from '../../../src/terminal/display-width.js'

let directory: string
let kernels: Kernels
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'monosem-toy-stage-'))
  kernels = await loadKernels({ threads: 1 })
})
after(() => rm(directory, { recursive: true }))

/** Everything that the stage does, with models too small to be good. */
const tiny = toyConfigSchema.parse({
  ...{ features: 8, dimensions: 4, density: 0.1, densities: [0.1, 0.3], overcompleteness: [2] },
  ...{ dictionarySizes: [1], l1Coefficients: [1, 2], ks: [1, 2], trainSamples: 10_240, toySteps: 30 },
  ...{ toyBatch: 32, geometryFeatures: 10, geometryDimensions: 2, geometryDensities: [1, 0.1] },
  ...{ phaseGrid: 2, restarts: 1 },
})

const run = (name: string, config = tiny, signal?: AbortSignal) =>
  runToyStage(config, { out: join(directory, name) }, { kernels, progress: silentProgress, signal })

test('the stage writes its figures, a page without scripts and a table of at most 100 columns', async () => {
  const { directory: out } = await run('whole')
  assert.deepEqual((await readdir(out)).sort(), ['config.json', 'manifest.json', 'report.html', 'toy.json'])
  const report = await readToyReport(out)
  assert.equal(report.claim.recoveries.length, 2)
  assert.equal(report.sweeps?.models.length, 2)
  assert.deepEqual(
    [report.geometry?.plane.length, report.geometry?.sparsity.length, report.geometry?.phases.length],
    [3, 2, 4],
  )
  const page = await readFile(join(out, 'report.html'), 'utf8')
  assert.ok(page.match(/<svg/g)!.length >= 10)
  assert.ok(!page.includes('<script'))
  for (const line of renderToy(report).split('\n')) assert.ok(displayWidth(line) <= 100, line)
})

test('a stage that was interrupted goes on and ends the same, to the byte', async () => {
  const abort = new AbortController()
  let parts = 0
  const progress = { ...silentProgress, note: () => void (++parts === 2 && abort.abort()) }
  const options = { out: join(directory, 'resumed') }
  await assert.rejects(runToyStage(tiny, options, { kernels, progress, signal: abort.signal }), {
    code: 'interrupted',
  })
  assert.ok((await readdir(`${options.out}.partial`)).includes('checkpoint.json'))
  await run('resumed')
  // ids in the page's figures count on for as long as the process lives
  const [resumed, whole] = ['resumed', 'whole'].map((name) =>
    readFile(join(directory, name, 'toy.json'), 'utf8'),
  )
  assert.equal(await resumed, await whole)
})

test('parts that are not asked for are left out', async () => {
  const { directory: out } = await run('claim', { ...tiny, sweeps: false, geometry: false })
  const { sweeps, geometry } = await readToyReport(out)
  assert.deepEqual([sweeps, geometry], [null, null])
})

test('more dimensions than features are refused', async () => {
  await assert.rejects(run('wide', { ...tiny, dimensions: 9 }), { code: 'config', message: /--dimensions/ })
})
