import { join } from 'node:path'
import { FLOAT, INTEGER, LIST } from '@duckdb/node-api'
import { MonosemError } from '../errors/monosem-error.js'
import { sqlString, withDatabase } from '../formats/duckdb.js'
import type { Kernels } from '../kernels/kernels.js'
import type { StageContext } from '../progress/progress.js'
import { decoderNeighbours } from '../sae/decoder-neighbours.js'
import { loadSae, type Sae } from '../sae/sae.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { requireMadeFrom } from '../storage/made-from.js'
import { openStage } from '../storage/open-stage.js'
import { runStage, type StageResult } from '../storage/stage.js'
import { createTableWriter, readParquet, tableFiles } from './feature-tables.js'
import type { MapConfig } from './map-config.js'
import { mapInWorker } from './map-in-worker.js'

/** map.parquet: one row per feature, by id. */
export const mapColumns = {
  feature: INTEGER,
  /** place on the map, rank in the list, and cluster; null for features that were left out */
  x: FLOAT,
  y: FLOAT,
  order: INTEGER,
  cluster: INTEGER,
  /** nearest features by cosine of decoder rows, nearest first; empty for features that were left out */
  neighbours: LIST(INTEGER),
  cosines: LIST(FLOAT),
}

/** The content of map.json. */
export interface MapSummary {
  hookName: string
  /** F */
  features: number
  /** features on the map: those that fired, unless dead ones were asked for */
  placed: number
  clusters: number
  /** neighbours kept for each */
  neighbours: number
}

/** Where one feature lies. Dead features are left out of the map: their places are null and they have no neighbours. */
export interface MapRow {
  feature: number
  /** 2-D UMAP of decoder directions; only distances mean anything */
  x: number | null
  y: number | null
  /** rank in a list in which features that are alike are close, 0 .. placed - 1 */
  order: number | null
  /** 0 is the largest */
  cluster: number | null
  /** nearest features by cosine of decoder rows, nearest first */
  neighbours: { feature: number; cosine: number }[]
}

export interface FeatureMap {
  summary: MapSummary
  /** [F] by feature */
  rows: MapRow[]
}

/** The finished directories that `feature-map` reads, and where it writes. */
export interface MapPaths {
  sae: string
  features: string
  out: string
}

/**
 * Runs the `feature-map` stage: map.parquet and map.json. It keeps no checkpoint: when interrupted it starts over.
 * @throws MonosemError missing, config (the features are those of another autoencoder), corrupt, io, interrupted
 */
export async function runMapStage(
  config: MapConfig,
  paths: MapPaths,
  context: StageContext & { kernels: Kernels },
): Promise<StageResult> {
  const { out, ...inputs } = paths
  const store = await openStage(paths.features, 'features')
  await requireMadeFrom(store, 'sae', paths.sae)
  const request = { stage: 'feature-map', out, config: { ...config }, inputs, seed: config.seed }
  return runStage(request, async (partial) => {
    const sae = await loadSae(context.kernels, paths.sae)
    const alive = await firedFeatures(await tableFiles(store, 'features', sae.features))
    const placed = config.includeDead ? Int32Array.from({ length: sae.features }, (_, i) => i) : alive
    const summary = await buildMap(config, sae, placed, partial, context)
    await writeFileAtomic(join(partial, 'map.json'), `${JSON.stringify(summary, null, 2)}\n`)
  })
}

/** Ids of the features that fired on the text of a feature store, ascending. */
async function firedFeatures(files: readonly string[]): Promise<Int32Array> {
  const rows = await withDatabase(async (connection) => {
    const found = await connection.runAndReadAll(
      `SELECT feature FROM ${readParquet(files)} WHERE fires > 0 ORDER BY feature`,
    )
    return found.getColumnsJS()[0] as number[]
  })
  return Int32Array.from(rows ?? [])
}

