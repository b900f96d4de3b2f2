import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { z } from 'zod'
import { chatReply, localServer, type Received } from '../explain/llm/local-server.js'
import { fileLifetime, temporaryDirectory } from '../temporary-directory.js'
import { type Finished, run, start, tiny, writeTexts } from './program.js'

/** All tests share one directory with texts and one finished run, `runs/a`, made with one thread. */
const file = fileLifetime()
let cwd = ''
let first: Finished

before(async () => {
  cwd = await temporaryDirectory(file)
  await writeTexts(join(cwd, 'texts'))
  first = await run(['demo', '--out', 'runs/a', '--threads', '1', '--no-serve', ...tiny], cwd)
})

/** Everything that a run computes; what is left out holds durations, or hashes of files that do. */
const computed = [
  ...['corpus/tokenizer.json', 'corpus/train-00000.safetensors', 'corpus/validation-00000.safetensors'],
  ...['model/model.safetensors', 'sae/sae_weights.safetensors', 'sae/sparsity.safetensors'],
  ...['eval/eval.json', 'features/features.json', 'case-studies/case-studies.json'],
]

async function assertSameBytes(one: string, other: string): Promise<void> {
  for (const name of computed) {
    const [a, b] = await Promise.all(
      [one, other].map((directory) => readFile(join(cwd, 'runs', directory, name))),
    )
    assert.ok(a!.equals(b!), `${name} of ${one} and ${other} differ`)
  }
}

const share = z.number().max(1).nullable()
const summarySchema = z.strictObject({
  seconds: z.number().positive(),
  peakRssMiB: z.number().min(20).max(3072),
  threads: z.int().positive(),
  model: z.strictObject({
    valLoss: z.number().positive(),
    bigramLoss: z.number().positive(),
    unigramLoss: z.number().positive(),
    bitsPerByte: z.number().positive(),
    tokensPerSecond: z.number().positive(),
  }),
  sae: z.strictObject({
    features: z.literal(64),
    l0: z.number().min(0).max(64),
    explainedVariance: share,
    lossRecovered: share,
    lossRecoveredMean: share,
    deadFraction: share,
    samplesPerSecond: z.number().positive(),
  }),
  caseStudies: z.array(
    z.strictObject({
      name: z.string(),
      feature: z.int().nullable(),
      correlation: share,
      precisionAboveHalfMax: share,
      recall: share,
      bestNeuronCorrelation: share,
    }),
  ),
  explanations: z.strictObject({
    explained: z.int().min(1).max(64),
    spearman: share,
    spearmanWithoutSingleToken: share,
    singleTokenFeatures: z.int().min(0),
    bestNeuronSpearman: share,
    neuronSpearman: share,
    shuffledSpearman: share,
  }),
})

test('the demo runs from text to features and prints what it found', () => {
  assert.equal(first.code, 0, first.stderr)
  for (const expected of [
    /validation loss +\d\.\d{3} +nats/,
    /explained variance/,
    /case study .*\n(?:.*\n)+?arabic +/,
    /mean Spearman(?:.*\n)+?features +\d\.\d+/,
    /monosem serve runs\/a\n/,
    /monosem features show \d+/,
  ])
    assert.match(first.stdout, expected)
  assert.equal(first.stderr.match(/^kernels: /gm)?.length, 1, 'the kernels are named once')
})

test('summary.json has the documented fields, and case studies without any token of their kind are not made', async () => {
  const summary = summarySchema.parse(JSON.parse(await readFile(join(cwd, 'runs/a/summary.json'), 'utf8')))
  const studies = new Map(summary.caseStudies.map((study) => [study.name, study.feature]))
  assert.deepEqual([...studies.keys()], ['arabic', 'hebrew', 'dna', 'base64'])
  assert.notEqual(studies.get('arabic'), null)
  assert.equal(studies.get('hebrew'), null)
  assert.match(first.stdout, /hebrew.*not studied/)
})

test('nothing partial or temporary is left behind', async () => {
  const names = await readdir(join(cwd, 'runs/a'), { recursive: true })
  assert.deepEqual(
    names.filter((name) => /partial|\.tmp$|checkpoint|lock/.test(name)),
    [],
  )
})

