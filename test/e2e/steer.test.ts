import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { fileLifetime, temporaryDirectory } from '../temporary-directory.js'
import { run, tiny, writeTexts } from './program.js'

/** All tests share one finished run, `runs/a`. */
const file = fileLifetime()
let cwd = ''
/** a feature that fired, and one that never did (or null) */
let live = 0
let dead: number | null = null

before(async () => {
  cwd = await temporaryDirectory(file)
  await writeTexts(join(cwd, 'texts'))
  const made = await run(['demo', '--out', 'runs/a', '--threads', '1', '--quiet', ...tiny], cwd)
  assert.equal(made.code, 0, made.stderr)
  const rows = await json('features', 'list', '--limit', '64')
  live = rows[0].feature
  dead = rows.find(({ fires }: { fires: number }) => fires === 0)?.feature ?? null
})

// biome-ignore lint/suspicious/noExplicitAny: whatever the program prints
async function json(...args: string[]): Promise<any> {
  const result = await run([...args, '--run', 'runs/a', '--json'], cwd)
  assert.equal(result.code, 0, result.stderr)
  return JSON.parse(result.stdout)
}

test('steer writes with and without, and the same again; the run can be given as an argument', async () => {
  const options = ['--feature', String(live), '--prompt', 'The river', '--max-tokens', '12', '--movers', '3']
  const one = await json('steer', ...options)
  assert.deepEqual(one, await json('steer', ...options))
  assert.equal(one.edits[0].feature, live)
  assert.equal(one.nextToken.up.length, 3)
  assert.equal(one.unsteered.tokens.length <= 12, true)
  const shown = await run(['steer', 'runs/a', ...options, '--quiet'], cwd)
  assert.equal(shown.code, 0, shown.stderr)
  assert.match(shown.stdout, /^"The river" · feature \d+ clamped to .*\n\nnext token KL \d/)
  assert.match(shown.stdout, /\nwithout steering +│ steered\n─+┼─+\n/)
  const both = await json('steer', ...options, '--feature', `${live},${live + 1}`, '--mode', 'add')
  assert.deepEqual(
    both.edits.map(({ kind }: { kind: string }) => kind),
    ['add', 'add'],
  )
})

test('a sweep prints a line for each strength', async () => {
  const options = ['--sweep', '0,2', '--samples', '2', '--max-tokens', '8', '--concept', 'the=[Tt]he']
  const points = await json('steer', '--feature', String(live), ...options)
  assert.deepEqual(
    points.map(({ strength }: { strength: number }) => strength),
    [0, 2],
  )
  assert.ok(points.every(({ loss }: { loss: number }) => loss > 0))
})

test('influence measures a concept, of a named feature or of one that it finds', async () => {
  const options = ['--concept', 'arabic', '--samples', '1', '--max-tokens', '6', '--resamples', '100']
  const named = await json('influence', '--feature', String(live), ...options)
  assert.equal(named.texts, 16)
  assert.ok(named.steered.low <= named.steered.value && named.steered.value <= named.steered.high)
  const found = await json('influence', ...options, '--candidates', '3')
  assert.equal(found.trials.length, 3)
  assert.equal(found.edits[0].feature, found.trials[0].feature)
})

test('attribute names the features that act for a token, checked by ablation', async () => {
  const options = ['--prompt', 'The river ', '--target', 't', '--verify', '5', '--top', '4']
  const found = await json('attribute', ...options)
  assert.equal(found.features.length, 4)
  assert.equal(found.agreement.gradient.n, 5)
  const { stdout } = await run(['attribute', 'runs/a', ...options, '--quiet'], cwd)
  assert.match(stdout, /^logit of "t" above the mean of all: .*\n\nfeature +position +token/)
})

test('what makes no sense is refused with what was expected', async () => {
  const refuses = async (line: string[], code: number, message: RegExp): Promise<void> => {
    const result = await run([...line, '--run', 'runs/a'], cwd)
    assert.equal(result.code, code, `${line.join(' ')}: ${result.stderr}`)
    assert.match(result.stderr, message)
    assert.doesNotMatch(result.stderr, /\n\s+at /)
    assert.equal(result.stdout, '')
  }
  const one = ['--feature', String(live)]
  const long = 'The river holds the stone. '.repeat(20)
  const cases: [string[], number, RegExp][] = [
    [['steer', '--feature', '64'], 1, /feature 64: expected a whole number from 0 to 63/],
    [['steer', '--feature', 'x'], 2, /expected numbers separated by commas, got "x"/],
    [['steer', ...one, '--strength', 'NaN'], 2, /--strength: expected a number, got "NaN"/],
    [['steer', ...one, '--strength', '1e9'], 2, /--strength: expected number to be <=100/],
    [['steer', ...one, '--prompt', long], 2, /expected at most 32 tokens .*, got \d+/],
    [['attribute', '--prompt', long, '--target', 'a'], 2, /expected at most 32 tokens .*, got \d+/],
    [['attribute', '--target', 'river of stone'], 2, /--target: expected one token, got \d+ from/],
    [['influence', ...one, '--concept', 'klingon'], 2, /there is none called klingon/],
    [['steer', ...one, '--scope', 'positions'], 2, /--positions \(none\) do not fit/],
  ]
  if (dead !== null) cases.push([['steer', '--feature', String(dead)], 1, /is dead: it never fired/])
  await Promise.all(cases.map((one) => refuses(...one)))
})

test('the example finds the Arabic feature of a run and steers with it', async () => {
  const example = fileURLToPath(new URL('../../examples/steer-arabic.js', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [example, 'runs/a'], { cwd })
  assert.match(stdout, /^feature \d+ of \d+ tried, clamped to \d/)
  assert.match(stdout, /share of Arabic: \d+\.\d% without, \d+\.\d% with steering/)
})
