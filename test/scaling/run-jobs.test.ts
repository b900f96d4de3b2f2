import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { silentProgress } from '../../src/progress/progress.js'
import type { ActivationSource } from '../../src/sae/activation-source.js'
import { readScalingReport, runScalingStage } from '../../src/scaling/fit-stage.js'
import type { HeldOut } from '../../src/scaling/held-out.js'
import { heldOutDirectory, readJobs, resultFile } from '../../src/scaling/job-files.js'
import { planJobs, type ScalingPlan } from '../../src/scaling/plan-jobs.js'
import { renderScaling } from '../../src/scaling/render-scaling.js'
import { runJobs } from '../../src/scaling/run-jobs.js'
import { scalingConfigSchema } from '../../src/scaling/scaling-config.js'
import { syntheticSource } from '../sae/synthetic-source.js'
import { fileLifetime, temporaryDirectory } from '../temporary-directory.js'

const kernels = createReferenceKernels()
const context = { progress: silentProgress, kernels }
const d = 8
const config = scalingConfigSchema.parse({
  ...{ features: [4, 8, 16], steps: [20, 30], sparsities: [2], minimumSteps: 20, together: 2 },
  ...{ batchSize: 32, initTokens: 64, deadAfterTokens: 64, checkpointEverySeconds: 0, learningRate: 3e-3 },
})
const lifetime = fileLifetime()
let root: string
let heldOut: HeldOut

const source = (): ActivationSource =>
  syntheticSource(kernels, { d, features: 12, density: 0.1, seed: 1, bias: 0.5 })

before(async () => {
  root = await temporaryDirectory(lifetime)
  const { value } = await source().batches({ batchSize: 200, skip: 1000 })[Symbol.asyncIterator]().next()
  heldOut = { x: value, variance: 5 }
  await run('whole')
})

const run = (name: string, plan: ScalingPlan = planJobs(config, d), from = source(), signal?: AbortSignal) =>
  runJobs(
    plan,
    { source: from, heldOut, out: join(root, name), inputs: {}, heldOutInputs: {} },
    config.together,
    { ...context, ...(signal && { signal }) },
  )

const resultOf = (name: string, job: string): Promise<string> =>
  readFile(join(heldOutDirectory(join(root, name), job), resultFile), 'utf8')

test('every job ends with a loss, and none is run a second time', async () => {
  const plan = planJobs(config, d)
  assert.equal(plan.jobs.length, 6)
  const none: ActivationSource = {
    ...source(),
    batches: () => assert.fail('nothing is left to train'),
  }
  assert.deepEqual(await run('whole', plan, none), Array(6).fill('was there'))
  const { results, missing } = await readJobs(join(root, 'whole'))
  assert.deepEqual(missing, [])
  for (const { loss, normalizedMse, steps, tokens, heldOutTokens } of results) {
    assert.ok(loss > 0 && loss < 1.5 && loss === normalizedMse, `${loss}`)
    assert.equal(tokens, steps * 32)
    assert.equal(heldOutTokens, 200)
  }
  const byName = new Map(results.map((result) => [`${result.features} ${result.steps}`, result.loss]))
  assert.ok(Number(byName.get('16 30')) < Number(byName.get('4 20')))
})

test('a sweep that is interrupted again and again goes on, and ends the same to the byte', async () => {
  const plan = planJobs(config, d)
  for (const index of [5, 12, 21]) {
    const abort = new AbortController()
    const whole = source()
    const interrupted: ActivationSource = {
      ...whole,
      async *batches(options) {
        let i = options.skip
        for await (const batch of whole.batches(options)) {
          if (i++ === index) abort.abort()
          yield batch
        }
      },
    }
    await assert.rejects(run('parts', plan, interrupted, abort.signal), { code: 'interrupted' })
  }
  await run('parts', plan)
  for (const { name } of plan.jobs) assert.equal(await resultOf('parts', name), await resultOf('whole', name))
})

test('a job that diverges is recorded and not tried again, and the others go on', async () => {
  const plan = planJobs(config, d)
  plan.jobs[1].sae = { ...plan.jobs[1].sae, learningRate: 1e30, warmupFraction: 0 }
  const status = await run('wild', plan)
  assert.deepEqual(status, ['done', 'failed', 'done', 'done', 'done', 'done'])
  assert.equal((await run('wild', plan))[1], 'failed')
  const { failures } = await readJobs(join(root, 'wild'))
  assert.deepEqual(
    failures.map(({ name, code }) => [name, code]),
    [[plan.jobs[1].name, 'diverged']],
  )
  assert.equal(await resultOf('wild', plan.jobs[0].name), await resultOf('whole', plan.jobs[0].name))
  const { directory } = await runScalingStage(
    { convergence: 0.01, seed: 0 },
    { jobs: join(root, 'wild'), out: join(root, 'wild-laws') },
  )
  assert.match(renderScaling(await readScalingReport(directory)), /1 job failed .*features-8_steps-20/)
})

test('a plan that grew reuses what is finished; jobs with other options are refused', async () => {
  await run('grown', planJobs({ ...config, steps: [20] }, d))
  const status = await run('grown')
  assert.deepEqual(status.slice(0, 3), Array(3).fill('was there'))
  assert.deepEqual(status.slice(3), Array(3).fill('done'))
  await assert.rejects(run('grown', planJobs({ ...config, learningRate: 1e-4 }, d)), {
    code: 'config',
    message: /learningRate is 0.003 there, 0.0001 was asked for/,
  })
})

test('jobs that another process holds are left to it', async () => {
  const plan = planJobs({ ...config, steps: [20] }, d)
  const held = join(root, 'shared', plan.jobs[0].name)
  await run('shared', { jobs: [plan.jobs[2]], leftOut: [] })
  await mkdir(held, { recursive: true })
  // process 1 is always there
  await writeFile(join(held, 'lock'), '1')
  assert.deepEqual(await run('shared', plan), ['in another process', 'in another process', 'was there'])
  assert.ok(!existsSync(heldOutDirectory(join(root, 'shared'), plan.jobs[1].name)))
})

test('the report says that a small sweep is underpowered, and fits 100 columns', async () => {
  const jobs = join(root, 'whole')
  const paths = { jobs, out: join(root, 'laws') }
  const { directory } = await runScalingStage({ convergence: 0.01, seed: 0 }, paths)
  const report = await readScalingReport(directory)
  assert.equal(report.laws[0].lossOfCompute.fit, null)
  const text = renderScaling(report)
  assert.match(text, /underpowered/)
  for (const line of text.split('\n').filter((line) => !line.startsWith('warning')))
    assert.ok(line.length <= 100, `${line.length}: ${line}`)
  const page = await readFile(join(directory, 'report.html'), 'utf8')
  assert.match(page, /underpowered/)
  assert.ok(Number(page.match(/<svg/g)?.length) >= 3)
  assert.ok((await runScalingStage({ convergence: 0.01, seed: 0 }, paths)).reused)
  await assert.rejects(
    runScalingStage({ convergence: 0.01, seed: 0 }, { jobs: root, out: join(root, 'no') }),
    {
      code: 'missing',
    },
  )
})
