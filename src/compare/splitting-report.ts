import { formatNumber } from '../progress/rate.js'
import { escapeHtml } from '../report/escape-html.js'
import { type Block, renderReportPage } from '../report/report-page.js'
import { decimals, percent } from '../terminal/figures.js'
import { splittingWarnings, stepName } from './render-splitting.js'
import type { Splitting, SplittingFeature, SplittingSummary } from './splitting-file.js'
import { childrenFigure, flowFigure, mapFigures, similarityFigure } from './splitting-plots.js'
import { type ChosenSubtree, chooseSubtrees, isAbout, leavesOf, type Subtree } from './subtrees.js'

/** The page about feature splitting: one file of HTML with its figures. */
export async function splittingReport(splitting: Splitting): Promise<string> {
  const { summary } = splitting
  const { hookName, sizes, steps, tokens, thresholds } = summary
  const each = <T>(draw: (i: number) => Promise<T>): Promise<T[]> => Promise.all(steps.map((_, i) => draw(i)))
  const similarities = await each(async (i) => [
    await similarityFigure(splitting, i, 'cosine'),
    await similarityFigure(splitting, i, 'correlation'),
  ])
  const blocks: Block[] = [
    ...splittingWarnings(summary).map((text): Block => ({ kind: 'warning', text })),
    sizesTable(summary),
    { kind: 'heading', text: 'What becomes of features' },
    {
      kind: 'text',
      text:
        `A feature of the larger dictionary is the child of the feature of the smaller one with the largest sum of decoder cosine and activation ` +
        `correlation, if the cosine is at least ${thresholds.cosine} and the correlation at least ${thresholds.correlation}. ` +
        `Features that fired on fewer than ${thresholds.fires} tokens are not judged.`,
    },
    stepsTable(summary),
    {
      kind: 'figures',
      figures: [...(await each((i) => flowFigure(splitting, i))), await childrenFigure(splitting)],
    },
    sensitivityTable(summary),
    { kind: 'heading', text: 'How alike the dictionaries are' },
    agreementTable(summary),
    { kind: 'figures', figures: similarities.flat() },
    { kind: 'heading', text: 'All features on one map' },
    { kind: 'figures', figures: await mapFigures(splitting) },
    clustersTable(splitting),
    { kind: 'heading', text: 'Trees' },
    {
      kind: 'text',
      text:
        'Each line is a feature: its id in the dictionary of that size, what explains it or the tokens that hold most of its activation, ' +
        'concepts that hold where at least half of its activation is, the share of tokens on which it fires, and its cosine and correlation with the parent.',
    },
    { kind: 'html', html: treeStyle },
    ...chooseSubtrees(splitting, { perConcept: 3, others: 8 }).map(
      (chosen): Block => ({ kind: 'html', html: treeHtml(chosen, summary) }),
    ),
  ]
  return renderReportPage({
    title: 'Feature splitting',
    lead:
      `${sizes.length} autoencoders of ${sizes.map(({ features }) => formatNumber(features)).join(', ')} features on ${hookName}, ` +
      `which read the same ${formatNumber(tokens)} tokens of validation text.`,
    blocks,
  })
}

function sizesTable({ sizes, concepts }: SplittingSummary): Block {
  const headings = ['features', 'L0', 'judged', 'underpowered', 'dead', ...concepts]
  return {
    kind: 'table',
    columns: headings.map((heading) => ({ heading })),
    rows: sizes.map((size) => [
      formatNumber(size.features),
      decimals(size.l0, 1),
      ...[size.judged, size.underpowered, size.dead, ...size.perConcept].map(formatNumber),
    ]),
    caption:
      'The dictionaries. Under a concept: judged features with at least half of their activation where its predicate holds.',
  }
}

function stepsTable({ sizes, steps }: SplittingSummary): Block {
  const headings = ['kept', 'split', 'lost', 'children of kept', 'children of split', 'new']
  return {
    kind: 'table',
    columns: [{ heading: 'step', align: 'left' }, ...headings.map((heading) => ({ heading }))],
    rows: steps.map((step, i) => [
      stepName(sizes, i),
      ...[step.kept, step.split, step.lost, step.ofKept, step.ofSplit, step.new].map((count) =>
        formatNumber(count),
      ),
    ]),
  }
}

function sensitivityTable({ sizes, steps }: SplittingSummary): Block {
  const headings = ['least cosine', 'kept', 'split', 'lost', 'children of split', 'new']
  return {
    kind: 'table',
    columns: [{ heading: 'step', align: 'left' }, ...headings.map((heading) => ({ heading }))],
    rows: steps.flatMap(({ sensitivity }, i) =>
      sensitivity.map((step, n) => [
        n === 0 ? stepName(sizes, i) : '',
        String(step.cosine),
        ...[step.kept, step.split, step.lost, step.ofSplit, step.new].map(formatNumber),
      ]),
    ),
    caption:
      'What the threshold decides, which is a convention: the same counts if a parent took other cosines.',
  }
}

/** Clusters that are shown. */
const shownClusters = 15

