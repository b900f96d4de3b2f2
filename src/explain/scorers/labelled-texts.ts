import { segmentsOf } from '../../features/segments.js'
import { Random } from '../../random/random.js'
import type { Example, ExampleGroup, FeatureEvidence } from '../evidence.js'
import type { TokenNames } from '../llm/token-text.js'

/** A held-out text and whether the feature is active anywhere in it. */
export interface LabelledText {
  example: Example
  group: ExampleGroup
  active: boolean
}

/**
 * The held-out texts of a feature with the truth about each, shuffled. The truth is what the feature does on the tokens shown, whatever the
 * text was chosen for. No text that explained is among them.
 * @param purpose names the order
 */
export function labelledTexts(evidence: FeatureEvidence, seed: number, purpose: string): LabelledText[] {
  const key = ({ tokens }: Example): string => tokens.join(' ')
  const seen = new Set(evidence.explain.map(key))
  const texts: LabelledText[] = []
  for (const example of evidence.score) {
    if (seen.has(key(example))) continue
    seen.add(key(example))
    const active = example.activations.some((activation) => activation > 0)
    texts.push({ example, group: example.group, active })
  }
  return Random.named(seed, `${purpose} ${evidence.feature}`).shuffle(texts)
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