test('the demo makes what every page of the browser needs, and explains every feature that is active', async () => {
  const parts = await readdir(join(cwd, 'runs/a'))
  for (const part of ['feature-map', 'ablation', 'explanations', 'feature-pages'])
    assert.ok(parts.includes(part), part)
  const listed = await run(words('explanations list --run runs/a --limit 100 --json'), cwd)
  const { explanations } = JSON.parse(await readFile(join(cwd, 'runs/a/summary.json'), 'utf8'))
  assert.equal(JSON.parse(listed.stdout).length, explanations.explained)
})

test('--serve ends the demo by serving it until Ctrl-C; without it a demo whose output goes into a pipe ends', async () => {
  assert.doesNotMatch(first.stdout, /feature browser is at/)
  const served = start(['demo', '--out', 'runs/a', '--threads', '1', '--serve', ...tiny], cwd)
  const shown = await served.printed(/feature browser is at (http:\S+)/)
  if (shown === null) throw new Error((await served.finished).stderr)
  const answer = await fetch(`${shown[1]}/api/v1/runs`)
  const { runs } = (await answer.json()) as { runs: { run: string; has: Record<string, boolean> }[] }
  // Comparisons with other dictionaries are made afterwards.
  assert.deepEqual(
    runs.map(({ run, has: { relatives, ...made } }) => [run, relatives, new Set(Object.values(made))]),
    [['a', false, new Set([true])]],
  )
  await served.signalWhen(() => true, 'SIGINT')
  const { code, stdout, stderr } = await served.finished
  assert.equal(code, 0, stderr)
  assert.match(stdout, /What to look at next(.|\n)*feature browser is at/)
})

test('the same command again reuses every stage and prints the same figures', async () => {
  const again = await run(['demo', '--out', 'runs/a', '--threads', '1', '--json', ...tiny], cwd)
  assert.equal(again.code, 0, again.stderr)
  assert.equal(again.stderr, '', '--json shows no progress')
  const summary = summarySchema.parse(JSON.parse(again.stdout))
  const stored = JSON.parse(await readFile(join(cwd, 'runs/a/summary.json'), 'utf8'))
  assert.deepEqual(summary, stored)
})

test('one, two and four threads give the same bytes', async () => {
  for (const threads of ['2', '4']) {
    const name = `threads-${threads}`
    const result = await run(['demo', '--out', `runs/${name}`, '--threads', threads, '--quiet', ...tiny], cwd)
    assert.equal(result.code, 0, result.stderr)
    assert.equal(result.stderr, '', '--quiet shows no progress')
    await assertSameBytes('a', name)
  }
})

test('a run that is killed twice, stopped with Ctrl-C and resumed gives the same bytes as one left alone', async () => {
  const args = ['demo', '--out', 'runs/c', ...tiny]
  const at = (name: string): string => join(cwd, 'runs/c', name)
  for (const stage of ['model', 'sae']) {
    const killed = start(args, cwd)
    assert.ok(
      await killed.signalWhen(() => existsSync(at(`${stage}.partial/checkpoint.json`)), 'SIGKILL'),
      `${stage} was too quick`,
    )
    assert.equal((await killed.finished).signal, 'SIGKILL')
    assert.ok(existsSync(at(`${stage}.partial`)) && !existsSync(at(stage)))
  }
  const stopped = start(args, cwd)
  assert.ok(await stopped.signalWhen((stderr) => stderr.includes('model: finished earlier'), 'SIGINT'))
  const { code, stderr } = await stopped.finished
  assert.equal(code, 130, stderr)
  assert.match(stderr, /stopping at the next safe point/)
  assert.match(
    stderr,
    /to go on from the last finished stage or checkpoint: monosem demo --out runs\/c --text 'texts\/\*\.md' /,
  )
  assert.doesNotMatch(stderr, /\n\s+at /)
  assert.ok(existsSync(at('sae.partial/checkpoint.json')) && !existsSync(at('sae')))

  const resumed = await run(args, cwd)
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.match(resumed.stderr, /model: finished earlier/)
  await assertSameBytes('a', 'c')
})

