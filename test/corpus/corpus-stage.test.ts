import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { open, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openCorpus } from '../../src/corpus/corpus.js'
import { type CorpusConfig, corpusConfigSchema } from '../../src/corpus/corpus-config.js'
import { runCorpusStage } from '../../src/corpus/corpus-stage.js'
import type { CorpusStatistics } from '../../src/corpus/corpus-statistics.js'
import { createShardWriter, readShards } from '../../src/corpus/token-shards.js'
import { type ErrorCode, MonosemError } from '../../src/errors/monosem-error.js'
import { silentProgress } from '../../src/progress/progress.js'
import { Random } from '../../src/random/random.js'
import { openStage, readStageJson } from '../../src/storage/open-stage.js'
import { runStage } from '../../src/storage/stage.js'
import { temporaryDirectory } from '../temporary-directory.js'

const context = { progress: silentProgress }

const code = (wanted: ErrorCode) => (error: unknown) => error instanceof MonosemError && error.code === wanted

const WORDS = 'river stone bread light winter letter garden morning table water'.split(' ')

/** A directory with texts.jsonl of 80 short documents. */
async function textDirectory(t: TestContext): Promise<string> {
  const directory = await temporaryDirectory(t)
  const random = new Random(1)
  const line = () => JSON.stringify({ text: Array.from({ length: 40 }, () => random.pick(WORDS)).join(' ') })
  await writeFile(join(directory, 'texts.jsonl'), `${Array.from({ length: 80 }, line).join('\n')}\n`)
  return directory
}

const config = (directory: string, changes: Partial<CorpusConfig> = {}): CorpusConfig =>
  corpusConfigSchema.parse({ text: [join(directory, '*.jsonl')], vocabularySize: 300, ...changes })

async function build(t: TestContext): Promise<{ directory: string; out: string }> {
  const directory = await textDirectory(t)
  const out = join(directory, 'corpus')
  await runCorpusStage(config(directory), { out }, context)
  return { directory, out }
}

test('every document is stored as <|endoftext|> and its tokens, in one of the splits', async (t) => {
  const { directory, out } = await build(t)
  const corpus = await openCorpus(out)
  const documents = await corpus.documents()
  const texts = (await readFile(join(directory, 'texts.jsonl'), 'utf8')).trim().split('\n')
  assert.equal(documents.length, 80)
  for (const [i, document] of documents.entries()) {
    const { tokens } = corpus[document.split]
    const own = tokens.subarray(document.tokenStart, document.tokenStart + document.tokenCount)
    assert.equal(own[0], corpus.tokenizer.endOfText)
    const text = JSON.parse(texts[i] as string).text
    assert.equal(corpus.tokenizer.decode(own.subarray(1)), text)
    assert.equal(document.bytes, Buffer.byteLength(text))
  }
  assert.equal(corpus.validation.documentIds.length, 4)
  assert.ok(corpus.train.tokens instanceof Uint16Array)
})

test('corpus.json counts what the splits hold', async (t) => {
  const { out } = await build(t)
  const corpus = await openCorpus(out)
  const { splits, kinds, vocabularySize } = await readStageJson<CorpusStatistics>(
    out,
    'corpus',
    'corpus.json',
  )
  for (const name of ['train', 'validation'] as const) {
    assert.equal(splits[name].tokens, corpus[name].tokens.length)
    assert.equal(splits[name].documents, corpus[name].documentStarts.length)
    assert.equal(splits[name].bytes, corpus[name].bytes)
    assert.equal(splits[name].bytesPerToken, splits[name].bytes / splits[name].tokens)
  }
  assert.equal(kinds.text?.documents, 80)
  assert.equal(vocabularySize, corpus.tokenizer.vocabularySize)
})

test('two runs give identical files', async (t) => {
  const { directory, out } = await build(t)
  const again = join(directory, 'again')
  await runCorpusStage(config(directory), { out: again }, context)
  for (const name of await readdir(out))
    assert.deepEqual(await readFile(join(again, name)), await readFile(join(out, name)), name)
})

test('a finished corpus is reused, and refused with another configuration', async (t) => {
  const { directory, out } = await build(t)
  assert.equal((await runCorpusStage(config(directory), { out }, context)).reused, true)
  await assert.rejects(
    runCorpusStage(config(directory, { vocabularySize: 301 }), { out }, context),
    (error) => code('config')(error) && /vocabularySize is 300/.test(String(error)),
  )
  await writeFile(join(directory, 'more.jsonl'), '{"text":"another"}\n')
  await assert.rejects(runCorpusStage(config(directory), { out }, context), /files is "1 files/)
})

test('a failed run leaves nothing behind, so that a corrected one can follow', async (t) => {
  const directory = await textDirectory(t)
  const out = join(directory, 'corpus')
  await assert.rejects(
    runCorpusStage(config(directory, { vocabularySize: 4096 }), { out }, context),
    code('config'),
  )
  const lines = await readFile(join(directory, 'texts.jsonl'), 'utf8')
  await writeFile(join(directory, 'texts.jsonl'), `${lines}not json\n`)
  await assert.rejects(runCorpusStage(config(directory), { out }, context), /texts\.jsonl:81: expected JSON/)
  assert.ok(!existsSync(`${out}.partial`) && !existsSync(out))
  await runCorpusStage(config(directory, { skipBad: true }), { out }, context)
  assert.deepEqual((await readStageJson<CorpusStatistics>(out, 'corpus', 'corpus.json')).skipped, {
    'bad lines': 1,
  })
})

test('a single document cannot be split, and says so', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeFile(join(directory, 'a.jsonl'), JSON.stringify('a text '.repeat(100)))
  await assert.rejects(
    runCorpusStage(config(directory), { out: join(directory, 'corpus') }, context),
    /at least 2 documents/,
  )
})

