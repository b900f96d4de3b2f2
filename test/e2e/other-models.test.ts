import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors.js'
import { Random } from '../../src/random/random.js'
import { fileLifetime, temporaryDirectory } from '../temporary-directory.js'
import { run, writeTexts } from './program.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const golden = (family: string) => join(root, 'test', 'golden', 'hf', family)
const llama = golden('llama')
const D = 48

const file = fileLifetime()
let cwd = ''
before(async () => {
  cwd = await temporaryDirectory(file)
  await writeTexts(join(cwd, 'texts'))
  await writeSparsify(join(cwd, 'layers.1'))
})

/** An autoencoder as EleutherAI's sparsify saves them: its folder says which hook point it reads. */
async function writeSparsify(directory: string): Promise<void> {
  await mkdir(directory)
  const random = Random.named(1, 'sparsify')
  const normal = (...shape: number[]) => ({
    shape,
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
  })
  await writeFile(join(directory, 'cfg.json'), JSON.stringify({ d_in: D, num_latents: 64, k: 4 }))
  await writeSafetensors(join(directory, 'sae.safetensors'), {
    'encoder.weight': normal(64, D),
    'encoder.bias': normal(64),
    W_dec: normal(64, D),
    b_dec: normal(D),
  })
}

const json = async (...args: string[]) => {
  const result = await run([...args, '--threads', '1', '--json'], cwd)
  assert.equal(result.code, 0, result.stderr)
  return JSON.parse(result.stdout)
}

test("the README's example runs on a checkpoint of Hugging Face and an autoencoder of another library", async () => {
  const example = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'examples', 'language-model.js')
  const args = [example, llama, join(cwd, 'layers.1')]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
  assert.match(stdout, /^blocks\.1\.hook_resid_post is \[1,\d+,48\]$/m)
  assert.match(stdout, /^loss \d+\.\d+ nats, with zeros in its place \d+\.\d+$/m)
  assert.match(stdout, /^logit -?\d+\.\d+, gradient \[1,\d+,48\]$/m)
  assert.match(stdout, /^\d+ active features on \d+ tokens, reconstruction \[\d+,48\]$/m)
  assert.match(stdout, /^loss with the reconstruction \d+\.\d+, with feature 3 at 5 \d+\.\d+$/m)
})

for (const family of ['gpt2', 'gpt-neox', 'llama', 'gemma2'])
  test(`model run on ${family} gives the numbers of transformers`, async () => {
    const { tensors: expected } = await readSafetensors(join(golden(family), 'golden.safetensors'))
    const [input, out] = [join(cwd, `${family}.in.safetensors`), join(cwd, `${family}.out.safetensors`)]
    await writeSafetensors(input, { input_ids: expected.input_ids })
    const { layers } = await json('model', 'info', '--model', golden(family))
    const last = layers - 1
    const hooks: Record<string, string> = {
      'blocks.0.hook_resid_pre': 'resid_pre.0',
      [`blocks.${last}.hook_resid_post`]: `resid_post.${last}`,
      [`blocks.${last}.${family === 'gemma2' ? 'mlp.hook_out' : 'hook_mlp_out'}`]: `mlp_out.${last}`,
    }
    await json(
      'model',
      'run',
      '--model',
      golden(family),
      '--input',
      input,
      '--out',
      out,
      '--hook',
      ...Object.keys(hooks),
    )
    const { tensors } = await readSafetensors(out)
    const pairs = Object.entries({ logits: 'logits', loss: 'loss', ...hooks }).filter(
      ([, name]) => name in expected,
    )
    assert.ok(pairs.length >= 4, `${Object.keys(expected)}`)
    for (const [ours, theirs] of pairs) {
      assert.deepEqual(tensors[ours].shape, expected[theirs].shape, ours)
      tensors[ours].data.forEach((value, i) => {
        assert.ok(
          Math.abs(value - expected[theirs].data[i]) <= 2e-4,
          `${ours} ${i}: ${value}, ${expected[theirs].data[i]}`,
        )
      })
    }
  })

