import { dataFolder } from '../../../src/server/site/site-layout'
import { ApiError } from '../api'

const root = new URL(`${dataFolder}/`, document.baseURI)

/**
 * Reads a gzipped JSON file of an exported site.
 * @param path below the data folder
 * @throws ApiError missing (there is no such file), offline; AbortError
 */
export async function readFile<T>(path: string, signal?: AbortSignal): Promise<T> {
  let response: Response
  try {
    response = await fetch(new URL(path, root), { signal })
  } catch (cause) {
    if (signal?.aborted) throw cause
    throw unreadable('The file server does not answer.')
  }
  if (response.status === 404) throw notThere(path)
  if (!response.ok) throw unreadable(`The file server answered ${response.status}.`)
  const bytes = await response.blob()
  const text = await unpacked(bytes)
  // Some servers answer with their start page where there is no file.
  if (text.startsWith('<')) throw notThere(path)
  return JSON.parse(text) as T
}

/** Most servers send the file as it is; some say that it is compressed, and then the browser has unpacked it. */
async function unpacked(bytes: Blob): Promise<string> {
  const [first, second] = new Uint8Array(await bytes.slice(0, 2).arrayBuffer())
  if (first !== 0x1f || second !== 0x8b) return bytes.text()
  return new Response(bytes.stream().pipeThrough(new DecompressionStream('gzip'))).text()
}

const unreadable = (message: string) =>
  new ApiError(0, {
    code: 'offline',
    message,
    hint: 'These pages are files: their server has to be running.',
  })

const notThere = (path: string) =>
  new ApiError(404, {
    code: 'missing',
    message: `These exported pages have no file ${path}.`,
    hint: 'Perhaps only some features were exported.',
  })
