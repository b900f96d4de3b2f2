// A process for explanations.test.ts to kill: appends pairs of explanations for ever, or holds the file.
import { openExplanations } from '../../src/explain/explanations.js'
import { explanationsFile } from '../../src/explain/explanations-file.js'
import { openDatabaseFile } from '../../src/formats/duckdb.js'

const [out, features, mode] = process.argv.slice(2)
const store = await openExplanations(out, features)
if (mode === 'hold') {
  const { connection } = await openDatabaseFile(explanationsFile(out), 'write')
  await connection.run('BEGIN TRANSACTION')
  process.stdout.write('held\n')
  setInterval(() => connection, 1000)
} else {
  let next = (await store.list({ limit: 1 }))[0]?.feature ?? -1
  for (;;) {
    const score = { value: 1, reason: null, n: 1, details: {} }
    const explanation = (feature: number) => ({
      feature,
      text: 'x'.repeat(2000),
      explainer: 'statistics',
      configuration: 'c',
      examples: null,
      scores: ['spearman', 'pearson'].map((scorer) => ({ scorer, ...score })),
    })
    await store.append([explanation(next + 1), explanation(next + 2)])
    next += 2
    process.stdout.write(`${next}\n`)
  }
}
