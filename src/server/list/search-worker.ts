// Entry file of the thread that `openSearchThread` starts.
import { parentPort } from 'node:worker_threads'
import { createFeatureSearch, type FeatureSearch, type SearchDocument } from './search-features.js'
import type { SearchReply, SearchRequest } from './search-thread.js'

let documents: SearchDocument[] = []
let index: Promise<FeatureSearch> = createFeatureSearch([])
// One after the other: what came before `build` is in the index before the first question is answered.
let done = Promise.resolve()

async function handle(request: SearchRequest): Promise<void> {
  if ('add' in request) documents.push(...request.add)
  else if ('build' in request) {
    index = createFeatureSearch(documents)
    documents = []
    await index
  } else if ('update' in request) for (const document of request.update) (await index).update(document)
  else parentPort?.postMessage(await answer(request))
}

async function answer({ id, query, where }: Extract<SearchRequest, { id: number }>): Promise<SearchReply> {
  try {
    return { id, found: Int32Array.from((await index).search(query, where)) }
  } catch (error) {
    return { id, failed: error instanceof Error ? error.message : String(error) }
  }
}

parentPort?.on('message', (request: SearchRequest) => {
  done = done.then(() => handle(request))
})
