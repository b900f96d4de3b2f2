import type { DuckDBConnection } from '@duckdb/node-api'
import type { Score } from '../../explain/evidence.js'
import { checkOwner, hasTable, inTransaction, readOwner } from '../../explain/explanations-file.js'
import { byHand } from '../../explain/user-notes.js'
import { attachForReading, openDatabase } from '../../formats/duckdb.js'

/** An explanation as the copy holds it. */
export interface CopiedExplanation {
  id: number
  text: string
  explainer: string
  /** ISO 8601, UTC */
  created: string
  hasExamples: boolean
  scores: Score[]
}

/** Name of one feature, and how well it is explained. */
export interface CopiedName {
  feature: number
  name: string
  explainer: string
  /** Spearman score of the newest explanation that is no label */
  score: number | null
}

/**
 * A copy in memory of a run's explanations. The file itself is held by one process at a time: whoever read from it for every page would keep
 * `monosem explain` in another terminal from writing.
 */
export interface NotesCopy {
  /**
   * Takes over what is new in the file. Explanations by programs are only ever added, so those that are there already are not read again.
   * @param manifest hash of the features that they must be about
   * @returns features whose names may have changed; null: all of them
   * @throws MonosemError busy, corrupt, io, config (of other features)
   */
  update(path: string, manifest: string): Promise<number[] | null>
  /** Forgets everything. */
  clear(): Promise<void>
  /** Newest first, and the user's note: both as one commit left them. */
  get(feature: number): Promise<{ note: string | null; explanations: CopiedExplanation[] }>
  /**
   * Names piece by piece: 100,000 of them at once would keep every other request waiting.
   * @param features null: all
   */
  names(features: readonly number[] | null): AsyncIterable<CopiedName[]>
  /** Rows of any other question, see explained-figures.ts. */
  query(sql: string): Promise<Record<string, unknown>[]>
  close(): void
}

const tables = `
  CREATE TABLE explanations (id INTEGER, feature INTEGER, text VARCHAR, explainer VARCHAR, configuration VARCHAR, created VARCHAR,
    "hasExamples" BOOLEAN, spearman DOUBLE,
    scores STRUCT(scorer VARCHAR, value DOUBLE, reason VARCHAR, n INTEGER, details VARCHAR)[]);
  CREATE INDEX by_feature ON explanations (feature);
  CREATE TABLE feature_notes (feature INTEGER, note VARCHAR);
  CREATE TABLE notes (key VARCHAR, json VARCHAR);`

const clear = 'DELETE FROM explanations; DELETE FROM feature_notes; DELETE FROM notes'

export async function openNotesCopy(): Promise<NotesCopy> {
  const { connection: writer, connect, close } = await openDatabase()
  await writer.run(tables)
  const reader = await connect()
  return {
    update: (path, manifest) => update(writer, path, manifest),
    clear: () => inTransaction(writer, async () => void (await writer.run(clear))),
    get: (feature) => get(reader, feature),
    names: (features) => names(reader, features),
    query: async (sql) => (await reader.runAndReadAll(sql)).getRowObjectsJS(),
    close,
  }
}

async function update(copy: DuckDBConnection, path: string, manifest: string): Promise<number[] | null> {
  await attachForReading(copy, path, 'file')
  try {
    const owner = await readOwner(copy, 'file')
    if (owner) checkOwner(owner, manifest, path)
    const hasNotes = await hasTable(copy, 'feature_notes', 'file')
    let changed: number[] | null = null
    await inTransaction(copy, async () => {
      const continued = owner !== null && (await isContinued(copy))
      if (!continued) await copy.run(clear)
      const found = owner ? await takeOver(copy, hasNotes) : []
      if (continued) changed = found
    })
    return changed
  } finally {
    await copy.run('DETACH file')
  }
}

/** What identifies the explanations by programs that the copy has. */
const fingerprint = `SELECT count(*) AS n, max(created) AS newest, coalesce(max(id), 0) AS last`

