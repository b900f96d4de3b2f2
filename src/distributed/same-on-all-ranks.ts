import { createHash } from 'node:crypto'
import { MonosemError } from '../errors/monosem-error.js'
import type { Communicator } from './communicator.js'

/**
 * Makes sure that all ranks work on the same thing: every rank gives what it has, by name (texts of any length; short ones are shown, others by their
 * hash). All ranks call it, and all throw the same error.
 * @throws MonosemError config: names the first rank that differs from rank 0, and in what
 */
export async function requireSameOnAllRanks(
  ranks: Communicator,
  what: Readonly<Record<string, string>>,
): Promise<void> {
  if (ranks.size === 1) return
  const shown = Object.fromEntries(Object.entries(what).map(([name, text]) => [name, shorten(text)]))
  // JSON and not V8's format: here it is not known yet that all ranks run the same version
  const all = (await ranks.allGather(Buffer.from(JSON.stringify(shown)))).map(
    (bytes) => JSON.parse(Buffer.from(bytes).toString()) as Record<string, string>,
  )
  for (const [rank, other] of all.entries())
    for (const name of new Set([...Object.keys(all[0]), ...Object.keys(other)]))
      if (other[name] !== all[0][name])
        throw new MonosemError(
          'config',
          `expected all ranks to have the same ${name}, but rank ${rank} has ${other[name] ?? 'none'} and rank 0 has ${all[0][name] ?? 'none'}`,
          {
            hint: 'start the same command of the same installation on all nodes, with inputs on a file system that they share',
          },
        )
}

const shorten = (text: string): string =>
  text.length <= 200 ? text : `SHA-256 ${createHash('sha256').update(text).digest('hex')}`