/** The largest clusters: how many of their features each dictionary has, and what they are about. */
function clustersTable({ summary, features }: Splitting): Block {
  const { sizes, concepts } = summary
  const judged = features.flat().filter(({ fate }) => fate !== 'dead' && fate !== 'underpowered')
  const rows = Array.from({ length: Math.min(shownClusters, summary.clusters) }, (_, cluster) => {
    const members = judged.filter((feature) => feature.cluster === cluster)
    const about = concepts.filter(
      (_, c) => 2 * members.filter((feature) => isAbout(feature, c)).length > members.length,
    )
    const perSize = sizes.map((_, size) => members.filter((feature) => feature.size === size).length)
    return [
      String(cluster),
      ...perSize.map(formatNumber),
      `×${decimals(perSize[perSize.length - 1] / Math.max(1, perSize[0]), 1)}`,
      about.join(', '),
      commonTokens(members).join(' '),
    ]
  })
  return {
    kind: 'table',
    columns: [
      { heading: 'cluster' },
      ...sizes.map(({ features }) => ({ heading: `of ${formatNumber(features)}` })),
      { heading: 'growth' },
      { heading: 'about', align: 'left' },
      { heading: 'tokens', align: 'left' },
    ],
    rows,
    caption:
      `The largest clusters: judged features of each dictionary, and how many times as many the largest has as the smallest (of all: ×` +
      `${decimals(sizes[sizes.length - 1].judged / Math.max(1, sizes[0].judged), 1)}). About: concepts that most of them are about.`,
  }
}

/** The tokens that most of some features have among their top ones, at most 8. */
function commonTokens(members: readonly SplittingFeature[]): string[] {
  const counts = new Map<string, number>()
  for (const { tokens } of members)
    for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1)
  const common = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 8)
  return common.map(([token]) => token.replaceAll(' ', '␣'))
}

function agreementTable({ sizes, steps }: SplittingSummary): Block {
  const headings = [
    'median best cosine',
    'by chance (median, 99%)',
    'median best correlation',
    'by chance (median, 99%)',
    'same best by both',
    'child in its parent’s cluster',
  ]
  return {
    kind: 'table',
    columns: [{ heading: 'step', align: 'left' }, ...headings.map((heading) => ({ heading }))],
    rows: steps.map(({ cosine, correlation, agreement, sameCluster }, i) => [
      stepName(sizes, i),
      ...[cosine, correlation].flatMap(({ median, chance }) => [
        decimals(median, 3),
        `${decimals(chance.median, 3)}, ${decimals(chance.p99, 3)}`,
      ]),
      percent(agreement.sameBest),
      percent(sameCluster),
    ]),
    caption:
      'Of the judged features of the larger dictionary: the most similar judged feature of the smaller one.',
  }
}

// ---- trees ----

/** Children that are shown of a feature; the others are counted. */
const shownChildren = 8

const treeStyle = `<style>
.tree { margin: 1rem 0; padding: 0.75rem 1rem; background: var(--panel); border: 1px solid var(--line); border-radius: 0.4rem; overflow-x: auto; }
.tree summary { cursor: pointer; font-weight: 600; }
.tree ul { margin: 0.15rem 0 0.15rem 0.4rem; padding-left: 1.1rem; border-left: 1px solid var(--line); list-style: none; }
.tree li { margin: 0.2rem 0; }
.tree .id { display: inline-block; min-width: 6.5rem; font-variant-numeric: tabular-nums; color: var(--quiet); }
.tree .figures-of { color: var(--quiet); font-size: 0.85rem; white-space: nowrap; }
.tree code { unicode-bidi: isolate; padding: 0 0.25rem; margin-right: 0.2rem; border: 1px solid var(--line); border-radius: 0.25rem; white-space: pre; }
</style>`

function treeHtml({ concept, tree }: ChosenSubtree, summary: SplittingSummary): string {
  const { size } = tree.feature
  const title = concept ?? `feature ${tree.feature.feature} of ${formatNumber(summary.sizes[size].features)}`
  const leaves = leavesOf(tree)
  const ends = `${formatNumber(leaves)} ${leaves === 1 ? 'feature' : 'features'} of the largest dictionary`
  return `<details class="tree"${concept === null ? '' : ' open'}><summary>${escapeHtml(title)}: ends in ${ends}</summary><ul>${branch(tree, summary)}</ul></details>`
}

function branch({ feature, children }: Subtree, summary: SplittingSummary): string {
  const hidden = children.length - shownChildren
  const rest = hidden > 0 ? `<li class="figures-of">and ${hidden} more</li>` : ''
  const below = children.slice(0, shownChildren).map((child) => branch(child, summary))
  const list = below.length > 0 ? `<ul>${below.join('')}${rest}</ul>` : ''
  return `<li>${line(feature, summary)}${list}</li>`
}

function line(feature: SplittingFeature, { sizes, tokens, concepts }: SplittingSummary): string {
  const { cosine, correlation, fate, fires, size } = feature
  const about = concepts.flatMap((concept, c) =>
    isAbout(feature, c) ? `${escapeHtml(concept)} ${percent(feature.concepts[c], 0)}` : [],
  )
  const figures = [
    ...about,
    `fires ${percent(fires / tokens, 2)}`,
    ...(cosine === null ? [] : [`cosine ${decimals(cosine, 2)}, correlation ${decimals(correlation, 2)}`]),
    ...(fate === 'lost' ? ['lost'] : []),
  ]
  return (
    `<span class="id">${formatNumber(sizes[size].features)} / ${feature.feature}</span> ${label(feature)} ` +
    `<span class="figures-of">${figures.join(' · ')}</span>`
  )
}

function label({ explanation, tokens, shares }: SplittingFeature): string {
  const listed = tokens.map(
    (token, i) =>
      `<code title="${percent(shares[i])} of its activation">${escapeHtml(token.replaceAll(' ', '␣'))}</code>`,
  )
  return explanation === null
    ? listed.join('')
    : `<bdi>${escapeHtml(explanation)}</bdi> ${listed.slice(0, 3).join('')}`
}
