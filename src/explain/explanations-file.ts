import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { DuckDBConnection } from '@duckdb/node-api'
import { MonosemError } from '../errors/monosem-error.js'
import { openDatabaseFile } from '../formats/duckdb.js'
import { storageError } from '../storage/atomic-file.js'

/** The database of an `explanations` directory. */
export const explanationsFile = (directory: string): string => resolve(directory, 'explanations.duckdb')

/** How long to wait for another process that is just writing or reading; each of them takes a moment only. */
const patience = { milliseconds: 5000, between: 50 }

/** Within one process the uses of a file follow one another: DuckDB's lock only keeps other processes out. */
const queues = new Map<string, Promise<unknown>>()

/**
 * Opens the database for as long as `use` takes, so that several programs (a browser, a long `monosem explain`) can share it.
 * @throws MonosemError busy, when another process holds it for longer than 5 seconds; corrupt; io
 */
export async function withExplanations<T>(
  path: string,
  access: 'read' | 'write',
  use: (connection: DuckDBConnection) => Promise<T>,
): Promise<T> {
  const before = queues.get(path) ?? Promise.resolve()
  const mine = before.catch(() => {}).then(() => useNow(path, access, use))
  queues.set(path, mine)
  try {
    return await mine
  } finally {
    if (queues.get(path) === mine) queues.delete(path)
  }
}

async function useNow<T>(
  path: string,
  access: 'read' | 'write',
  use: (connection: DuckDBConnection) => Promise<T>,
): Promise<T> {
  for (const start = performance.now(); ; ) {
    try {
      const database = await openDatabaseFile(path, access)
      try {
        return await use(database.connection)
      } finally {
        database.close()
      }
    } catch (error) {
      const busy = error instanceof MonosemError && error.code === 'busy'
      if (!busy || performance.now() - start > patience.milliseconds) throw error
      await setTimeout(patience.between)
    }
  }
}

/** Runs `write` in one transaction: all of it is there afterwards, or nothing. */
export async function inTransaction(connection: DuckDBConnection, write: () => Promise<void>): Promise<void> {
  await connection.run('BEGIN TRANSACTION')
  try {
    await write()
    await connection.run('COMMIT')
  } catch (error) {
    await connection.run('ROLLBACK').catch(() => {})
    throw error
  }
}

const schema = `
  CREATE TABLE store (layout INTEGER, features_manifest VARCHAR);
  CREATE TABLE explanations (
    id INTEGER PRIMARY KEY, feature INTEGER, text VARCHAR, explainer VARCHAR, configuration VARCHAR, created VARCHAR, examples VARCHAR);
  CREATE TABLE scores (explanation INTEGER, scorer VARCHAR, value DOUBLE, reason VARCHAR, n INTEGER, details VARCHAR);
  CREATE TABLE notes (key VARCHAR PRIMARY KEY, json VARCHAR);
  CREATE INDEX explanations_by_feature ON explanations (feature);
  CREATE INDEX scores_by_explanation ON scores (explanation);`

/** Version of the tables' layout. */
const layout = 1

/**
 * Creates the database where there is none, and checks that it belongs to these features.
 * @param manifest SHA-256 of the manifest of the `features` directory that the explanations are about
 * @throws MonosemError config (it belongs to other features), busy, corrupt, io
 */
export async function prepareExplanations(directory: string, manifest: string): Promise<string> {
  const path = explanationsFile(directory)
  try {
    await mkdir(directory, { recursive: true })
  } catch (cause) {
    throw storageError('create', directory, cause)
  }
  const access = existsSync(path) ? 'read' : 'write'
  const found = await withExplanations(path, access, readOwner)
  if (found === null)
    await withExplanations(path, 'write', async (connection) => {
      if ((await readOwner(connection)) !== null) return
      await inTransaction(connection, async () => {
        await connection.run(schema)
        await connection.run('INSERT INTO store VALUES ($1, $2)', [layout, manifest])
      })
    })
  const owner = found ?? (await withExplanations(path, 'read', readOwner))
  if (owner?.manifest !== manifest || owner.layout !== layout)
    throw new MonosemError(
      'config',
      `${join(directory)} holds explanations of other features${owner?.layout === layout ? '' : ', or was made by another version'}`,
      {
        hint: 'choose another directory (--explanations on the command line), or remove this one: its explanations would be lost',
      },
    )
  return path
}

/** What the database says it belongs to; null for an empty one (a kill came before its tables were made). */
async function readOwner(connection: DuckDBConnection): Promise<{ layout: number; manifest: string } | null> {
  const tables = await connection.runAndReadAll("SELECT 1 FROM duckdb_tables() WHERE table_name = 'store'")
  if (tables.currentRowCount === 0) return null
  const [row] = (await connection.runAndReadAll('SELECT * FROM store')).getRowObjectsJS()
  return row ? { layout: row.layout as number, manifest: row.features_manifest as string } : null
}