test('an interrupted run says so', async (t) => {
  const directory = await textDirectory(t)
  const stop = new AbortController()
  stop.abort()
  const out = join(directory, 'corpus')
  await assert.rejects(
    runCorpusStage(config(directory), { out }, { ...context, signal: stop.signal }),
    code('interrupted'),
  )
})

test('a flipped bit or a cut shard is found when the corpus is opened', async (t) => {
  const { out } = await build(t)
  const shard = join(out, 'train-00000.safetensors')
  const handle = await open(shard, 'r+')
  const last = Buffer.alloc(1)
  const end = (await handle.stat()).size - 1
  await handle.read(last, 0, 1, end)
  await handle.write(Buffer.of((last[0] as number) ^ 4), 0, 1, end)
  await handle.close()
  await assert.rejects(openCorpus(out), code('corrupt'))
  await truncate(shard, end)
  await assert.rejects(openCorpus(out), code('corrupt'))
})

test('a directory that is no finished corpus is named', async (t) => {
  await assert.rejects(openCorpus(join(await temporaryDirectory(t), 'none')), code('missing'))
})

test('tokens over several shards come back in order, as U32 when the vocabulary needs it', async (t) => {
  const out = join(await temporaryDirectory(t), 'stage')
  const tokens = Array.from({ length: 25 }, (_, i) => 70_000 + i)
  await runStage({ stage: 'corpus', out, config: {}, inputs: {} }, async (partial) => {
    const writer = createShardWriter(partial, 'train', 100_000, 10)
    await writer.append(tokens.slice(0, 7))
    await writer.append(tokens.slice(7))
    await writer.finish()
    assert.equal(writer.length, 25)
  })
  const read = await readShards(await openStage(out, 'corpus'), 'train')
  assert.ok(read instanceof Uint32Array)
  assert.deepEqual([...read], tokens)
  assert.ok(existsSync(join(out, 'train-00002.safetensors')))
})

const family = (name: string): string =>
  fileURLToPath(new URL(`../../../test/golden/hf/${name}`, import.meta.url))

test('a corpus may be made with the tokenizer of a model, which is kept beside it', async (t) => {
  const directory = await textDirectory(t)
  const out = join(directory, 'corpus')
  const wanted = config(directory, { tokenizer: family('llama') })
  const { reused } = await runCorpusStage(wanted, { out }, context)
  assert.equal(reused, false)
  const { tokenizer, train, validation, documents } = await openCorpus(out)
  assert.deepEqual([tokenizer.startOfText, tokenizer.endOfText, tokenizer.vocabularySize], [1, 2, 384])
  const texts = (await readFile(join(directory, 'texts.jsonl'), 'utf8')).trim().split('\n')
  for (const [i, { split, tokenStart, tokenCount }] of (await documents()).entries()) {
    const { tokens } = split === 'train' ? train : validation
    const own = tokens.subarray(tokenStart, tokenStart + tokenCount)
    // What the model's own post-processor makes of the text.
    assert.deepEqual([...own], [...tokenizer.encodeWithSpecialTokens(JSON.parse(texts[i]).text)])
  }
  assert.equal(
    await readFile(join(out, 'tokenizer.json'), 'utf8'),
    await readFile(join(family('llama'), 'tokenizer.json'), 'utf8'),
  )
  const recorded = JSON.parse(await readFile(join(out, 'config.json'), 'utf8')).config
  assert.match(recorded.tokenizerSha256, /^[0-9a-f]{64}$/)
  assert.deepEqual([recorded.tokenizer, recorded.tokenizerCommit], [family('llama'), null])
  assert.ok(!('vocabularySize' in recorded) && !('tokenizerSampleMb' in recorded))
  assert.equal((await runCorpusStage(wanted, { out }, context)).reused, true)
  const other = config(directory, { tokenizer: join(family('gpt2'), 'tokenizer.json') })
  await assert.rejects(runCorpusStage(other, { out }, context), code('config'))
  // The corpus is a tokenizer for another corpus.
  const next = join(directory, 'next')
  await runCorpusStage(config(directory, { tokenizer: out }), { out: next }, context)
  assert.deepEqual((await openCorpus(next)).train.tokens, train.tokens)
  await writeFile(join(out, 'tokenizer_config.json'), '{"bos_token": "</s>"}')
  await assert.rejects(openCorpus(out), code('corrupt'))
})

test('a text with the names of special tokens does not make them in a corpus', async (t) => {
  const directory = await temporaryDirectory(t)
  const line = JSON.stringify({ text: 'a <s> b </s> <unk> <0x41> c <|endoftext|>' })
  await writeFile(join(directory, 'texts.jsonl'), `${line}\n${line}\n${line}\n`)
  const out = join(directory, 'corpus')
  await runCorpusStage(config(directory, { tokenizer: family('gemma2') }), { out }, context)
  const { train, tokenizer } = await openCorpus(out)
  assert.equal(train.tokens.filter((id) => id < 3).length, train.documentStarts.length)
  assert.match(tokenizer.decode(train.tokens), /a <s> b <\/s> <unk> <0x41> c <\|endoftext\|>/)
})

test('a tokenizer that is not there is named', async (t) => {
  const directory = await textDirectory(t)
  const out = join(directory, 'corpus')
  await assert.rejects(
    runCorpusStage(config(directory, { tokenizer: './none' }), { out }, context),
    code('missing'),
  )
  await assert.rejects(
    runCorpusStage(config(directory, { tokenizer: directory }), { out }, context),
    (error) => {
      assert.ok(error instanceof MonosemError && error.code === 'missing')
      assert.match(error.message, /expected a tokenizer\.json/)
      return true
    },
  )
  assert.ok(!existsSync(out) && !existsSync(`${out}.partial`))
})
