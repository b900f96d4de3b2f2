import { mkdir } from 'node:fs/promises'
import { explanationsFile } from '../../src/explain/explanations-file.js'
import { openDatabaseFile } from '../../src/formats/duckdb.js'
import { sha256 } from '../../src/storage/atomic-file.js'

/** A database as versions before the user's notes and kept examples made it, about features whose manifest is `{}`. */
export async function oldDatabase(out: string, layout = 1): Promise<void> {
  await mkdir(out)
  const { connection, close } = await openDatabaseFile(explanationsFile(out), 'write')
  await connection.run(`
    CREATE TABLE store (layout INTEGER, features_manifest VARCHAR);
    CREATE TABLE explanations (
      id INTEGER PRIMARY KEY, feature INTEGER, text VARCHAR, explainer VARCHAR, configuration VARCHAR, created VARCHAR, examples VARCHAR);
    CREATE TABLE scores (explanation INTEGER, scorer VARCHAR, value DOUBLE, reason VARCHAR, n INTEGER, details VARCHAR);
    CREATE TABLE notes (key VARCHAR PRIMARY KEY, json VARCHAR);
    INSERT INTO store VALUES (${layout}, '${sha256('{}')}');
    INSERT INTO explanations VALUES (1, 7, 'old', 'statistics', 'c', '2026-01-01T00:00:00.000Z', 'e');
    INSERT INTO scores VALUES (1, 'spearman', 0.5, NULL, 9, '{}');
    INSERT INTO notes VALUES ('k', '{"a":1}')`)
  close()
}
