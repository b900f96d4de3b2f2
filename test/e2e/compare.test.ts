import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { fileLifetime, temporaryDirectory } from '../temporary-directory.js'
import { makeModel, output, run, words } from './program.js'

const file = fileLifetime()
let cwd = ''
const small =
  '--features 48 --k 8 --architecture topk --train-tokens 4000 --batch-size 256 --buffer-tokens 2048 --init-tokens 512 --measure-tokens 512'

const succeeds = (command: string): Promise<string> => output(words(command), cwd)

before(async () => {
  cwd = await temporaryDirectory(file)
  await makeModel(cwd, 'runs/a', 0.3)
  await makeModel(cwd, 'runs/c', 0.4)
  for (const name of ['a', 'c']) await succeeds(`sae train --run runs/${name} ${small}`)
})

const options = '--tokens 4000 --min-fires 5 --replicates 100 --examples 1'

test('universality trains the other seed like the run, compares both, and takes what is there the next time', async () => {
  const command = `compare universality --run runs/a --seed 3 --budget 0.5 ${options}`
  const text = await succeeds(command)
  assert.match(text, /features with features/)
  assert.match(text, /neurons with neurons/)
  for (const name of ['seed-3-budget-0.5/model', 'seed-3-budget-0.5/sae', 'universality/report.html'])
    assert.ok(existsSync(join(cwd, 'runs/a', name)), name)
  assert.match(await succeeds(command), /is there already/)
  const named = `compare universality --run runs/a --with-model runs/a/seed-3-budget-0.5/model --with-sae runs/a/seed-3-budget-0.5/sae ${options} --json`
  const { activation, reused } = JSON.parse(await succeeds(named))
  assert.equal(reused, true)
  assert.ok(activation.neurons.compared === 32)
})

test('universality refuses another corpus, the same seed, and no other model, and says what to do', async () => {
  const fails = async (command: string): Promise<string> => {
    const { code, stderr } = await run(words(command), cwd)
    assert.ok(code !== 0)
    return stderr
  }
  const corpus = await fails(`compare universality --run runs/a --with runs/c ${options}`)
  assert.match(corpus, /runs\/c: expected a model of the same corpus/)
  assert.match(corpus, /--with-model runs\/c\/model --with-sae runs\/c\/sae/)
  assert.match(
    await fails('compare universality --run runs/a --seed 0'),
    /expected another seed than that of/,
  )
  assert.match(await fails('compare universality --run runs/a'), /pass --with DIR, or --seed N/)
  assert.match(
    await fails('compare universality --run runs/a --with runs/c --seed 1'),
    /pass --with DIR, or --seed N/,
  )
})
