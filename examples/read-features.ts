// Reads the features that `monosem demo` collected: the densest ones, and where the first of them is strongest.
// Run it with: node dist/examples/read-features.js runs/demo/features
import { openFeatureStore } from 'monosem'

const store = await openFeatureStore(process.argv[2] ?? 'runs/demo/features')
const rows = await store.list({ sort: 'density', limit: 5 })
for (const { feature, density, max } of rows)
  console.log(
    `feature ${feature}: active on ${(100 * density).toFixed(2)}% of the tokens, maximum ${max.toFixed(2)}`,
  )

const { top } = await store.get(rows[0].feature)
for (const { activation, tokens } of top.slice(0, 3))
  console.log(`${activation.toFixed(2)}  ${JSON.stringify(store.tokenizer.decode(tokens))}`)
store.close()
