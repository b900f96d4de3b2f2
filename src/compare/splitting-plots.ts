import type { PlotOptions } from '@observablehq/plot'
import { formatNumber } from '../progress/rate.js'
import { groupColours, type Plot, plot } from '../report/plot.js'
import type { Figure } from '../report/report-page.js'
import { stepName } from './render-splitting.js'
import {
  type SimilarityDistribution,
  type Splitting,
  type SplittingFeature,
  type SplittingStep,
  similarityBins,
} from './splitting-file.js'
import { isAbout } from './subtrees.js'

type Options = PlotOptions & { ariaLabel: string }

/** Draws, and cuts coordinates to two decimals: of tens of thousands of dots most of the file would be digits. */
async function draw(describe: (plot: Plot) => Options, width?: number): Promise<string> {
  return (await plot(describe, width)).replace(/(\.\d\d)\d+/g, '$1')
}

const [blue, orange, green] = groupColours
const grey = '#8a8d96'

/** What one step does to features: those of the smaller dictionary on the left, of the larger on the right. */
export async function flowFigure({ summary }: Splitting, i: number): Promise<Figure> {
  const step = summary.steps[i]
  const name = stepName(summary.sizes, i)
  const bars = flowBars(step)
  const html = await draw((Plot) => ({
    ariaLabel: `What becomes of features from ${name}`,
    height: 300,
    marginLeft: 60,
    marginRight: 40,
    x: { axis: null, domain: [0, 1] },
    y: { label: 'features', grid: true },
    color: { domain: ['kept', 'split', 'lost', 'new'], range: [blue, orange, grey, green], legend: true },
    marks: [
      Plot.areaY(flowRibbons(step), {
        ...{ x: 'x', y1: 'y1', y2: 'y2', z: 'kind', fill: 'kind' },
        ...{ fillOpacity: 0.25, curve: 'bump-x' },
      }),
      Plot.rect(bars, { x1: 'x1', x2: 'x2', y1: 'y1', y2: 'y2', fill: 'kind' }),
      Plot.text(
        bars.filter(({ y1, y2 }) => y2 - y1 > 0.03 * Math.max(...bars.map((bar) => bar.y2))),
        {
          ...{ x: 'textX', y: (bar) => (bar.y1 + bar.y2) / 2, text: 'label' },
          textAnchor: 'middle',
        },
      ),
    ],
  }))
  const caption =
    `${name}: judged features of the smaller dictionary on the left (one child: kept, several: split, none: lost), of the larger one on the right, ` +
    'by what becomes of their parent (new: no parent).'
  return { html, caption }
}

function flowBars({ kept, split, lost, ofKept, ofSplit, new: fresh }: SplittingStep) {
  const stack = (x1: number, textX: number, parts: readonly (readonly [string, number])[]) => {
    let y = 0
    return parts.map(([kind, count]) => {
      const bar = { kind, x1, x2: x1 + 0.06, textX, y1: y, y2: y + count, label: formatNumber(count) }
      y += count
      return bar
    })
  }
  const left = [['kept', kept] as const, ['split', split] as const, ['lost', lost] as const]
  const right = [['kept', ofKept] as const, ['split', ofSplit] as const, ['new', fresh] as const]
  return [...stack(0, 0.12, left), ...stack(0.94, 0.88, right)]
}

function flowRibbons({ kept, split, ofKept, ofSplit }: SplittingStep) {
  const ribbon = (kind: string, left: readonly [number, number], right: readonly [number, number]) => [
    { kind, x: 0.06, y1: left[0], y2: left[1] },
    { kind, x: 0.94, y1: right[0], y2: right[1] },
  ]
  return [
    ...ribbon('kept', [0, kept], [0, ofKept]),
    ...ribbon('split', [kept, kept + split], [ofKept, ofKept + ofSplit]),
  ]
}

/** The best similarity of the larger's features, beside what chance gives. */
export async function similarityFigure(
  { summary }: Splitting,
  i: number,
  criterion: 'cosine' | 'correlation',
): Promise<Figure> {
  const { histogram, chance } = summary.steps[i][criterion] satisfies SimilarityDistribution
  const threshold = summary.thresholds[criterion]
  const rows = (counts: readonly number[], kind: string) =>
    counts.map((count, bin) => ({ kind, x1: bin / similarityBins, x2: (bin + 1) / similarityBins, count }))
  const name = stepName(summary.sizes, i)
  const html = await draw((Plot) => ({
    ariaLabel: `Histogram of the best ${criterion} of each feature, ${name}`,
    height: 240,
    x: { label: `best ${criterion}`, domain: [0, 1] },
    y: { label: 'features', grid: true },
    color: { domain: ['found', 'by chance'], range: [blue, grey], legend: true },
    marks: [
      Plot.rectY([...rows(chance.histogram, 'by chance'), ...rows(histogram, 'found')], {
        ...{ x1: 'x1', x2: 'x2', y: 'count', fill: 'kind', fillOpacity: 0.6 },
      }),
      Plot.ruleX([threshold], { strokeDasharray: '4 3' }),
      Plot.ruleY([0]),
    ],
  }))
  const how =
    criterion === 'cosine'
      ? 'with the dimensions of the smaller dictionary permuted'
      : 'with the activations of the smaller dictionary moved to other text'
  return {
    html,
    caption: `${name}: largest ${criterion} of each judged feature of the larger dictionary with one of the smaller; by chance: ${how}. Dashed: what a parent takes.`,
  }
}

