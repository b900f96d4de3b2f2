import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'

/** An empty in-memory DuckDB. */
export interface Database {
  connection: DuckDBConnection
  close(): void
}

/** Opens a DuckDB that never reaches for the network. One thread: what it writes must not depend on the machine. */
export async function openDatabase(): Promise<Database> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '1',
    autoinstall_known_extensions: 'false',
  })
  const connection = await instance.connect()
  return {
    connection,
    close: () => {
      connection.closeSync()
      instance.closeSync()
    },
  }
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
