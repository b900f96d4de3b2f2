import { z } from 'zod'
import { byHand } from '../../explain/user-notes.js'
import type { NotesStore } from '../notes/notes-store.js'
import type { Figure, Overview } from '../protocol.js'

type Query = NotesStore['query']

/** Scores of one explainer by one scorer: of the explanations that feature pages show. */
interface ScoreRow {
  explainer: string
  scorer: string
  /** features active on one token only, or the others; null: all */
  single: boolean | null
  n: number
  mean: number | null
  /** of the sample; null of fewer than two */
  variance: number | null
}

const scoresQuery = `
  WITH newest AS (SELECT explainer, feature, max(id) AS id FROM explanations WHERE explainer <> '${byHand}' GROUP BY ALL),
    scored AS (SELECT newest.explainer, unnest(scores) AS score FROM newest JOIN explanations USING (id))
  SELECT explainer, score.scorer AS scorer, contains(score.details, '"singleToken":1') AS single, count(score.value)::INTEGER AS n,
    avg(score.value) AS mean, var_samp(score.value) AS variance
  FROM scored GROUP BY GROUPING SETS ((explainer, score.scorer), (explainer, score.scorer, contains(score.details, '"singleToken":1')))`

const explainersQuery = `
  SELECT explainer, count(DISTINCT feature)::INTEGER AS explained, explainer || ' ' || arg_max(configuration, id) AS key
  FROM explanations GROUP BY explainer ORDER BY max(id) DESC`

/** What a run of `monosem explain` leaves beside its explanations, as far as it is shown. */
const runNoteSchema = z.object({
  neurons: z.object({
    mean: z.number().nullable(),
    low: z.number().nullable(),
    high: z.number().nullable(),
  }),
  dropped: z.array(z.object({ reason: z.string() })),
})

interface Meaning {
  scorer: string
  single: boolean | null
  name: string
  label: string
  explanation: string
}

const meanings: readonly Meaning[] = [
  {
    ...{ scorer: 'spearman', single: null, name: 'spearman', label: 'Spearman' },
    explanation: 'mean rank correlation of predicted and true activations on held-out examples',
  },
  {
    ...{ scorer: 'spearman', single: false, name: 'spearmanWithoutSingleToken' },
    ...{ label: 'Spearman, several tokens', explanation: 'of features active on more than one token' },
  },
  {
    ...{ scorer: 'spearman', single: true, name: 'spearmanSingleToken' },
    ...{ label: 'Spearman, one token', explanation: 'of features active on one token only' },
  },
  {
    ...{ scorer: 'shuffled', single: null, name: 'shuffled', label: 'Spearman, shuffled' },
    explanation: 'with the explanations of other features: what a score has to be better than',
  },
  {
    ...{ scorer: 'neuron', single: null, name: 'bestNeuron', label: 'Spearman, best neurons' },
    explanation: 'of the neuron that goes with each feature most, explained in the same way',
  },
  {
    ...{ scorer: 'statistics', single: null, name: 'statistics', label: 'Spearman, by statistics' },
    explanation: 'of the same features, explained without a language model',
  },
]

/** How well explanations predict. @returns null where nothing was explained or labelled @throws MonosemError busy, corrupt, config, io */
export async function readExplainedPart(query: Query): Promise<Overview['explanations']> {
  const explainers = (await query(explainersQuery)) as { explainer: string; explained: number; key: string }[]
  if (explainers.length === 0) return null
  const scores = (await query(scoresQuery)) as unknown as ScoreRow[]
  const notes = (await query('SELECT key, json FROM notes')) as { key: string; json: string }[]
  const figures: Figure[] = []
  const several = explainers.filter(({ explainer }) => explainer !== byHand).length > 1
  for (const { explainer, explained, key } of explainers) {
    if (explainer === byHand) {
      figures.push(countOf('labels', 'Labels', explained, 'features that have a name of yours', byHand))
      continue
    }
    const own = [
      countOf('explained', 'Explained features', explained, 'features with an explanation', explainer),
      ...scoreFigures(explainer, scores),
      ...noteFigures(explainer, notes.find((note) => note.key === key)?.json ?? null),
    ]
    figures.push(...own.map((figure) => (several ? ofExplainer(explainer, figure) : figure)))
  }
  return { figures }
}

const database = 'explanations/explanations.duckdb'

const countOf = (
  name: string,
  label: string,
  value: number,
  explanation: string,
  explainer: string,
): Figure => ({
  ...{ name, label, value, explanation, unit: 'count', interval: null },
  source: `${database}: explanations by ${explainer}`,
})

/** Names stay different where several explainers have the same figures. */
const ofExplainer = (explainer: string, figure: Figure): Figure => ({
  ...figure,
  name: `${figure.name} ${explainer}`,
  label: `${figure.label} (${explainer})`,
})

function scoreFigures(explainer: string, rows: readonly ScoreRow[]): Figure[] {
  const own = rows.filter((row) => row.explainer === explainer)
  const known = new Set(meanings.map(({ scorer }) => scorer))
  const others = own
    .filter(({ scorer, single }) => single === null && !known.has(scorer))
    .map(({ scorer }) => ({ scorer, single: null, name: scorer, label: labelOf(scorer) }))
    .map((other) => ({ ...other, explanation: `mean of the score called ${other.scorer}` }))
  return [...meanings, ...others].flatMap(({ scorer, single, name, label, explanation }) => {
    const row = own.find((found) => found.scorer === scorer && found.single === single && found.n > 0)
    if (!row) return []
    const interval = intervalOf(row)
    const source = `${database}: scores, ${scorer} of ${explainer}`
    return [{ ...{ name, label, explanation, source, interval }, value: row.mean, unit: 'number' as const }]
  })
}

const labelOf = (scorer: string): string => scorer.charAt(0).toUpperCase() + scorer.slice(1)

/** 95%: 1.96 standard errors to each side, as `monosem explain` has it. */
function intervalOf({ n, mean, variance }: ScoreRow): [number, number] | null {
  if (mean === null || variance === null) return null
  const margin = 1.96 * Math.sqrt(variance / n)
  return [mean - margin, mean + margin]
}

function noteFigures(explainer: string, json: string | null): Figure[] {
  const note = runNoteSchema.safeParse(json === null ? null : JSON.parse(json)).data
  if (!note) return []
  const { mean, low, high } = note.neurons
  const count = (reason: string): number => note.dropped.filter((one) => one.reason === reason).length
  const source = `${database}: notes of ${explainer}`
  return [
    {
      ...{ name: 'neurons', label: 'Spearman, all neurons', value: mean, unit: 'number', source },
      interval: low !== null && high !== null ? [low, high] : null,
      explanation: 'of all neurons of the hook point, explained in the same way by statistics',
    },
    { ...countOf('dead', 'Dead', count('dead'), 'features never active on the text', explainer), source },
    {
      ...countOf('rare', 'Rare', count('rare'), 'features active too rarely to explain', explainer),
      source,
    },
  ]
}
