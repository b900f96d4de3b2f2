import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'

/** An answer ready to be sent. */
export interface StoredAnswer {
  /** compressed JSON */
  gzip: Buffer<ArrayBuffer>
  /** of the JSON: changes when it does; without quotes */
  hash: string
}

const pack = promisify(gzip)
const unpack = promisify(gunzip)

/** Bytes of SHA-256 that tell two answers apart. */
export const hashBytes = 16

export const hashOf = (json: string | Uint8Array): Buffer =>
  createHash('sha256').update(json).digest().subarray(0, hashBytes)

/** The name of a version of something that is sent. */
export const etagOf = (content: string | Uint8Array): string => `"${hashOf(content).toString('base64url')}"`

/** Compresses JSON, off the event loop. @param level of gzip; default 6. 1 is three times as quick, for what is soon forgotten */
export async function storedAnswer(json: string | Uint8Array, level = 6): Promise<StoredAnswer> {
  return { gzip: await pack(json, { level }), hash: hashOf(json).toString('base64url') }
}

/** The JSON of an answer. */
export const jsonOf = (answer: StoredAnswer): Promise<Buffer<ArrayBuffer>> => unpack(answer.gzip)
