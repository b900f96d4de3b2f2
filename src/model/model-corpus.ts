import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openCorpus, type TokenCorpus } from '../corpus/corpus.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { Kernels } from '../kernels/kernels.js'
import { openStage } from '../storage/open-stage.js'
import { loadTransformer } from './model-stage.js'
import type { Transformer } from './transformer.js'

/**
 * A model and the corpus that it is to read.
 * @param paths finished directories
 * @throws MonosemError config (the corpus has the tokens of another tokenizer), and those of `loadTransformer` and `openCorpus`
 */
export async function openModelAndCorpus(
  kernels: Kernels,
  paths: { model: string; corpus: string },
): Promise<{ model: Transformer; corpus: TokenCorpus }> {
  const corpus = await openCorpus(paths.corpus)
  await requireSameTokenizer(paths, corpus)
  return { model: await loadTransformer(kernels, paths.model), corpus }
}

/** Ids of another tokenizer are in range more often than not: nothing else would say that the model reads nonsense. */
async function requireSameTokenizer(
  paths: { model: string; corpus: string },
  { tokenizer }: TokenCorpus,
): Promise<void> {
  if (!existsSync(join(paths.model, 'tokenizer.json'))) return
  const stage = await openStage(paths.model, 'model')
  const own = await readFile(await stage.file('tokenizer.json'), 'utf8')
  if (own === tokenizer.json) return
  throw new MonosemError(
    'config',
    `${paths.corpus}: expected tokens of the tokenizer of ${paths.model}, got those of another tokenizer`,
    { hint: `build a corpus for this model: monosem corpus build --tokenizer ${paths.model}` },
  )
}