/** Finds the neighbours of the features `placed`, lays them out and writes map.parquet. */
async function buildMap(
  config: MapConfig,
  sae: Sae,
  placed: Int32Array,
  directory: string,
  context: StageContext,
): Promise<MapSummary> {
  const n = placed.length
  const neighbours =
    n > 0
      ? await neighboursOf(sae, placed, config.neighbours, context)
      : { k: 0, rows: new Int32Array(0), cosines: new Float32Array(0) }
  const layout = await mapInWorker({ neighbours, n, options: config }, context)
  const table = await createTableWriter(join(directory, 'map.parquet'), mapColumns)
  const rowOf = new Int32Array(sae.features).fill(-1)
  placed.forEach((feature, row) => {
    rowOf[feature] = row
  })
  const { k } = neighbours
  for (let feature = 0; feature < sae.features; feature++) {
    const i = rowOf[feature]
    if (i < 0)
      table.add({ feature, x: null, y: null, order: null, cluster: null, neighbours: [], cosines: [] })
    else {
      const near = neighbours.rows.subarray(i * k, (i + 1) * k).map((row) => placed[row])
      const cosines = neighbours.cosines.subarray(i * k, (i + 1) * k)
      const [x, y, order, cluster] = [layout.x[i], layout.y[i], layout.order[i], layout.cluster[i]]
      table.add({ feature, x, y, order, cluster, neighbours: near, cosines })
    }
  }
  await table.close()
  const { hookName, features } = sae
  return { hookName, features, placed: n, clusters: layout.clusters, neighbours: k }
}

async function neighboursOf(sae: Sae, placed: Int32Array, k: number, context: StageContext) {
  const { kernels, params, dOut } = sae
  const ids = kernels.tensor(placed, [placed.length])
  const directions = kernels.zeros([placed.length, dOut])
  kernels.gatherRows(directions, params.wDec, ids)
  try {
    return await decoderNeighbours(kernels, directions, k, context)
  } finally {
    kernels.free(ids)
    kernels.free(directions)
  }
}

/**
 * Reads a finished `feature-map` directory; its files are checked against their hashes.
 * @throws MonosemError missing (not a finished feature-map directory), corrupt, format
 */
export async function readFeatureMap(directory: string): Promise<FeatureMap> {
  const stage = await openStage(directory, 'feature-map')
  const summary = await stage.json<MapSummary>('map.json')
  const path = await stage.file('map.parquet')
  const rows = await queryMap(path)
  if (rows.length !== summary.features)
    throw new MonosemError('format', `${path}: expected ${summary.features} rows, got ${rows.length}`)
  return { summary, rows }
}

/**
 * Where some features lie, from a finished `feature-map` directory.
 * @param features the `features` directory that the map must have been made from
 * @param ids default: all features
 * @throws MonosemError missing, corrupt, config (the map is of other features)
 */
export async function readMapRows(
  directory: string,
  features: string,
  ids?: readonly number[],
): Promise<MapRow[]> {
  const stage = await openStage(directory, 'feature-map')
  await requireMadeFrom(stage, 'features', features)
  return queryMap(await stage.file('map.parquet'), ids)
}

/** Rows of map.parquet by feature, of some features or of all. */
async function queryMap(path: string, ids?: readonly number[]): Promise<MapRow[]> {
  if (ids?.length === 0) return []
  return withDatabase(async (connection) => {
    const found = await connection.runAndReadAll(
      `SELECT * FROM read_parquet(${sqlString(path)}) ${ids ? `WHERE feature IN (${ids})` : ''} ORDER BY feature`,
    )
    return (found.getRowObjectsJS() as Record<string, unknown>[]).map(mapRowOf)
  })
}

/** One row of map.parquet. */
export function mapRowOf(row: Record<string, unknown>): MapRow {
  const cosines = row.cosines as number[]
  return {
    feature: row.feature as number,
    x: row.x as number | null,
    y: row.y as number | null,
    order: row.order as number | null,
    cluster: row.cluster as number | null,
    neighbours: (row.neighbours as number[]).map((feature, i) => ({ feature, cosine: cosines[i] })),
  }
}
