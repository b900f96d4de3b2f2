// Entry file of the worker thread that `openConceptLabels` starts: says which tokens a concept holds on.
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { openCorpus } from '../../corpus/corpus.js'
import { loadTokenizer } from '../../corpus/tokenizer.js'
import { MonosemError } from '../../errors/monosem-error.js'
import { createTokenLabeller, markWindows, type TokenLabeller } from '../../interp/token-labeller.js'
import { predicateOf } from './concept.js'
import type { ConceptAnswer, ConceptInput, ConceptQuestion } from './concept-labels.js'
import { shareCorpus } from './shared-corpus.js'

const { concept, directory, opened } = workerData as ConceptInput
const answer = (message: ConceptAnswer): void => parentPort?.postMessage(message)

const failed = (error: unknown): void => {
  const { code, message, hint } =
    error instanceof MonosemError ? error : new MonosemError('io', String(error))
  answer({ error: { code, message, hint } })
}

async function start(): Promise<void> {
  const predicate = predicateOf(concept)
  const corpus = opened ?? shareCorpus(await openCorpus(directory))
  const tokenizer = await loadTokenizer(join(directory, 'tokenizer.json'))
  const labellers: Partial<Record<ConceptQuestion['split'], TokenLabeller>> = {}
  parentPort?.on('message', ({ split, windows, size }: ConceptQuestion) => {
    try {
      labellers[split] ??= createTokenLabeller(corpus[split], tokenizer, predicate)
      answer({ marks: markWindows(labellers[split], windows, size) })
    } catch (error) {
      failed(error)
    }
  })
  const { name, description } = predicate
  answer({ ready: { name, description, corpus } })
}

start().catch(failed)
