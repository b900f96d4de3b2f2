import { Worker } from 'node:worker_threads'
import type { TokenSplit } from '../../corpus/corpus.js'
import { type ErrorCode, MonosemError } from '../../errors/monosem-error.js'
import type { TokenConcept } from '../../interp/measure-specificity.js'
import type { Concept } from '../protocol.js'
import type { SharedCorpus, SharedCorpusSource } from './shared-corpus.js'

/** What the worker gets. */
export interface ConceptInput {
  concept: Concept
  directory: string
  opened: SharedCorpus | null
}

/** What it is asked: marks of the tokens of some windows. */
export interface ConceptQuestion {
  split: TokenSplit['name']
  windows: Int32Array
  /** T */
  size: number
}

/** What it answers: that it is ready, the marks asked for, or an error. */
export type ConceptAnswer =
  | { ready: { name: string; description: string; corpus: SharedCorpus } }
  | { marks: Uint8Array }
  | { error: { code: ErrorCode; message: string; hint: string | undefined } }

/** A concept whose tokens are found by another thread. */
export interface ConceptLabels extends TokenConcept {
  corpus: SharedCorpus
  close(): Promise<void>
}

/** Megabytes of objects that a thread may make: an expression must not take the memory of the server. */
const workerMemory = 1024

/**
 * Starts a thread that knows a concept and the corpus. Whatever an expression of the user's costs, it costs there, and ends with the signal.
 * @throws MonosemError config (no such concept), missing, corrupt (the corpus), what aborted the signal; from `label` too
 */
export async function openConceptLabels(
  concept: Concept,
  source: SharedCorpusSource,
  contextSize: number,
  signal: AbortSignal,
): Promise<ConceptLabels> {
  signal.throwIfAborted()
  const { directory, opened } = source
  const worker = new Worker(new URL('./concept-worker.js', import.meta.url), {
    workerData: { concept, directory, opened } satisfies ConceptInput,
    resourceLimits: { maxOldGenerationSizeMb: workerMemory },
  })
  const stop = (): void => void worker.terminate()
  signal.addEventListener('abort', stop)
  const close = async (): Promise<void> => {
    signal.removeEventListener('abort', stop)
    await worker.terminate()
  }
  try {
    const first = await nextAnswer(worker, signal)
    if (!('ready' in first)) throw unexpected()
    const { name, description, corpus } = first.ready
    source.opened = corpus
    const label: TokenConcept['label'] = async (split, windows) => {
      const next = nextAnswer(worker, signal)
      // A copy: what is sent may be a window on a longer list.
      worker.postMessage({
        split: split.name,
        windows: windows.slice(),
        size: contextSize,
      } satisfies ConceptQuestion)
      const answer = await next
      if (!('marks' in answer)) throw unexpected()
      return answer.marks
    }
    return { name, description, corpus, label, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** The worker's next message, or why there is none. */
function nextAnswer(
  worker: Worker,
  signal: AbortSignal,
): Promise<Exclude<ConceptAnswer, { error: unknown }>> {
  return new Promise((resolve, reject) => {
    const settle = (end: () => void): void => {
      worker.off('message', heard).off('error', failed).off('exit', ended)
      end()
    }
    const heard = (answer: ConceptAnswer): void =>
      settle(() => {
        if (!('error' in answer)) return resolve(answer)
        const { code, message, hint } = answer.error
        reject(new MonosemError(code, message, { hint }))
      })
    const failed = (cause: Error): void => settle(() => reject(outOfMemory(cause)))
    const ended = (): void => settle(() => reject(signal.aborted ? signal.reason : unexpected()))
    worker.on('message', heard).on('error', failed).on('exit', ended)
  })
}

const unexpected = (): MonosemError => new MonosemError('io', 'the thread that looks for the concept ended')

const outOfMemory = (cause: Error): MonosemError =>
  'code' in cause && cause.code === 'ERR_WORKER_OUT_OF_MEMORY'
    ? new MonosemError('config', 'the expression needs too much memory', {
        cause,
        hint: 'repeat less, or fewer things',
      })
    : new MonosemError('io', `the thread that looks for the concept failed: ${cause.message}`, { cause })
