import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { test } from 'node:test'
import { temporaryDirectory } from '../temporary-directory.js'
import { run } from './program.js'

const tiny = [
  ...['synth', 'toy', '--out', 'toy', '--no-sweeps', '--no-geometry', '--threads', '1'],
  ...['--features', '10', '--dimensions', '5', '--density', '0.1', '--toy-steps', '50', '--toy-batch', '64'],
  ...['--train-samples', '5120', '--architectures', 'topk', '--k', '2'],
]

test('synth toy answers with its report, as JSON or as a table, and reuses what is there', async (t) => {
  const cwd = await temporaryDirectory(t)
  const first = await run([...tiny, '--json'], cwd)
  assert.equal(first.code, 0, first.stderr)
  const answer = JSON.parse(first.stdout)
  assert.equal(answer.reused, false)
  assert.deepEqual([answer.claim.features, answer.claim.dimensions, answer.geometry], [10, 5, null])
  assert.deepEqual(answer.claim.recoveries[0].dictionary, { architecture: 'topk', features: 20, k: 2 })
  assert.ok((await readdir(`${cwd}/toy`)).includes('report.html'))
  const second = await run(tiny, cwd)
  assert.match(second.stdout, /is there already/)
  assert.match(second.stdout, /topk, k 2 +2 /)
})

test('synth toy refuses what makes no sense, and leaves nothing', async (t) => {
  const cwd = await temporaryDirectory(t)
  const refuses = async (args: readonly string[], message: RegExp) => {
    const result = await run(['synth', 'toy', ...args], cwd)
    assert.equal(result.code, 2, result.stderr)
    assert.match(result.stderr, message)
  }
  await refuses(['--density', '0'], /--density/)
  await refuses(['--features', '10', '--dimensions', '20'], /--dimensions: expected at most 10/)
  await refuses(['--architectures', 'gated'], /--architectures/)
  assert.deepEqual(await readdir(cwd), [])
})
