import type { SaeArchitecture } from './architecture.js'
import { reluL1 } from './relu-l1.js'
import type { SaeConfig } from './sae-config.js'
import { topK } from './topk.js'

/** Every architecture that can be trained, by its name in the configuration. */
export const architectures: Record<SaeConfig['architecture'], SaeArchitecture> = { relu: reluL1, topk: topK }
