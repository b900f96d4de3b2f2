import { setImmediate as otherWork } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { MonosemError } from '../../errors/monosem-error.js'
import type { SearchDocument, SearchIn } from './search-features.js'

/** What the thread gets: documents, the word that these were all, then questions and changes. */
export type SearchRequest =
  | { add: SearchDocument[] }
  | { build: true }
  | { update: SearchDocument[] }
  | { id: number; query: string; where: SearchIn }

/** What it answers to a question. */
export type SearchReply = { id: number; found: Int32Array } | { id: number; failed: string }

/** `createFeatureSearch` in a thread of its own: a word that stands in most explanations takes a tenth of a second to rank. */
export interface SearchThread {
  /** Waits until everything is indexed. @throws MonosemError io (the thread has ended) */
  search(query: string, where: SearchIn): Promise<Int32Array>
  update(documents: SearchDocument[]): void
  close(): void
}

/** Documents sent at once: copying them takes about a millisecond. */
const batch = 512

/** Starts the thread; it indexes while other things go on. */
export function openSearchThread(
  features: number,
  documentOf: (feature: number) => SearchDocument,
): SearchThread {
  const worker = new Worker(new URL('./search-worker.js', import.meta.url))
  const waiting = new Map<number, (reply: SearchReply) => void>()
  let ended: string | null = null
  let asked = 0
  const end = (reason: string): void => {
    ended ??= reason
    for (const [id, answer] of waiting) answer({ id, failed: ended })
  }
  worker.on('message', (reply: SearchReply) => waiting.get(reply.id)?.(reply))
  worker.on('error', (error) => end(error.message))
  worker.on('exit', () => end('it was stopped'))
  worker.unref()
  const send = (request: SearchRequest): void => worker.postMessage(request)
  const sent = sendAll(features, documentOf, send, () => ended !== null)
  const ask = (query: string, where: SearchIn): Promise<SearchReply> =>
    new Promise((resolve) => {
      const id = asked++
      // An open question keeps the program running, the thread alone does not.
      worker.ref()
      waiting.set(id, (reply) => {
        waiting.delete(id)
        if (waiting.size === 0) worker.unref()
        resolve(reply)
      })
      if (ended === null) send({ id, query, where })
      else end(ended)
    })
  return {
    search: async (query, where) => {
      await sent
      const reply = await ask(query, where)
      if ('found' in reply) return reply.found
      throw new MonosemError('io', `the search does not answer: ${reply.failed}`, {
        hint: 'start the server again',
      })
    },
    update: (documents) => void sent.then(() => send({ update: documents })),
    close: () => void worker.terminate(),
  }
}

async function sendAll(
  features: number,
  documentOf: (feature: number) => SearchDocument,
  send: (request: SearchRequest) => void,
  stopped: () => boolean,
): Promise<void> {
  for (let first = 0; first < features && !stopped(); first += batch) {
    const length = Math.min(batch, features - first)
    send({ add: Array.from({ length }, (_, i) => documentOf(first + i)) })
    await otherWork()
  }
  send({ build: true })
}
