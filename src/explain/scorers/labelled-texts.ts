import { segmentsOf } from '../../features/segments.js'
import { Random } from '../../random/random.js'
import { cropExample } from '../crop.js'
import type { Example, ExampleGroup, FeatureEvidence } from '../evidence.js'
import type { TokenNames } from '../llm/token-text.js'
import { protocolTokens } from '../protocol-examples.js'

/** A held-out text and whether the feature is active anywhere in it. */
export interface LabelledText {
  example: Example
  group: ExampleGroup
  active: boolean
}

/** Tokens of a text, tried in this order. */
const textLengths = [Number.POSITIVE_INFINITY, 16, protocolTokens]

/** Share of the texts in which the feature should be silent. */
const enoughSilent = 1 / 4

/**
 * The held-out texts of a feature with the truth about each, shuffled. The truth is what the feature does on the tokens shown, whatever the
 * text was chosen for. A dense feature is hardly ever silent for the length of an example: then all its texts are cropped to 16 tokens, or to 9. No
 * text that explained is among them.
 * @param purpose names the order
 */
export function labelledTexts(evidence: FeatureEvidence, seed: number, purpose: string): LabelledText[] {
  let texts: LabelledText[] = []
  for (const length of textLengths) {
    texts = textsOfLength(evidence, length)
    if (texts.filter(({ active }) => !active).length >= enoughSilent * texts.length) break
  }
  return Random.named(seed, `${purpose} ${evidence.feature}`).shuffle(texts)
}

function textsOfLength({ explain, score }: FeatureEvidence, length: number): LabelledText[] {
  const cropped = (example: Example): Example => cropExample(example, Math.min(length, example.tokens.length))
  const key = (example: Example): string => cropped(example).tokens.join(' ')
  const seen = new Set(explain.map(key))
  return score.flatMap((whole) => {
    if (seen.has(key(whole))) return []
    seen.add(key(whole))
    const example = cropped(whole)
    const active = example.activations.some((activation) => activation > 0)
    return [{ example, group: example.group, active }]
  })
}

/** Around highlighted tokens: signs that hardly ever occur in text. */
const [open, close] = ['⟦', '⟧']

/**
 * A text on one line, with some tokens highlighted ⟦like this⟧. Characters stay whole: one of whose tokens any is highlighted is.
 * @param highlighted indices of tokens; default none
 */
export function textWithHighlights(
  { tokens }: Example,
  tokenizer: TokenNames,
  highlighted: ReadonlySet<number> = new Set(),
): string {
  let text = ''
  let inside = false
  for (const segment of segmentsOf(tokens, new Float32Array(tokens.length), tokenizer)) {
    let marked = false
    for (let i = segment.first; i < segment.end; i++) marked ||= highlighted.has(i)
    if (marked !== inside) text += marked ? open : close
    text += segment.text
    inside = marked
  }
  return inside ? text + close : text
}

/** Indices of the tokens on which the feature is active. */
export const activeTokens = ({ activations }: Example): number[] =>
  activations.flatMap((activation, i) => (activation > 0 ? [i] : []))
