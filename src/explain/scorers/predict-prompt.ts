import { z } from 'zod'
import type { Explanation } from '../evidence.js'
import { arrow, notation, type ShownExample, withBlanks } from '../llm/shown-example.js'
import { quantisedMax } from '../quantise.js'

export const predictSystem = `A feature of a language model is active on some tokens of text and silent on others. You are told what one feature responds to, and see stretches of text. Predict how active the feature is on each token, from 0 (not active) to ${quantisedMax} (as active as it ever gets). Each stretch is given as running text and then token by token, each token with a blank to fill in.

${notation}

Answer with JSON only: {"examples": [{"example": 1, "filled": ["token${arrow}0", "token${arrow}3", ...]}, ...]}. For every example repeat its lines in their order, with a digit in place of each blank.`

/** The question about some examples: the explanation and the blanks, and nothing else that is known about the feature. */
export function predictQuestion(explanation: Explanation, examples: readonly ShownExample[]): string {
  const parts = examples.map((shown, i) => `Example ${i + 1}\nText: ${shown.text}\n${withBlanks(shown)}`)
  return [`The feature responds to: ${explanation.text}`, ...parts].join('\n\n')
}

export const predictSchema = z.object({
  examples: z.array(z.object({ example: z.int(), filled: z.array(z.string()) })),
})

export type PredictAnswer = z.infer<typeof predictSchema>

/** What is wrong with an answer; null when it has exactly one digit for every token of every example. */
export function predictProblem({ examples }: PredictAnswer, shown: readonly ShownExample[]): string | null {
  if (examples.length !== shown.length) return `expected ${shown.length} examples, got ${examples.length}`
  const seen = new Set<number>()
  for (const { example, filled } of examples) {
    const asked = shown[example - 1]
    if (asked === undefined || seen.has(example)) return `expected every example once, got ${example}`
    seen.add(example)
    if (filled.length !== asked.tokens.length)
      return `example ${example}: expected ${asked.tokens.length} lines, got ${filled.length}`
    const bad = filled.find((line) => digitOf(line) === null)
    if (bad !== undefined)
      return `example ${example}: expected a line that ends in a digit from 0 to ${quantisedMax}, got ${JSON.stringify(bad)}`
  }
  return null
}

/** The predictions of an answer without a problem, in the order of the examples and their tokens. */
export function predictionsOf({ examples }: PredictAnswer): number[] {
  const ordered = examples.toSorted((a, b) => a.example - b.example)
  return ordered.flatMap(({ filled }) => filled.map((line) => digitOf(line) ?? 0))
}

/** The digit in the blank of a line; a token may itself be a digit, so one alone does not count as filled in. */
function digitOf(line: string): number | null {
  const digit = /(?:→|->)\s*(\d)\s*$/.exec(line)?.[1]
  return digit === undefined ? null : Number(digit)
}