test('another config for the same directory is refused: the key is named, nothing is touched', async () => {
  const before = await readFile(join(cwd, 'runs/a/sae/manifest.json'))
  const result = await run(['demo', '--out', 'runs/a', ...tiny, 'sae.k=7'], cwd)
  assert.equal(result.code, 2)
  assert.match(result.stderr, /config\.k is 32 there, 7 was asked for\n\s+hint: .*--out/)
  assert.ok(before.equals(await readFile(join(cwd, 'runs/a/sae/manifest.json'))))
})

test('features list, features show, model sample and generate, eval and case-studies work on the run', async () => {
  const json = async (...args: string[]) => {
    const result = await run([...args, '--run', 'runs/a', '--json'], cwd)
    assert.equal(result.code, 0, result.stderr)
    return JSON.parse(result.stdout)
  }
  const rows = await json('features', 'list', '--sort', 'max', '--limit', '3')
  assert.equal(rows.length, 3)
  assert.ok(rows[0].max >= rows[1].max)
  const [detail] = await json('features', 'show', String(rows[0].feature))
  assert.equal(detail.top[0].activation, rows[0].max)
  const sampled = () => json('model', 'sample', '--prompt', 'The ', '--max-tokens', '10', '--seed', '3')
  const { continuation } = await sampled()
  assert.ok(continuation.length > 0)
  assert.equal((await sampled()).continuation, continuation)
  const prompts = ['--prompt', 'The ', 'A river', '--max-tokens', '5', '--greedy']
  const { texts } = await json('model', 'generate', ...prompts)
  assert.deepEqual(
    texts.map(({ prompt }: { prompt: string }) => prompt),
    ['The ', 'A river'],
  )
  const info = await json('model', 'info')
  assert.equal(info.dModel, 16)
  assert.deepEqual(info.hooks[0], { name: 'hook_embed', width: 16 })
  const report = await json('eval', '--tokens', '500', '--mean-tokens', '500', '--out', 'runs/a/eval-2')
  assert.equal(report.features, 64)
  const patterns = ['--tokens', '2000', '--min-positives', '20', '--patterns', 'the=[Tt]he']
  const { studies } = await json('case-studies', '--names', 'dna', ...patterns, '--out', 'runs/a/the')
  assert.deepEqual(
    studies.map((study: { name: string }) => study.name),
    ['dna', 'the'],
  )
  const text = await run(['features', 'show', String(rows[0].feature), '--run', 'runs/a'], cwd)
  assert.match(
    text.stdout,
    /^feature \d+ .*\n(?:.*by statistics.*\n)?fires on .*\n(?:.*\n)*top examples .*\n.*«.+\|.+»/,
  )
})

test('the stages run one by one give the same bytes as the demo', async () => {
  const flags = (stage: string): string[] =>
    tiny
      .filter((word) => word.startsWith(`${stage}.`))
      .flatMap((word) => {
        const [name, value] = word.slice(stage.length + 1).split('=')
        return [`--${name!.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`, value!]
      })
  const steps = [
    ['corpus', 'build', '--text', 'texts/*.md', ...flags('corpus')],
    ['model', 'train', ...flags('model')],
    ['sae', 'train', '--features', '64', '--l1-coefficient', '0.5', ...flags('sae')],
    ['eval', ...flags('eval')],
    ['features', 'build', ...flags('features')],
    ['case-studies', ...flags('case-studies')],
  ]
  for (const step of steps) {
    const result = await run([...step, '--run', 'runs/d'], cwd)
    assert.equal(result.code, 0, `${step[0]}: ${result.stderr}`)
    assert.match(result.stdout, /^wrote /)
  }
  await assertSameBytes('a', 'd')
})

test('a topk autoencoder has exactly k active features per token', async () => {
  const args = [
    'sae',
    'train',
    '--corpus',
    'runs/a/corpus',
    '--model',
    'runs/a/model',
    '--out',
    'runs/topk/sae',
  ]
  const sizes = [
    '--features',
    '64',
    '--train-tokens',
    '4096',
    '--batch-size',
    '256',
    '--buffer-tokens',
    '2048',
  ]
  const trained = await run(
    [...args, '--architecture', 'topk', '--k', '5', '--init-tokens', '512', ...sizes, '--json'],
    cwd,
  )
  assert.equal(trained.code, 0, trained.stderr)
  const { l0 } = JSON.parse(trained.stdout)
  assert.ok(l0 > 4 && l0 <= 5, `L0 ${l0}`)
})