test('a model is imported, and a whole run made of it: corpus, autoencoder, evaluation, features, a page', async () => {
  const imported = await json('model', 'import', llama, '--run', 'run', '--context', '32')
  assert.equal(imported.context, 32)
  assert.equal(imported.family, 'llama')
  assert.equal((await json('model', 'import', llama, '--run', 'run', '--context', '32')).reused, true)
  const recorded = JSON.parse(await readFile(join(cwd, 'run/model/config.json'), 'utf8')).config
  assert.equal(Object.keys(recorded.files).includes('model.safetensors'), true)
  assert.equal(recorded.files['config.json'].length, 64)

  const prompts = ['--prompt', 'The river', 'The stone', '--greedy', '--max-tokens', '6']
  const [direct, copied] = [
    await json('model', 'generate', '--model', llama, ...prompts),
    await json('model', 'generate', '--run', 'run', ...prompts),
  ]
  assert.deepEqual(copied.texts, direct.texts)

  const text = ['--text', 'texts/*.md', '--validation-fraction', '0.2']
  await json('corpus', 'build', ...text, '--tokenizer', llama, '--run', 'run')
  const training = [
    '--features',
    '64',
    '--train-tokens',
    '4096',
    '--batch-size',
    '128',
    '--buffer-tokens',
    '1024',
  ]
  const measures = [
    '--init-tokens',
    '256',
    '--measure-tokens',
    '512',
    '--model-batch',
    '8',
    '--l1-coefficient',
    '0.1',
  ]
  await json(
    'sae',
    'train',
    '--run',
    'run',
    '--hook-name',
    'blocks.1.hook_resid_post',
    ...training,
    ...measures,
  )
  const { metadata } = JSON.parse(await readFile(join(cwd, 'run/sae/cfg.json'), 'utf8'))
  assert.equal(metadata.model_name, 'llama')
  const report = await json('eval', '--run', 'run', '--tokens', '500', '--mean-tokens', '500')
  assert.ok(report.l0 > 0)
  await json('features', 'build', '--run', 'run', '--tokens', '1000')
  const [feature] = await json('features', 'list', '--run', 'run', '--sort', 'density', '--limit', '1')
  const shown = await run(['features', 'show', String(feature.feature), '--run', 'run'], cwd)
  assert.match(shown.stdout, /top examples/)
  await json('export', 'site', 'run', '--out', 'site')
})

async function refused(args: string[], message: RegExp): Promise<void> {
  const result = await run([...args, '--json'], cwd)
  assert.notEqual(result.code, 0, result.stdout)
  const { error } = JSON.parse(result.stderr)
  assert.match(`${error.message} ${error.hint}`, message)
}

test('a model does not read tokens of another tokenizer, though all of them are in its vocabulary', async () => {
  const corpus = ['--text', 'texts/*.md', '--validation-fraction', '0.2', '--out', 'gpt2-corpus']
  await json('corpus', 'build', ...corpus, '--tokenizer', golden('gpt2'))
  const inputs = ['--model', 'run/model', '--corpus', 'gpt2-corpus']
  const message = /tokens of the tokenizer of run\/model.*corpus build --tokenizer run\/model/
  await refused(['activations', 'harvest', ...inputs, '--hook', 'hook_embed', '--out', 'a'], message)
  await refused(['sae', 'train', ...inputs, '--hook-name', 'hook_embed', '--out', 'b'], message)
  await refused(['eval', ...inputs, '--sae', 'run/sae', '--out', 'c'], message)
})

test('sources that are no models are refused with what to do', async () => {
  await refused(['model', 'info', '--model', 'texts'], /expected a model/)
  await refused(['model', 'info', '--model', './nowhere'], /no such directory/)
  await refused(['model', 'generate', '--model', 'run'], /run\/model is the model directory/)
  await refused(['model', 'import', 'run/model', '--out', 'again'], /model directory already/)
})
