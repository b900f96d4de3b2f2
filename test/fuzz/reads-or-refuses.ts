import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MonosemError } from '../../src/errors/monosem-error.js'

/**
 * Inputs that each property tries: by default enough for every run of the tests, always the same ones. `MONOSEM_FUZZ_RUNS=100000` looks
 * for more, `MONOSEM_FUZZ_SEED=7` elsewhere.
 */
const numRuns = Number(process.env.MONOSEM_FUZZ_RUNS ?? 100)
const seed = Number(process.env.MONOSEM_FUZZ_SEED ?? 20_260_101)

/** What reading a small file may take at most. Far above what it does take: for machines that are busy. */
const maxSeconds = 20
const maxMemoryBytes = 1 << 30

interface Outcomes {
  read: number
  refused: number
}

/** Whatever the input is, `read` gives a result or a MonosemError, soon, and in bounded memory. Over all inputs, both happen. */
export async function readsOrRefuses<T>(
  input: fc.Arbitrary<T>,
  read: (input: T) => Promise<unknown>,
): Promise<void> {
  const outcomes = await tryAll(input, read)
  // inputs that all end in the same way do not get far
  assert.ok(outcomes.read > 0 && outcomes.refused > 0, JSON.stringify(outcomes))
}

/** Whatever the input is, `read` refuses it with a MonosemError, soon, and in bounded memory. */
export async function refuses<T>(
  input: fc.Arbitrary<T>,
  read: (input: T) => Promise<unknown>,
): Promise<void> {
  assert.equal((await tryAll(input, read)).read, 0)
}

async function tryAll<T>(input: fc.Arbitrary<T>, read: (input: T) => Promise<unknown>): Promise<Outcomes> {
  const outcomes = { read: 0, refused: 0 }
  const property = fc.asyncProperty(input, async (value) => {
    const start = performance.now()
    try {
      await read(value)
      outcomes.read++
    } catch (error) {
      if (!(error instanceof MonosemError)) throw error
      outcomes.refused++
    }
    const seconds = (performance.now() - start) / 1000
    assert.ok(seconds < maxSeconds, `it took ${seconds} seconds`)
  })
  await fc.assert(property, { numRuns, seed, includeErrorInReport: true })
  const peak = process.resourceUsage().maxRSS * 1024
  assert.ok(peak < maxMemoryBytes, `it took ${peak} bytes of memory`)
  return outcomes
}