const words = (text: string): string[] => text.split(' ')

test('a sweep trains several autoencoders on one stream, each the same to the byte as one trained alone', async () => {
  const common = words(
    '--corpus runs/a/corpus --model runs/a/model --features 64 --train-tokens 4096 --batch-size 256 --buffer-tokens 2048 ' +
      '--init-tokens 512 --measure-tokens 1024 --resample-tokens 512 --dead-after-tokens 1024',
  )
  const vary = words('--vary l1Coefficient=0.5,2 --vary seed=0,1 --out runs/sweep')
  const swept = await run(['sae', 'sweep', ...common, ...vary, '--json'], cwd)
  assert.equal(swept.code, 0, swept.stderr)
  const { autoencoders } = JSON.parse(swept.stdout)
  assert.deepEqual(
    autoencoders.map(({ name }: { name: string }) => name),
    [0.5, 2].flatMap((l1) => [0, 1].map((seed) => `l1-coefficient-${l1}_seed-${seed}`)),
  )
  const options = words('--l1-coefficient 2 --seed 1 --stream-seed 0 --out runs/alone/sae')
  const alone = await run(['sae', 'train', ...common, ...options], cwd)
  assert.equal(alone.code, 0, alone.stderr)
  const [one, other] = await Promise.all(
    ['sweep/l1-coefficient-2_seed-1', 'alone/sae'].map((directory) =>
      readFile(join(cwd, 'runs', directory, 'sae_weights.safetensors')),
    ),
  )
  assert.ok(one!.equals(other!))
  const { stdout } = await run(['sae', 'sweep', ...common, ...vary], cwd)
  assert.match(
    stdout,
    /autoencoder +L0 +explained variance +dead features\n.*\nl1-coefficient-0\.5_seed-0 .*was there/,
  )
})

test('a transcoder is trained on two hook points, evaluated and explained', async () => {
  const inputs = words('--corpus runs/a/corpus --model runs/a/model')
  const options = words(
    '--hook-name blocks.0.ln2.hook_normalized --target-hook-name blocks.0.hook_mlp_out --skip --architecture topk --k 8 --features 64 ' +
      '--train-tokens 16384 --batch-size 256 --buffer-tokens 2048 --init-tokens 512 --measure-tokens 1024 --learning-rate 0.01',
  )
  const trained = await run(['sae', 'train', ...inputs, ...options, '--out', 'runs/transcoder/sae'], cwd)
  assert.equal(trained.code, 0, trained.stderr)
  const paths = [...inputs, '--sae', 'runs/transcoder/sae']
  const small = words('--tokens 500 --mean-tokens 500 --out runs/transcoder/eval')
  const report = await run(['eval', ...paths, ...small, '--json'], cwd)
  assert.equal(report.code, 0, report.stderr)
  assert.ok(JSON.parse(report.stdout).explainedVariance > 0, report.stdout)
  const few = words('--tokens 2000 --out runs/transcoder/features')
  const features = await run(['features', 'build', ...paths, ...few], cwd)
  assert.equal(features.code, 0, features.stderr)
})

