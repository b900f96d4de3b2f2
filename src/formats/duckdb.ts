import { existsSync } from 'node:fs'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { MonosemError } from '../errors/monosem-error.js'
import { storageError } from '../storage/atomic-file.js'

/** An empty in-memory DuckDB. */
export interface Database {
  connection: DuckDBConnection
  close(): void
}

/** A database in memory that several can use at once. */
export interface MemoryDatabase extends Database {
  /** Another connection, which sees only what others have committed. Closed with the database. */
  connect(): Promise<DuckDBConnection>
}

/** Opens a DuckDB that never reaches for the network. One thread: what it writes must not depend on the machine. */
export async function openDatabase(): Promise<MemoryDatabase> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '1',
    autoinstall_known_extensions: 'false',
  })
  const connections = [await instance.connect()]
  return {
    connection: connections[0],
    connect: async () => {
      const connection = await instance.connect()
      connections.push(connection)
      return connection
    },
    close: () => {
      for (const connection of connections) connection.closeSync()
      instance.closeSync()
    },
  }
}

/**
 * Opens a database file; what a transaction has committed to it survives a kill. One process at a time may hold it for writing, several for
 * reading.
 * @throws MonosemError busy (another process holds it), io, corrupt (not a DuckDB database)
 */
export async function openDatabaseFile(path: string, access: 'read' | 'write'): Promise<Database> {
  const database = await openDatabase()
  const { connection } = database
  try {
    await attach(connection, path, 'file', access === 'read' ? ['READ_ONLY'] : writing(path))
    await connection.run('USE file')
  } catch (error) {
    database.close()
    throw error
  }
  return database
}

/**
 * Options for files that are written to often and little. Each transaction writes the last group of rows of a table again: with DuckDB's own
 * size (122,880 rows) the time to add a few rows would grow with what is there. Small blocks are for small files: each column takes at least one.
 */
const writing = (path: string): string[] => [
  'ROW_GROUP_SIZE 2048',
  ...(existsSync(path) ? [] : ['BLOCK_SIZE 16384']),
]

/** Attaches a database file to an open database, for reading. @throws MonosemError like `openDatabaseFile` */
export async function attachForReading(
  connection: DuckDBConnection,
  path: string,
  name: string,
): Promise<void> {
  await attach(connection, path, name, ['READ_ONLY'])
}

async function attach(
  connection: DuckDBConnection,
  path: string,
  name: string,
  options: readonly string[],
): Promise<void> {
  try {
    await connection.run(`ATTACH ${sqlString(path)} AS ${sqlName(name)} (${options.join(', ')})`)
  } catch (cause) {
    throw databaseError(path, cause)
  }
}

function databaseError(path: string, cause: unknown): MonosemError {
  const text = cause instanceof Error ? cause.message : String(cause)
  const holder = /\(PID (\d+)\)/.exec(text)?.[1]
  if (/Could not set lock/.test(text))
    return new MonosemError(
      'busy',
      `${path} is in use by ${holder ? `process ${holder}` : 'another process'}`,
      {
        cause,
        hint: 'wait for it to end, or stop it',
      },
    )
  if (/not a valid DuckDB database|corrupt|checksum|serializ/i.test(text))
    return new MonosemError('corrupt', `${path}: expected a DuckDB database`, {
      cause,
      hint: 'restore the file from a copy, or move it away to start a new one',
    })
  return storageError('open', path, cause)
}

/** Runs `use` with a fresh database and closes it. */
export async function withDatabase<T>(use: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  const database = await openDatabase()
  try {
    return await use(database.connection)
  } finally {
    database.close()
  }
}

/** A string literal of SQL. */
export const sqlString = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** A quoted identifier of SQL. */
export const sqlName = (name: string): string => `"${name.replaceAll('"', '""')}"`
