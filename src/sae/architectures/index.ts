import type { ResolvedSaeConfig } from '../sae-config.js'
import type { SaeArchitecture } from './architecture.js'
import { batchTopK } from './batchtopk.js'
import { gated } from './gated.js'
import { jumpRelu } from './jumprelu.js'
import { jumpReluTanh } from './jumprelu-tanh.js'
import { matryoshka } from './matryoshka.js'
import { relu } from './relu.js'
import { reluNorm } from './relu-norm.js'
import { topK } from './topk.js'

/** Every architecture that can be trained, by its name in the configuration. */
export const architectures: Record<ResolvedSaeConfig['architecture'], SaeArchitecture> = {
  relu,
  'relu-norm': reluNorm,
  gated,
  jumprelu: jumpRelu,
  'jumprelu-tanh': jumpReluTanh,
  topk: topK,
  batchtopk: batchTopK,
  matryoshka,
}
