import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { DuckDBConnection } from '@duckdb/node-api'
import { MonosemError } from '../errors/monosem-error.js'
import { openDatabaseFile } from '../formats/duckdb.js'
import { storageError } from '../storage/atomic-file.js'

/** The database of an `explanations` directory. */
export const explanationsFile = (directory: string): string => resolve(directory, 'explanations.duckdb')

/** How long, in milliseconds, to wait for another process that is just writing or reading; each of them takes a moment only. */
const patience = { longest: 5000, between: 50 }

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
  return inTurn(path, async () => {
    const database = await openDatabaseFile(path, access)
    try {
      const result = await use(database.connection)
      // Closing does it too, but not beside everything else that this process has to do.
      if (access === 'write') await database.connection.run('CHECKPOINT').catch(() => {})
      return result
    } finally {
      database.close()
    }
  })
}

/**
 * Runs `use`, which opens the database, after all other uses of it in this process, and again for as long as another process holds it.
 * @param longest milliseconds to wait in all; default 5000
 * @throws MonosemError busy
 */
export async function inTurn<T>(
  path: string,
  use: () => Promise<T>,
  longest: number = patience.longest,
): Promise<T> {
  const deadline = performance.now() + longest
  const before = queues.get(path) ?? Promise.resolve()
  const mine = before.catch(() => {}).then(() => untilFree(use, deadline))
  queues.set(path, mine)
  try {
    return await mine
  } finally {
    if (queues.get(path) === mine) queues.delete(path)
  }
}

async function untilFree<T>(use: () => Promise<T>, deadline: number): Promise<T> {
  for (;;) {
    try {
      return await use()
    } catch (error) {
      const busy = error instanceof MonosemError && error.code === 'busy'
      if (!busy || performance.now() > deadline) throw error
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

/** Tables that layout 1 lacks: see scored-examples.ts and user-notes.ts. */
const schemaSince2 = `
  CREATE TABLE scored_examples (explanation INTEGER, packed BLOB);
  CREATE TABLE feature_notes (feature INTEGER PRIMARY KEY, note VARCHAR);`

/** Version of the tables' layout. Version 1 is read as it is, and becomes version 2 when it is next written to. */
const layout = 2

/** Runs `write` in one transaction, which first brings an older layout up to date. */
export function writeInTransaction(connection: DuckDBConnection, write: () => Promise<void>): Promise<void> {
  return inTransaction(connection, async () => {
    if ((await readOwner(connection))?.layout === 1) {
      await connection.run(schemaSince2)
      await connection.run('UPDATE store SET layout = $1', [layout])
    }
    await write()
  })
}

/** Whether a database has a table; not all layouts do. @param database its name, where several are attached */
export async function hasTable(
  connection: DuckDBConnection,
  name: string,
  database?: string,
): Promise<boolean> {
  const found = await connection.runAndReadAll(
    'SELECT 1 FROM duckdb_tables() WHERE table_name = $1 AND ($2::VARCHAR IS NULL OR database_name = $2)',
    [name, database ?? null],
  )
  return found.currentRowCount > 0
}

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
  const found = await withExplanations(path, access, (connection) => readOwner(connection))
  if (found === null)
    await withExplanations(path, 'write', async (connection) => {
      if ((await readOwner(connection)) !== null) return
      await inTransaction(connection, async () => {
        await connection.run(schema + schemaSince2)
        await connection.run('INSERT INTO store VALUES ($1, $2)', [layout, manifest])
      })
    })
  const owner = found ?? (await withExplanations(path, 'read', (connection) => readOwner(connection)))
  checkOwner(owner, manifest, directory)
  return path
}

/** What a database says that it belongs to. */
export interface Owner {
  layout: number
  manifest: string
}

/** @throws MonosemError config (it belongs to other features, or a newer version made it) */
export function checkOwner(owner: Owner | null, manifest: string, directory: string): void {
  const known = owner !== null && owner.layout >= 1 && owner.layout <= layout
  if (known && owner.manifest === manifest) return
  throw new MonosemError(
    'config',
    `${directory} holds explanations of other features${known ? '' : ', or was made by another version'}`,
    {
      hint: 'choose another directory (--explanations on the command line), or remove this one: its explanations would be lost',
    },
  )
}

/**
 * What the database says it belongs to; null for an empty one (a kill came before its tables were made).
 * @param database its name, where several are attached
 */
export async function readOwner(connection: DuckDBConnection, database?: string): Promise<Owner | null> {
  if (!(await hasTable(connection, 'store', database))) return null
  const table = database === undefined ? 'store' : `${database}.store`
  const [row] = (await connection.runAndReadAll(`SELECT * FROM ${table}`)).getRowObjectsJS()
  return row ? { layout: row.layout as number, manifest: row.features_manifest as string } : null
}