/** How the dots of a map are told apart. */
interface Colouring {
  ariaLabel: string
  caption: string
  group: (feature: SplittingFeature) => string
  /** all groups that are named, and their colours; none: no legend */
  groups?: readonly (readonly [string, string])[]
  /** the group that lies faint below the others */
  background?: string
}

/** All features of all sizes on one map, four times: by size, by concept, by cluster, and those that are new in the largest. */
export async function mapFigures(splitting: Splitting): Promise<Figure[]> {
  const { sizes, concepts, clusters } = splitting.summary
  const last = sizes.length - 1
  const sizeName = (size: number): string => formatNumber(sizes[size].features)
  const placed = splitting.features.flat().filter(({ x }) => x !== null)
  const [other, rest] = ['other', 'smaller or not judged']
  const colourings: Colouring[] = [
    {
      ariaLabel: 'Map of all features by the size of their dictionary',
      caption:
        'UMAP of the decoder directions of all dictionaries together (cosine), by size of the dictionary. Larger dots belong to smaller dictionaries: ' +
        'where many small dots lie around a large one, its feature split.',
      group: ({ size }) => sizeName(size),
      groups: sizes.map((_, size) => [sizeName(size), groupColours[size % groupColours.length]] as const),
    },
    {
      ariaLabel: 'Map of all features by concept',
      caption: 'The same map: features with at least half of their activation where a predicate holds.',
      group: (feature) => concepts.find((_, c) => isAbout(feature, c)) ?? other,
      groups: [
        ...concepts.map((concept, c) => [concept, groupColours[c % groupColours.length]] as const),
        [other, grey],
      ],
      background: other,
    },
    {
      ariaLabel: 'Map of all features by cluster',
      caption: `The same map by cluster: ${clusters} Louvain communities of the graph of nearest directions, in ${groupColours.length} colours that repeat.`,
      group: ({ cluster }) => String((cluster as number) % groupColours.length),
    },
    {
      ariaLabel: 'Map of all features by whether those of the largest dictionary have a parent',
      caption: `The same map: features of the dictionary of ${sizeName(last)} with a parent in the one of ${sizeName(last - 1)}, and without.`,
      group: ({ fate, parent }) => (fate !== 'last' ? rest : parent === null ? 'new' : 'with a parent'),
      groups: [
        ['with a parent', blue],
        ['new', orange],
        [rest, grey],
      ],
      background: rest,
    },
  ]
  return Promise.all(colourings.map((colouring) => mapFigure(placed, last, colouring)))
}

async function mapFigure(
  placed: readonly SplittingFeature[],
  last: number,
  { ariaLabel, caption, group, groups, background }: Colouring,
): Promise<Figure> {
  // The more dots, the smaller: 2.4 pixels at most.
  const smallest = Math.min(2.4, 100 / Math.sqrt(placed.length))
  const radius = ({ size }: SplittingFeature): number => smallest * (1 + 0.5 * (last - size))
  const isBackground = (feature: SplittingFeature): boolean => group(feature) === background
  // Those of the small dictionaries, which are few, lie on top.
  const ordered = placed.toReversed()
  const dots = (list: readonly SplittingFeature[], fillOpacity: number) =>
    [list, { x: 'x', y: 'y', r: radius, fill: group, fillOpacity }] as const
  const html = await draw((Plot) => ({
    ariaLabel,
    height: 560,
    x: { axis: null },
    y: { axis: null },
    r: { type: 'identity' },
    color: groups
      ? { domain: groups.map(([name]) => name), range: groups.map(([, colour]) => colour), legend: true }
      : { domain: groupColours.map((_, i) => String(i)) },
    marks: [
      Plot.dot(...dots(ordered.filter(isBackground), 0.2)),
      Plot.dot(
        ...dots(
          ordered.filter((feature) => !isBackground(feature)),
          0.7,
        ),
      ),
    ],
  }))
  return { html, caption }
}

/** How many children features have, by step. */
export async function childrenFigure({ summary }: Splitting): Promise<Figure> {
  const most = 8
  const names = Array.from({ length: most + 1 }, (_, n) => (n === most ? `${most}+` : String(n)))
  const rows = summary.steps.flatMap(({ childCounts }, i) => {
    const judged = childCounts.reduce((sum, count) => sum + count, 0)
    return names.map((children, n) => {
      const counts = n === most ? childCounts.slice(most) : [childCounts[n] ?? 0]
      return {
        step: stepName(summary.sizes, i),
        children,
        share: counts.reduce((sum, count) => sum + count, 0) / Math.max(1, judged),
      }
    })
  })
  const html = await draw((Plot) => ({
    ariaLabel: 'How many children features have in the next larger dictionary',
    height: 240,
    x: { label: 'children', domain: names },
    y: { label: 'share of the features', percent: true, grid: true },
    fx: { label: null, domain: summary.steps.map((_, i) => stepName(summary.sizes, i)) },
    marginBottom: 40,
    marks: [Plot.barY(rows, { x: 'children', y: 'share', fx: 'step', fill: blue }), Plot.ruleY([0])],
  }))
  return {
    html,
    caption: 'Children in the next larger dictionary, of the judged features of the smaller one.',
  }
}
