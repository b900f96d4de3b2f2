import { readdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { singleRank } from '../distributed/communicator.js'
import { onFirstRank } from '../distributed/on-first-rank.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { SourceOptions } from '../hub/hub-source.js'
import { type StageContext, throwIfInterrupted } from '../progress/progress.js'
import { Random } from '../random/random.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { type Json, runStage, type StageResult } from '../storage/stage.js'
import { createSampler, trainBpe } from './bpe-trainer.js'
import { builtinCorpus } from './builtin-corpus.js'
import { type CorpusConfig, corpusConfigSchema } from './corpus-config.js'
import { createStatistics } from './corpus-statistics.js'
import { breathe, type DocumentRecord, type DocumentSource, utf8Length } from './document.js'
import { DOCUMENTS_FILE, writeDocuments } from './document-table.js'
import { encodeDocuments } from './encode-documents.js'
import { chooseValidation, type SplitInput } from './split.js'
import { createShardWriter } from './token-shards.js'
import { createTokenizer, loadTokenizer, type Tokenizer } from './tokenizer.js'
import { type FoundTokenizer, findTokenizer, writeTokenizer } from './tokenizer-source.js'
import { findUserFiles, type UserFiles, userCorpus } from './user-corpus.js'

const MB = 1e6

/**
 * Text to tokens: the built-in corpus, or the user's files when `config.text` names any; with a tokenizer trained on it, or that of a
 * model (`config.tokenizer`). Writes tokenizer.json (and tokenizer_config.json where it needs one), documents.parquet, the token shards of both splits and corpus.json (CorpusStatistics). Nothing is kept of a run that
 * fails, since all of it takes half a minute. Several ranks share the encoding, and all of them read the texts.
 * @throws MonosemError config, format, missing, io, interrupted; remote, corrupt (the hub)
 */
export async function runCorpusStage(
  config: CorpusConfig,
  paths: { out: string },
  context: StageContext & Pick<SourceOptions, 'offline'>,
): Promise<StageResult> {
  const { ranks = singleRank } = context
  const resolved = corpusConfigSchema.parse(config)
  const { text } = resolved
  // what rank 0 downloads is then in the hub's cache
  const files = text.length > 0 ? await onFirstRank(ranks, () => findUserFiles(text, context)) : null
  const found = await findNamedTokenizer(resolved, context)
  const request = {
    stage: 'corpus',
    out: paths.out,
    config: { ...recordedConfig(resolved, found), ...(files ? { files: files.fingerprint } : {}) },
    inputs: {},
    seed: resolved.seed,
  }
  let failed = false
  const body = async (partial: string): Promise<void> => {
    try {
      await buildCorpus(resolved, files, found?.tokenizer ?? null, partial, context)
    } catch (error) {
      failed = true
      throw error
    }
  }
  try {
    return await runStage(request, body, ranks)
  } finally {
    // A partial directory would refuse the corrected configuration (another vocabulary size, skipBad).
    if (failed && ranks.rank === 0)
      await rm(`${resolve(paths.out)}.partial`, { recursive: true, force: true })
  }
}

/** The tokenizer that the configuration names, if it does. Rank 0 has it; the others will read what it writes. */
interface NamedTokenizer extends Pick<FoundTokenizer, 'commit' | 'hash'> {
  tokenizer: Tokenizer | null
}

async function findNamedTokenizer(
  { tokenizer: source, revision }: CorpusConfig,
  context: StageContext & Pick<SourceOptions, 'offline'>,
): Promise<NamedTokenizer | null> {
  if (source === undefined) return null
  let tokenizer: Tokenizer | null = null
  const identity = await onFirstRank(context.ranks ?? singleRank, async () => {
    const found = await findTokenizer(source, { ...context, revision })
    tokenizer = found.tokenizer
    return { commit: found.commit, hash: found.hash }
  })
  return { ...identity, tokenizer }
}

/** What decides over the corpus: with the tokenizer of a model, its content and not how one would be trained. */
function recordedConfig(config: CorpusConfig, found: NamedTokenizer | null): Record<string, Json> {
  const { tokenizer, revision, vocabularySize, tokenizerSampleMb, ...others } = config
  if (!found) return { ...config } as Record<string, Json>
  return {
    ...others,
    tokenizer: tokenizer ?? null,
    revision: revision ?? null,
    tokenizerCommit: found.commit,
    tokenizerSha256: found.hash,
  }
}

async function buildCorpus(
  config: CorpusConfig,
  files: UserFiles | null,
  given: Tokenizer | null,
  partial: string,
  context: StageContext,
): Promise<void> {
  const { ranks = singleRank } = context
  const { source, skipped } = files
    ? userCorpus(files, config, context.progress)
    : await builtinCorpus(config, context)
  let tokenizer = given
  const plan = await onFirstRank(ranks, async () => {
    await removeShards(partial)
    const plan = await makePlan(source, config, context)
    const train = async () =>
      createTokenizer(await trainTokenizer(await sampleTexts(source, plan, config, context), config, context))
    tokenizer ??= await train()
    await writeTokenizer(partial, tokenizer)
    return plan
  })
  tokenizer ??= await loadTokenizer(join(partial, 'tokenizer.json'))
  const records = await writeTokens(source, plan, tokenizer, partial, context)
  if (ranks.rank > 0) return
  await writeDocuments(join(partial, DOCUMENTS_FILE), records)
  const statistics = createStatistics(records, tokenizer.vocabularySize, skipped())
  await writeFileAtomic(join(partial, 'corpus.json'), `${JSON.stringify(statistics, null, 2)}\n`)
}

/** A run that was killed may have left more shards than this one writes. */
async function removeShards(partial: string): Promise<void> {
  for (const name of await readdir(partial)) if (name.endsWith('.safetensors')) await rm(join(partial, name))
}

/** What the first pass over the documents finds out, by document. */
interface Plan {
  bytes: number[]
  /** whether it is held out */
  validation: boolean[]
}

async function makePlan(source: DocumentSource, config: CorpusConfig, context: StageContext): Promise<Plan> {
  const inputs: SplitInput[] = []
  let total = 0
  for await (const { kind, group, text } of source()) {
    const bytes = utf8Length(text)
    inputs.push({ kind, group, bytes })
    total += bytes
    if (inputs.length % 256 === 0) await pause(context)
  }
  const validation = chooseValidation(inputs, config.validationFraction, config.seed)
  requireBothSplits(inputs.length, validation)
  await pause(context)
  context.progress.note(`corpus: ${inputs.length} documents, ${(total / MB).toFixed(1)} MB of text`)
  return { bytes: inputs.map((input) => input.bytes), validation }
}

/** Texts to train the tokenizer on, none of them held out. */
async function sampleTexts(
  source: DocumentSource,
  { validation }: Plan,
  config: CorpusConfig,
  context: StageContext,
): Promise<string[]> {
  const random = Random.named(config.seed, 'tokenizer sample')
  const ranks = validation.map(() => random.uint32())
  const sampler = createSampler(config.tokenizerSampleMb * MB)
  let index = 0
  for await (const document of source()) {
    if (!validation[index]) sampler.offer(document, ranks[index])
    if (++index % 256 === 0) await pause(context)
  }
  await pause(context)
  return sampler.texts()
}

function requireBothSplits(documents: number, validation: boolean[]): void {
  const held = validation.filter(Boolean).length
  if (held > 0 && held < documents) return
  throw new MonosemError(
    'config',
    `corpus: expected at least 2 documents to hold one out for validation, got ${documents}`,
    {
      hint: 'give more text, or cut it into several files',
    },
  )
}

async function pause(context: StageContext): Promise<void> {
  await breathe()
  throwIfInterrupted(context.signal)
}

async function trainTokenizer(
  sample: string[],
  config: CorpusConfig,
  context: StageContext,
): Promise<string> {
  const merges = config.vocabularySize - 257
  const task = context.progress.start('tokenizer', merges, 'merges')
  const json = await trainBpe(sample, {
    vocabularySize: config.vocabularySize,
    onProgress: (done) => {
      task.update(done)
      throwIfInterrupted(context.signal)
    },
  })
  task.update(merges)
  task.end()
  return json
}

/** The last pass: tokens to shards, one record per document. Rank 0 writes; the others encode for it, and give no records. */
async function writeTokens(
  source: DocumentSource,
  { bytes, validation }: Plan,
  tokenizer: Tokenizer,
  partial: string,
  context: StageContext,
): Promise<DocumentRecord[]> {
  const { ranks = singleRank } = context
  const writers = {
    train: createShardWriter(partial, 'train', tokenizer.vocabularySize),
    validation: createShardWriter(partial, 'validation', tokenizer.vocabularySize),
  }
  const totalBytes = bytes.reduce((a, b) => a + b, 0)
  const task = context.progress.start('tokens', totalBytes, 'bytes')
  const records: DocumentRecord[] = []
  let bytesDone = 0
  const options = { bytes, tokenizer, ranks, pause: () => pause(context) }
  for await (const { kind, source: name, tokens } of encodeDocuments(source, options)) {
    const document = records.length
    const split = validation[document] ? 'validation' : 'train'
    const tokenStart = writers[split].length
    const tokenCount = tokens.length + 1
    await writers[split].append([tokenizer.startOfText])
    await writers[split].append(tokens)
    records.push({ document, kind, source: name, split, tokenStart, tokenCount, bytes: bytes[document] })
    bytesDone += bytes[document]
    if (document % 32 === 0) task.update(bytesDone)
  }
  if (ranks.rank === 0) for (const writer of Object.values(writers)) await writer.finish()
  task.update(totalBytes)
  task.end()
  return records
}
