import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '../temporary-directory.js'
import { run, start } from './program.js'

const world = '--true-features 64 --width 24 --roots 4 --depth 1 --orthogonalization-steps 5'
const small = `${world} --features 32 --k 3 --samples 12k --batch-size 128 --init-tokens 512 --measure-tokens 512`
const args = (rest: string): string[] =>
  `synth ${rest} ${small} --evaluation-samples 4k --checkpoint-every-seconds 0`.split(' ')

test('synth train, killed and started again, ends with the same figures; a sweep and a table compare', async (t) => {
  const cwd = await temporaryDirectory(t)
  const at = (path: string): string => join(cwd, path)
  const whole = await run([...args('train --architecture batchtopk --out whole'), '--json'], cwd)
  assert.equal(whole.code, 0, whole.stderr)
  const figures = JSON.parse(whole.stdout)
  for (const name of ['mcc', 'f1', 'precision', 'recall', 'uniqueness', 'explainedVariance', 'deadFraction'])
    assert.ok(figures[name] >= 0 && figures[name] <= 1, `${name} ${figures[name]}`)
  for (const name of ['l0', 'samplesPerSecond', 'seconds'])
    assert.ok(figures[name] > 0, `${name} ${figures[name]}`)

  const killed = start(args('train --architecture batchtopk --out killed'), cwd)
  const saved = () => existsSync(at('killed/sae.partial/checkpoint.json'))
  assert.ok(await killed.signalWhen(saved, 'SIGKILL'), 'it ended before its first checkpoint')
  assert.equal((await killed.finished).signal, 'SIGKILL')
  const again = await run(args('train --architecture batchtopk --out killed'), cwd)
  assert.equal(again.code, 0, again.stderr)
  assert.match(again.stdout, /MCC +0\.\d+/)
  assert.equal(
    await readFile(at('killed/recovery/recovery.json'), 'utf8'),
    await readFile(at('whole/recovery/recovery.json'), 'utf8'),
  )

  const sweep = await run(args('sweep --vary architecture=topk,matryoshka --vary k=2,3 --out sweep'), cwd)
  assert.equal(sweep.code, 0, sweep.stderr)
  const table = await run(['synth', 'table', 'whole', 'sweep', '--out', 'table'], cwd)
  assert.equal(table.code, 0, table.stderr)
  for (const name of ['batchtopk, K 3', 'matryoshka, K 2', 'topk, K 3'])
    assert.ok(table.stdout.includes(name), name)
  assert.match(await readFile(at('table/report.html'), 'utf8'), /matryoshka, K 2/)
})

test('synth refuses what makes no sense, with what was expected', async (t) => {
  const cwd = await temporaryDirectory(t)
  const cases: [string[], RegExp][] = [
    [['train', '--samples', '20m'], /--samples: expected a number.*got "20m"/],
    [['train', '--k', '40', '--features', '32'], /expected k of at most 32/],
    [['train', '--true-features', '10'], /the hierarchy needs at least/],
    [['sweep'], /--vary: expected an option and its values, got nothing/],
    [['sweep', '--vary', 'width=3,4'], /width is not an option that can be varied/],
    [['table', '.'], /expected an autoencoder with its recovery, got none/],
  ]
  for (const [rest, message] of cases) {
    const { code, stderr } = await run(['synth', ...rest], cwd)
    assert.notEqual(code, 0, rest.join(' '))
    assert.match(stderr, message)
  }
})
