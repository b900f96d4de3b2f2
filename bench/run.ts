import { benchDemo } from './demo.js'
import { benchEval } from './eval.js'
import { benchEventLoop } from './event-loop.js'
import { benchFeatures } from './features.js'
import { benchFirstView } from './first-view.js'
import { benchGemm } from './gemm.js'
import { benchHarvest } from './harvest.js'
import { benchHuggingFace } from './huggingface.js'
import { benchLoadModel } from './load-model.js'
import { benchRanks } from './ranks.js'
import { benchSae } from './sae.js'
import { benchScalingCost } from './scaling-cost.js'
import { benchServer } from './server.js'
import { benchSynthetic } from './synthetic.js'
import { benchTransformer } from './transformer.js'

/** `npm run bench -- NAME [--json]`: one benchmark, or all of them. */
const benchmarks: Record<string, () => Promise<unknown>> = {
  gemm: () => benchGemm(),
  transformer: () => benchTransformer(),
  huggingface: benchHuggingFace,
  'load-model': () => benchLoadModel(),
  sae: benchSae,
  ranks: benchRanks,
  'scaling-cost': benchScalingCost,
  synthetic: benchSynthetic,
  harvest: benchHarvest,
  eval: benchEval,
  features: benchFeatures,
  'event-loop': benchEventLoop,
  server: benchServer,
  'first-view': benchFirstView,
  demo: benchDemo,
}

const names = process.argv.slice(2).filter((word) => !word.startsWith('--'))
const unknown = names.filter((name) => !(name in benchmarks))
if (unknown.length > 0) {
  console.error(`unknown benchmark ${unknown.join(', ')}; there are: ${Object.keys(benchmarks).join(', ')}`)
  process.exitCode = 2
} else {
  for (const name of names.length > 0 ? names : Object.keys(benchmarks)) {
    const result = await benchmarks[name]?.()
    if (process.argv.includes('--json')) console.log(JSON.stringify(result))
  }
}