/** Whether the file still has all that the copy has: it may have been replaced by another. */
async function isContinued(copy: DuckDBConnection): Promise<boolean> {
  const of = async (table: string, last: number): Promise<unknown[]> => {
    const sql = `${fingerprint} FROM ${table} WHERE explainer <> '${byHand}' AND id <= ${last}`
    return (await copy.runAndReadAll(sql)).getRowsJS()[0]
  }
  const own = await of('explanations', 2 ** 31 - 1)
  return String(own) === String(await of('file.explanations', Number(own[2])))
}

/** @returns features that something was said about, or no longer is */
async function takeOver(copy: DuckDBConnection, hasNotes: boolean): Promise<number[]> {
  const numbers = async (sql: string): Promise<number[]> =>
    ((await copy.runAndReadAll(sql)).getColumnsJS()[0] ?? []) as number[]
  // The user's own are few, and may be gone or replaced: all of them are read again.
  const own = `explainer = '${byHand}'`
  const labelled = await numbers(`SELECT feature FROM explanations WHERE ${own}`)
  await copy.run(`DELETE FROM explanations WHERE ${own}`)
  const [last] = await numbers('SELECT coalesce(max(id), 0) FROM explanations')
  const wanted = `${own} OR id > ${last}`
  // Scores go into their explanation: a page is then one look-up. They are read, and so listed, in their order; people give none.
  await copy.run(`INSERT INTO explanations
    WITH added AS (SELECT * FROM file.explanations WHERE ${wanted})
    SELECT id, feature, text, explainer, configuration, created,
      ${hasNotes ? 'id IN (SELECT explanation FROM file.scored_examples)' : 'false'}, spearman, coalesce(scores, [])
    FROM added LEFT JOIN (
      SELECT explanation, max(value) FILTER (scorer = 'spearman') AS spearman,
        list(struct_pack(scorer, value, reason, n, details)) AS scores
      FROM file.scores WHERE explanation > ${last} GROUP BY explanation
    ) ON explanation = id ORDER BY id`)
  for (const table of ['notes', ...(hasNotes ? ['feature_notes'] : [])]) {
    await copy.run(`DELETE FROM ${table}`)
    await copy.run(`INSERT INTO ${table} SELECT * FROM file.${table}`)
  }
  const added = await numbers(`SELECT DISTINCT feature FROM explanations WHERE ${wanted}`)
  return [...new Set([...labelled, ...added])]
}

interface Row extends Omit<CopiedExplanation, 'id' | 'scores'> {
  /** null: the text is the user's note */
  id: number | null
  scores: (Omit<Score, 'details'> & { details: string })[]
}

async function get(
  copy: DuckDBConnection,
  feature: number,
): Promise<{ note: string | null; explanations: CopiedExplanation[] }> {
  // One statement, so that no update comes between the label and the note.
  const found = await copy.runAndReadAll(
    `SELECT id, text, explainer, created, "hasExamples", scores FROM explanations WHERE feature = $1
     UNION ALL SELECT NULL, note, NULL, NULL, NULL, NULL FROM feature_notes WHERE feature = $1`,
    [feature],
  )
  const rows = found.getRowObjectsJS() as unknown as Row[]
  const explanations = rows.flatMap(({ id, scores, ...rest }) => {
    if (id === null) return []
    const read = scores.map(({ details, ...score }) => ({ ...score, details: JSON.parse(details) }))
    return [{ id, ...rest, scores: read }]
  })
  return {
    note: rows.find(({ id }) => id === null)?.text ?? null,
    explanations: explanations.sort((a, b) => b.id - a.id),
  }
}

async function* names(
  copy: DuckDBConnection,
  features: readonly number[] | null,
): AsyncGenerator<CopiedName[]> {
  const own = `explainer = '${byHand}'`
  const result = await copy.stream(
    `SELECT feature, arg_max(text, rank) AS name, arg_max(explainer, rank) AS explainer,
       arg_max(spearman, id) FILTER (NOT ${own}) AS score
     FROM (SELECT *, CASE WHEN ${own} THEN 2147483648 + id ELSE id END AS rank FROM explanations
       ${features ? `WHERE feature IN (${features.length > 0 ? features : 'NULL'})` : ''})
     GROUP BY feature ORDER BY feature`,
  )
  for await (const rows of result.yieldRowObjectJs()) yield rows as unknown as CopiedName[]
}
