import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { MonosemError } from '../../errors/monosem-error.js'

/** The environment variable that a token can be given in. */
export const tokenVariable = 'MONOSEM_TOKEN'

const shortest = 16

/** 256 random bits that fit into a header, a cookie and a form. */
export const randomToken = (): string => randomBytes(32).toString('base64url')

/**
 * The token that was given in the environment, else null.
 * @throws MonosemError config, when it is too short, or cannot stand in a header
 */
export function givenToken(environment: NodeJS.ProcessEnv = process.env): string | null {
  const token = environment[tokenVariable]
  if (token === undefined || token === '') return null
  if (token.length >= shortest && /^[\w.~+/=-]+$/.test(token)) return token
  throw new MonosemError(
    'config',
    `${tokenVariable}: expected at least ${shortest} letters, digits or -._~+/=, got ${token.length} characters`,
    { hint: 'leave it out, and the server makes one' },
  )
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Whether two secrets are the same, in a time that does not tell where they differ. */
export const sameSecret = (one: string, other: string): boolean => timingSafeEqual(digest(one), digest(other))
