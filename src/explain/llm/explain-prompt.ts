import type { LogitWeight } from '../../features/feature-store.js'
import type { Example, FeatureEvidence } from '../evidence.js'
import { explainCounts, type ProtocolCounts, protocolExamples } from '../protocol-examples.js'
import { type Demonstration, demonstrations } from './demonstrations.js'
import type { LlmMessage } from './llm-client.js'
import { notation, shownExample, withDigits } from './shown-example.js'
import type { TokenNames } from './token-text.js'

export const explainSystem = `You study features of a language model: directions in its activations that are active on some tokens and silent on others. For each feature you see stretches of text, and for each token how active the feature is on it: 0 is not active, 9 is as active as it ever gets. Each stretch is labelled by how it was chosen: among the largest activations, at random from one of the equal intervals between zero and the maximum, at random from all text, or because one of the feature's strongest tokens occurs in it without activating the feature. You also see the output tokens whose logits the feature raises most and lowers most.

Say what the feature responds to. The explanation must let a reader predict the activations on text that they have not seen: name the kind of token and, where it matters, the context it must be in. It is succinct, one phrase, and quotes no tokens from the examples.

${notation}

Answer with JSON only: {"reasoning": "two or three sentences on what the active tokens share and what tells them from the inactive ones", "explanation": "the phrase"}`

export interface ExplainPromptOptions {
  tokenizer: TokenNames
  /** number of activation intervals, for their labels */
  intervals: number
  /** default: 49 examples with 12 intervals */
  counts?: ProtocolCounts
  /** output tokens shown at each end of the logit weights; default 10 */
  logitTokens?: number
}

/** The conversation that asks for one explanation: the demonstrations as earlier turns, then the feature. Looks only at what explains. */
export function explainMessages(evidence: FeatureEvidence, options: ExplainPromptOptions): LlmMessage[] {
  const { tokenizer, counts = explainCounts, logitTokens = 10, intervals } = options
  const names = (weights: readonly LogitWeight[]): string[] =>
    weights.slice(0, logitTokens).map(({ token }) => tokenizer.tokenText(token))
  const examples = protocolExamples(evidence.explain, counts).map((example) => {
    const shown = shownExample(example, evidence.max, tokenizer)
    return { label: labelOf(example, intervals), text: shown.text, lines: withDigits(shown) }
  })
  const question = describeFeature(examples, names(evidence.topLogits), names(evidence.bottomLogits))
  return [...demonstrations.flatMap(demonstrationTurns), { role: 'user', content: question }]
}

function labelOf(example: Example, intervals: number): string {
  switch (example.group) {
    case 'top':
      return 'largest activations'
    case 'interval':
      return `interval ${(example.interval ?? 0) + 1} of ${intervals}`
    case 'out-of-context':
      return 'top token where inactive'
    default:
      return 'random'
  }
}

interface PromptExample {
  label: string
  text: string
  lines: string
}

function describeFeature(
  examples: readonly PromptExample[],
  topLogits: readonly string[],
  bottomLogits: readonly string[],
): string {
  const parts = examples.map(
    ({ label, text, lines }, i) => `Example ${i + 1} (${label})\nText: ${text}\n${lines}`,
  )
  if (topLogits.length > 0) parts.push(`Logits raised most: ${quoted(topLogits)}`)
  if (bottomLogits.length > 0) parts.push(`Logits lowered most: ${quoted(bottomLogits)}`)
  return parts.join('\n\n')
}

/** Quotes make the spaces at the start of tokens visible. */
const quoted = (tokens: readonly string[]): string => tokens.map((token) => JSON.stringify(token)).join(', ')

function demonstrationTurns(demonstration: Demonstration): LlmMessage[] {
  const { examples, topLogits, bottomLogits, reasoning, explanation } = demonstration
  const shown = examples.map(({ label, tokens, activations }) => {
    const list = tokens.split('|')
    return {
      label,
      text: list.join(''),
      lines: withDigits({ text: '', tokens: list, digits: [...activations].map(Number) }),
    }
  })
  return [
    { role: 'user', content: describeFeature(shown, topLogits, bottomLogits) },
    { role: 'assistant', content: JSON.stringify({ reasoning, explanation }) },
  ]
}
