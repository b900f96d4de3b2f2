import type { DuckDBConnection } from '@duckdb/node-api'
import { hasTable } from './explanations-file.js'

/** Explainer of what people wrote themselves. */
export const byHand = 'user'

/** What the user of the browser says of one feature. */
export interface UserNotes {
  /** a name for it; null: none */
  label: string | null
  /** anything else; null: none */
  note: string | null
}

/**
 * Replaces the label and the note of a feature; to be run in a transaction. The label is the user's newest explanation, so that whatever reads
 * explanations sees it too. Another label replaces that one only; no label removes all that the user said with `monosem explanations add` as well.
 */
export async function putUserNotes(
  connection: DuckDBConnection,
  feature: number,
  { label, note }: UserNotes,
): Promise<void> {
  const reader = await connection.runAndReadAll(
    'SELECT id, text FROM explanations WHERE feature = $1 AND explainer = $2 ORDER BY id DESC',
    [feature, byHand],
  )
  const own = reader.getRowObjectsJS() as { id: number; text: string }[]
  if (label !== (own[0]?.text ?? null)) await replaceLabel(connection, feature, own, label)
  if (note === null) await connection.run('DELETE FROM feature_notes WHERE feature = $1', [feature])
  else await connection.run('INSERT OR REPLACE INTO feature_notes VALUES ($1, $2)', [feature, note])
}

async function replaceLabel(
  connection: DuckDBConnection,
  feature: number,
  own: readonly { id: number }[],
  label: string | null,
): Promise<void> {
  // The new row's number is chosen before the old one goes: numbers are not used twice.
  const reader = await connection.runAndReadAll('SELECT coalesce(max(id), 0) + 1 FROM explanations')
  const id = Number(reader.getColumnsJS()[0][0])
  for (const replaced of label === null ? own : own.slice(0, 1)) {
    await connection.run('DELETE FROM scores WHERE explanation = $1', [replaced.id])
    await connection.run('DELETE FROM explanations WHERE id = $1', [replaced.id])
  }
  if (label === null) return
  const created = new Date().toISOString()
  const row = [id, feature, label, byHand, created]
  await connection.run('INSERT INTO explanations VALUES ($1, $2, $3, $4, NULL, $5, NULL)', row)
}

/** What the user noted about a feature; null in a database of a version without notes. */
export async function readNote(connection: DuckDBConnection, feature: number): Promise<string | null> {
  if (!(await hasTable(connection, 'feature_notes'))) return null
  const reader = await connection.runAndReadAll('SELECT note FROM feature_notes WHERE feature = $1', [
    feature,
  ])
  return (reader.getColumnsJS()[0]?.[0] ?? null) as string | null
}
