import { type FileHandle, open, rm } from 'node:fs/promises'
import { storageError } from '../storage/atomic-file.js'

/** Numbers that wait on the disk until their count is known. */
export interface Spool {
  append(data: Int32Array | Float32Array): Promise<void>
  /** Everything so far, in order. */
  pieces(): AsyncGenerator<{ first: number; data: Int32Array | Float32Array }>
  /** Closes and removes the file. */
  remove(): Promise<void>
}

const pieceBytes = 1 << 24

/** @throws MonosemError io */
export async function openSpool(path: string, dtype: 'I32' | 'F32'): Promise<Spool> {
  let file: FileHandle | null = null
  try {
    file = await open(path, 'w+')
  } catch (cause) {
    throw storageError('write', path, cause)
  }
  const handle = file
  let end = 0
  return {
    async append({ buffer, byteOffset, byteLength }) {
      const bytes = new Uint8Array(buffer, byteOffset, byteLength)
      try {
        for (let done = 0; done < byteLength; )
          done += (await handle.write(bytes, done, byteLength - done, end + done)).bytesWritten
      } catch (cause) {
        throw storageError('write', path, cause)
      }
      end += byteLength
    },
    async *pieces() {
      for (let at = 0; at < end; at += pieceBytes) {
        const bytes = new Uint8Array(Math.min(pieceBytes, end - at))
        for (let done = 0; done < bytes.length; ) {
          const { bytesRead } = await handle.read(bytes, done, bytes.length - done, at + done)
          if (bytesRead === 0) throw storageError('read', path, new Error('the file was cut short'))
          done += bytesRead
        }
        yield {
          first: at / 4,
          data: dtype === 'I32' ? new Int32Array(bytes.buffer) : new Float32Array(bytes.buffer),
        }
      }
    },
    async remove() {
      await handle.close()
      await rm(path, { force: true })
    },
  }
}