test('the example reads the features of a run', async () => {
  const example = fileURLToPath(new URL('../../examples/read-features.js', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [example, 'runs/a/features'], { cwd })
  assert.match(stdout, /^(feature \d+: active on \d+\.\d\d% of the tokens, maximum \d+\.\d\d\n){5}\d/)
})

/** What a small but obedient model answers: an explanation, a digit in every blank, a probability for every text. */
function obedientAnswer({ body }: Received): unknown {
  const question: string = body.messages.at(-1).content
  const { name } = body.response_format.json_schema
  if (name === 'explanation')
    return { reasoning: 'They are letters.', explanation: `${body.model} sees letters` }
  if (name === 'detection' || name === 'logit')
    return {
      answers: [...question.matchAll(/^(?:text|token) \d+: (.*)$/gm)].map(([, text], i) => ({
        number: i + 1,
        probability: text!.length % 2,
      })),
    }
  const examples = question.split('\n\n').slice(1)
  return {
    examples: examples.map((example, i) => ({
      example: i + 1,
      filled: [...example.matchAll(/^(.* → )_$/gm)].map(([, token], j) => `${token}${j}`),
    })),
  }
}

test('the example explains and scores features by a language model; killed, it asks again only what was under way', async (t) => {
  const example = fileURLToPath(new URL('../../examples/explain-with-ollama.js', import.meta.url))
  const list = words('features list --run runs/a --ascending --min-density 0.04 --limit 2 --json')
  const [one, other] = JSON.parse((await run(list, cwd)).stdout)
  const args = [example, 'runs/a', `${one.feature}`, `${other.feature}`]
  let kill = (): unknown => null
  const server = await localServer(t, (received, index) => {
    if (index === 6) kill()
    return chatReply(obedientAnswer(received))
  })
  const env = { ...process.env, LLM_BASE_URL: server.url, LLM_MODEL: 'tiny:1b' }
  const explain = () => {
    const running = promisify(execFile)(process.execPath, args, { cwd, env })
    kill = () => running.child.kill('SIGKILL')
    return running
  }
  await assert.rejects(explain(), { signal: 'SIGKILL' })
  const before = server.received.length
  const { stdout } = await explain()

  // Features of so small a run are hardly ever silent, which detection and embedding cannot do without.
  const scores = ['spearman', 'pearson', 'detection', 'embedding'].map(
    (name) => ` +${name} +(-?\\d\\.\\d{3}|none: .+)\n`,
  )
  for (const { feature } of [one, other])
    assert.match(stdout, new RegExp(`^feature ${feature}: tiny:1b sees letters\n${scores.join('')}`, 'm'))
  assert.match(stdout, /spearman +-?\d\.\d{3}$/m)

  const different = new Set(server.received.map(({ body }) => JSON.stringify(body))).size
  const twice = server.received.length - different
  assert.ok(before >= 6 && twice >= 1 && twice <= 4, `${before} before, ${twice} twice`)
  const [, answers, kept] = /^(\d+) answers; (\d+) more from the cache/m.exec(stdout)!
  assert.equal(Number(answers) + Number(kept), different)

  const again = await explain()
  assert.match(again.stdout, new RegExp(`^0 answers; ${different} more from the cache; 0 tokens in`, 'm'))
})

test('explain asks a language model, keeps what a spent budget leaves, and goes on from there', async (t) => {
  const list = words('features list --run runs/a --ascending --min-density 0.04 --limit 2 --json')
  const [one, other] = JSON.parse((await run(list, cwd)).stdout)
  const server = await localServer(t, (received) => chatReply(obedientAnswer(received)))
  const explain = (...more: string[]) =>
    run(
      [
        ...words(
          `explain runs/a --explanations runs/a-llm --feature-store runs/a/features --explainer compatible:tiny:1b`,
        ),
        ...words(`--base-url ${server.url} --concurrency 1 --json --scorers prediction logit`),
        ...[`--features=${one.feature},${other.feature}`, ...more],
      ],
      cwd,
    )
  const stopped = await explain('--max-tokens-budget=1')
  assert.equal(stopped.code, 2, stopped.stdout)
  assert.match(JSON.parse(stopped.stderr).error.message, /budget/)

  const report = JSON.parse((await explain()).stdout)
  assert.equal(report.counts.explained, 2)
  const kept = await run(words('explanations list --run runs/a --explanations runs/a-llm --json'), cwd)
  for (const { explainer, text, scores } of JSON.parse(kept.stdout)) {
    assert.equal(explainer, 'compatible:tiny:1b')
    assert.equal(text, 'tiny:1b sees letters')
    const logit = scores.find(({ scorer }: { scorer: string }) => scorer === 'logit')
    assert.ok(logit.value > 0 && logit.n === 100, JSON.stringify(logit))
  }
  const asked = server.received.length
  assert.equal(JSON.parse((await explain()).stdout).made, 0)
  assert.equal(server.received.length, asked)
})

test('a flipped bit in the model is found before anything is computed with it', async () => {
  const path = join(cwd, 'runs/threads-2/model/model.safetensors')
  const bytes = await readFile(path)
  bytes[bytes.length - 7]! ^= 4
  await writeFile(path, bytes)
  const result = await run(['model', 'sample', '--run', 'runs/threads-2', '--json'], cwd)
  assert.equal(result.code, 1)
  assert.equal(JSON.parse(result.stderr).error.code, 'corrupt')
  assert.equal(result.stdout, '')
})
