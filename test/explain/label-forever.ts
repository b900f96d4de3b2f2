// A process for user-notes.test.ts to kill: labels a feature and notes something about it, again and again.
import { openExplanations } from '../../src/explain/explanations.js'

const [out, features] = process.argv.slice(2)
const store = await openExplanations(out, features)
for (let i = 1; ; i++) {
  await store.putUserNotes(7, { label: `label ${i}`, note: `note ${i} `.repeat(500).trim() })
  process.stdout.write(`${i}\n`)
}
