import { type StageContext, throwIfInterrupted } from '../progress/progress.js'
import { Random } from '../random/random.js'
import type { CorpusConfig } from './corpus-config.js'
import { breathe, type CorpusDocument, type DocumentSource, utf8Length } from './document.js'
import { type GeneratedKind, generatedTexts } from './generated-texts.js'
import { icuTexts, missingLocales } from './icu-texts.js'
import { findNodeModules } from './package-files.js'
import { packageTexts } from './package-texts.js'

/**
 * Sizes of the parts relative to `sizeMb`. The kinds of the case studies are about one percent each: enough to learn, and rare enough
 * that the model has less reason to give them neurons of their own (in Bricken et al. 2023 Arabic is 0.13% of the tokens). As much
 * hexadecimal as base64: otherwise one neuron for random characters is as good as a feature for base64.
 */
const SHARES = { docs: 0.18, code: 0.325, messages: 0.12, icu: 0.344, dna: 0.0075, base64: 0.016, hex: 0.016 }

/**
 * The built-in corpus, which needs no network: documentation and sources of the installed packages, multilingual text from
 * Node's ICU data, generated DNA, base64 and hexadecimal, all shuffled together. The same seed, node_modules and Node version
 * give the same bytes. Reports languages without ICU data, and packages too few for the size.
 * @throws MonosemError interrupted
 */
export async function builtinCorpus(
  config: Pick<CorpusConfig, 'sizeMb' | 'seed'>,
  context: StageContext,
): Promise<{ source: DocumentSource; skipped: () => Record<string, number> }> {
  const bytes = config.sizeMb * 1e6
  const task = context.progress.start('built-in corpus', bytes, 'bytes')
  const documents: CorpusDocument[] = []
  let done = 0
  let unreported = 0
  const add = async (document: CorpusDocument) => {
    documents.push(document)
    unreported += utf8Length(document.text)
    if (unreported < 300_000) return
    done += unreported
    unreported = 0
    task.update(Math.min(done, bytes))
    await breathe()
    throwIfInterrupted(context.signal)
  }
  for (const document of await installedTexts(config, context)) await add(document)
  const missing = missingLocales()
  if (missing.length > 0)
    context.progress.note(`this Node has no data for ${missing.join(', ')}: left out of the corpus`)
  for (const document of icuTexts(bytes * SHARES.icu, config.seed)) await add(document)
  const samples = chooseSamples(documents, config.seed)
  for (const kind of ['dna', 'base64', 'hex'] satisfies GeneratedKind[])
    for (const document of generatedTexts(kind, bytes * SHARES[kind], config.seed, samples))
      await add(document)
  task.update(bytes)
  task.end()
  Random.named(config.seed, 'document order').shuffle(documents)
  return { source: () => documents, skipped: () => ({}) }
}

async function installedTexts(
  config: Pick<CorpusConfig, 'sizeMb' | 'seed'>,
  context: StageContext,
): Promise<CorpusDocument[]> {
  const nodeModules = findNodeModules()
  if (nodeModules === null) {
    context.progress.note('no node_modules found: the corpus has no documentation and code')
    return []
  }
  const bytes = config.sizeMb * 1e6
  const budget = { docs: bytes * SHARES.docs, code: bytes * SHARES.code, messages: bytes * SHARES.messages }
  const texts = await packageTexts(nodeModules, budget, config.seed, async () => {
    throwIfInterrupted(context.signal)
  })
  const found = texts.reduce((sum, document) => sum + utf8Length(document.text), 0)
  const wanted = budget.docs + budget.code + budget.messages
  if (found < 0.9 * wanted)
    context.progress.note(
      `installed packages hold ${(found / 1e6).toFixed(1)} of ${(wanted / 1e6).toFixed(1)} MB of documentation and code`,
    )
  return texts
}

/** Texts to encode as base64 and hexadecimal: some of the documents, English mostly. */
function chooseSamples(documents: readonly CorpusDocument[], seed: number): string[] {
  const random = Random.named(seed, 'encoded samples')
  return Array.from({ length: documents.length > 0 ? 200 : 0 }, () => random.pick(documents).text)
}
