import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FeatureDetail } from '../features/feature-detail.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import type { Json } from '../storage/stage.js'
import { type ExportSource, figure, type Neighbour } from './export-source.js'
import { type DashboardFeature, dashboardFeature } from './saedashboard.js'

const compress = promisify(gzip)

/** One row of a table. */
export type Row = Record<string, Json>

/** What the rows of one feature are. */
export interface NeuronpediaRows {
  feature: Row
  activations: Row[]
  explanations: Row[]
}

/**
 * Writes features as Neuronpedia's bulk import reads them: `<model>/<source>/` with release, model, sourceset and source as JSONL, and
 * features, activations and explanations as batches of gzipped JSONL. The source is `<layer>-<set>`; the rows call it their layer.
 * What Monosem does not know is null or an empty list.
 * @param created time that the rows carry
 */
export async function writeNeuronpedia(
  source: ExportSource,
  directory: string,
  created: Date,
  wrote: (feature: number) => void = () => {},
): Promise<void> {
  const root = join(directory, source.config.modelId, sourceId(source))
  for (const folder of ['features', 'activations', 'explanations'])
    await mkdir(join(root, folder), { recursive: true })
  for (const [name, row] of Object.entries(descriptions(source, created)))
    await writeFileAtomic(join(root, `${name}.jsonl`), lines([row]))
  const { batchFeatures } = source.config
  for (let first = 0; first < source.features.length; first += batchFeatures) {
    const rows: NeuronpediaRows[] = []
    for await (const detail of source.details(source.features.slice(first, first + batchFeatures))) {
      rows.push(neuronpediaRows(detail, source, created))
      wrote(detail.feature)
    }
    const tables: Record<string, Row[]> = {
      features: rows.map(({ feature }) => feature),
      activations: rows.flatMap(({ activations }) => activations),
      explanations: rows.flatMap(({ explanations }) => explanations),
    }
    for (const [name, table] of Object.entries(tables))
      await writeFileAtomic(
        join(root, name, `batch-${first / batchFeatures}.jsonl.gz`),
        await compress(lines(table), { level: 6 }),
      )
  }
}

const lines = (rows: readonly Row[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('')

/** Neuronpedia's name of the autoencoder on its layer. */
const sourceId = ({ layer, config }: ExportSource): string => `${layer}-${config.sourceSet}`

/** The rows of one feature. */
export function neuronpediaRows(detail: FeatureDetail, source: ExportSource, created: Date): NeuronpediaRows {
  const { feature } = detail
  const dashboard = dashboardFeature(detail, source)
  const key = { modelId: source.config.modelId, layer: sourceId(source), index: String(feature) }
  const explanations = source.explanations.get(feature) ?? []
  return {
    feature: {
      ...featureRow(dashboard, key, source, { max: figure(detail.max), created }),
      ...nearest(source.neighbours.get(feature) ?? []),
    },
    activations: dashboard.activations.map((activation, n) =>
      activationRow(activation, `${key.layer}-${feature}-${n}`, key, source, created),
    ),
    explanations: explanations.map(({ text, explainer }, n) => ({
      id: `${key.layer}-${feature}-explanation-${n}`,
      ...key,
      description: text,
      authorId: source.config.creator,
      typeName: explainer,
      explanationModelName: explainer.includes(':') ? explainer.slice(explainer.indexOf(':') + 1) : null,
      notes: null,
    })),
  }
}

type Key = { modelId: string; layer: string; index: string }

function featureRow(
  dashboard: DashboardFeature,
  key: Key,
  source: ExportSource,
  { max, created }: { max: number; created: Date },
): Row {
  const { feature_index, activations, n_prompts_total, n_tokens_in_prompt, dataset, vector, ...panels } =
    dashboard
  const hasVector = vector.length > 0
  return {
    ...key,
    sourceSetName: source.config.sourceSet,
    creatorId: source.config.creator,
    createdAt: created.toISOString(),
    maxActApprox: max,
    hasVector,
    vector,
    vectorLabel: null,
    vectorDefaultSteerStrength: hasVector ? max : null,
    hookName: source.summary.hookName,
    ...panels,
  }
}

/** The features whose decoder rows are most alike; empty lists where that is not known. */
const nearest = (neighbours: readonly Neighbour[]): Row => ({
  topkCosSimIndices: neighbours.map(({ feature }) => feature),
  topkCosSimValues: neighbours.map(({ cosine }) => figure(cosine)),
})

function activationRow(
  activation: DashboardFeature['activations'][number],
  id: string,
  key: Key,
  source: ExportSource,
  created: Date,
): Row {
  const { values } = activation
  const max = Math.max(...values)
  return {
    id,
    ...key,
    tokens: activation.tokens,
    values,
    maxValue: max,
    maxValueTokenIndex: values.indexOf(max),
    minValue: Math.min(...values),
    binMin: activation.bin_min,
    binMax: activation.bin_max,
    binContains: activation.bin_contains,
    qualifyingTokenIndex: activation.qualifying_token_index,
    lossValues: [],
    logitContributions: null,
    dfaValues: [],
    dfaTargetIndex: null,
    dfaMaxValue: null,
    dataSource: source.config.dataset || null,
    dataIndex: null,
    creatorId: source.config.creator,
    createdAt: created.toISOString(),
  }
}

/** release.jsonl, model.jsonl, sourceset.jsonl and source.jsonl. */
function descriptions(source: ExportSource, created: Date): Record<string, Row> {
  const { config, model, summary } = source
  const owner = { creatorId: config.creator, visibility: 'PUBLIC', createdAt: created.toISOString() }
  return {
    release: {
      name: config.sourceSet,
      description: `Features of ${summary.hookName}, exported by Monosem`,
      descriptionShort: null,
      creatorName: config.creator,
      creatorNameShort: null,
      creatorEmail: null,
      urls: [],
      isNewUi: false,
      featured: false,
      defaultSourceSetName: config.sourceSet,
      defaultSourceId: sourceId(source),
      defaultUmapSourceIds: [],
      ...owner,
    },
    model: {
      id: config.modelId,
      displayName: config.modelId,
      displayNameShort: config.modelId,
      instruct: false,
      tlensId: null,
      dimension: model.dModel,
      layers: model.layers,
      neuronsPerLayer: model.dMlp,
      owner: config.creator,
      website: null,
      inferenceEnabled: false,
      defaultSourceSetName: config.sourceSet,
      defaultSourceId: sourceId(source),
      updatedAt: created.toISOString(),
      ...owner,
    },
    sourceset: {
      modelId: config.modelId,
      name: config.sourceSet,
      description: `${summary.features} features of ${summary.hookName}`,
      type: '',
      creatorName: config.creator,
      creatorEmail: null,
      urls: [],
      releaseName: config.sourceSet,
      hasDashboards: true,
      defaultOfModelId: null,
      defaultRange: 1,
      defaultShowBreaks: true,
      showDfa: false,
      showCorrelated: false,
      showHeadAttribution: false,
      showUmap: false,
      ...owner,
    },
    source: {
      id: sourceId(source),
      modelId: config.modelId,
      setName: config.sourceSet,
      hasDashboards: true,
      inferenceEnabled: false,
      saelensConfig: null,
      saelensRelease: null,
      saelensSaeId: null,
      hfRepoId: null,
      hfFolderId: null,
      defaultOfModelId: null,
      hasUmap: false,
      hasUmapLogSparsity: false,
      hasUmapClusters: false,
      num_prompts: source.prompts,
      num_tokens_in_prompt: source.promptTokens,
      dataset: config.dataset || null,
      notes: null,
      ...owner,
    },
  }
}
