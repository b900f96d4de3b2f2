import type { Tokenizer } from '../corpus/tokenizer.js'
import { segmentsOf } from '../features/segments.js'
import { escapeHtml } from '../report/escape-html.js'
import type { Block } from '../report/report-page.js'
import { decimals, percent } from '../terminal/figures.js'
import type { ExamplePair, SharedText } from './example-texts.js'
import type { Universality } from './universality-file.js'

type Texts = Pick<Tokenizer, 'tokenBytes' | 'tokenText'>

const groups: Record<ExamplePair['group'], { heading: string; text: string }> = {
  'case studies': {
    heading: 'The features of the case studies, and their partners',
    text: 'Features of A that track a concept best, and what is most like them in B. Each text is shown twice, as A reads it and as B does.',
  },
  universal: {
    heading: 'Universal features',
    text: 'The most similar pairs on held-out text, from rare features to frequent ones in turn.',
  },
  'without counterpart': {
    heading: 'Features without a counterpart',
    text: 'Features of A that fire often enough to tell, and whose best partner is least like them.',
  },
}

/** Chosen features and their partners on the same texts; nothing where there are none. */
export function renderExamplePairs(
  examples: readonly ExamplePair[],
  universality: Universality,
  tokenizer: Texts,
): Block[] {
  return Object.entries(groups).flatMap(([group, { heading, text }]): Block[] => {
    const members = examples.filter((example) => example.group === group)
    if (members.length === 0) return []
    const pairs = members.map((example) => renderPair(example, universality, tokenizer))
    return [
      { kind: 'heading', text: heading },
      { kind: 'text', text },
      { kind: 'html', html: `<div class="figures">${pairs.join('\n')}</div>` },
    ]
  })
}

function renderPair(example: ExamplePair, { aToB, text }: Universality, tokenizer: Texts): string {
  const { feature, partner, name, topTokens, largest, texts } = example
  const { heldOut, logitSimilarity } = aToB.activation
  const figures = [
    `activation similarity ${decimals(heldOut[feature], 2)}`,
    ...(logitSimilarity[feature] === null
      ? []
      : [`logit-weight similarity ${decimals(logitSimilarity[feature], 2)}`]),
    `on ${percent(aToB.fires[feature] / text.choosing, 2)} of tokens`,
  ]
  const side = (label: string, tokens: readonly number[]): string =>
    `<p style="margin:0.2rem 0"><b>${label}</b> most active on ${tokens.map((token) => tokenHtml(token, tokenizer)).join(' ')}</p>`
  return [
    '<section class="figure">',
    `<h3 style="margin:0;font-size:1rem">${escapeHtml(name === null ? '' : `${name}: `)}A ${feature}, B ${partner}</h3>`,
    `<p class="caption" style="margin-top:0">${figures.join(' · ')}</p>`,
    side('A', topTokens.a),
    side('B', topTokens.b),
    ...texts.map((shared) => renderText(shared, largest, tokenizer)),
    '</section>',
  ].join('\n')
}

const tokenHtml = (token: number, tokenizer: Texts): string =>
  `<code dir="auto">${escapeHtml(tokenizer.tokenText(token).replaceAll(' ', '␣').replaceAll('\n', '⏎'))}</code>`

const renderText = (
  { tokens, a, b }: SharedText,
  largest: ExamplePair['largest'],
  tokenizer: Texts,
): string =>
  `<div style="margin-top:0.6rem">${reading('A', tokens, a, largest.a, tokenizer)}${reading('B', tokens, b, largest.b, tokenizer)}</div>`

/** One text with its tokens shaded by a feature's activation, as a share of the feature's largest. */
function reading(
  label: string,
  tokens: readonly number[],
  activations: readonly number[],
  largest: number,
  tokenizer: Texts,
): string {
  const spans = segmentsOf(tokens, activations, tokenizer).map(({ text, activation }) => {
    const shown = escapeHtml(text.replaceAll('\n', '⏎'))
    if (activation <= 0) return shown
    const strength = 0.15 + 0.6 * Math.min(1, activation / Math.max(largest, activation))
    return `<span style="background:rgba(213,94,0,${strength.toFixed(2)})" title="${activation.toPrecision(2)}">${shown}</span>`
  })
  return `<div style="display:flex;gap:0.6rem"><b>${label}</b><span dir="auto" style="overflow-wrap:anywhere;white-space:pre-wrap">${spans.join('')}</span></div>`
}
