import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

/** What ends at some time, and then does what it was asked to: a test, or all tests of a file. */
export interface Lifetime {
  after(fn: () => unknown): void
}

/** For what all tests of a file share. */
export function fileLifetime(): Lifetime {
  const last: (() => unknown)[] = []
  after(async () => {
    for (const fn of last.reverse()) await fn()
  })
  return { after: (fn) => last.push(fn) }
}

/** A fresh directory that is removed when the test ends. */
export async function temporaryDirectory(t: Lifetime): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'monosem-test-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}
