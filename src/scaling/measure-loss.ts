import { MonosemError } from '../errors/monosem-error.js'
import type { Codes, Kernels, SaeSparsity } from '../kernels/kernels.js'
import { architectures } from '../sae/architectures/index.js'
import { decode, encode, type SaeParts } from '../sae/sae.js'
import type { ResolvedSaeConfig } from '../sae/sae-config.js'
import type { HeldOut } from './held-out.js'

/** What an autoencoder was measured to be on held-out activations; means over their tokens. */
export interface HeldOutLoss {
  tokens: number
  /** what the laws are fitted to, see `docs/metrics.md` */
  loss: number
  /** ||x - xHat||^2 over ||x - mean x||^2: 1 - explained variance */
  normalizedMse: number
  /** penalty with its weight, over the same variance; 0 where k sets the sparsity */
  penalty: number
  l0: number
}

/** Tokens that are encoded at a time. */
const chunk = 2048

/**
 * Loss of training on other activations: (squared error + penalty) / variance of the activations, in the units that it was trained in. Without a
 * penalty this is the normalised squared error of Gao et al. 2024; with one it is the loss of Templeton et al. 2024 over a constant.
 * @param sae decoder rows of norm 1, as trained autoencoders are saved, for raw activations
 * @param scale s: activations were multiplied by it in training
 * @throws MonosemError shape (held-out activations of another width), diverged (a loss that is not finite)
 */
export async function measureLoss(
  kernels: Kernels,
  sae: SaeParts,
  { x, variance }: HeldOut,
  { config, scale }: { config: ResolvedSaeConfig; scale: number },
): Promise<HeldOutLoss> {
  const [rows, d] = x.shape
  if (sae.params.wEnc.shape[1] !== d)
    throw new MonosemError(
      'shape',
      `scaling: expected held-out activations of width ${sae.params.wEnc.shape[1]}, got ${d}`,
      { hint: 'hold out activations of the hook point that is trained on' },
    )
  const sparsity = lastSparsity(config)
  let [squaredError, penalty, active] = [0, 0, 0]
  for (let first = 0; first < rows; first += chunk) {
    const part = kernels.rows(x, first, Math.min(chunk, rows - first))
    const codes = await encode(sae, part)
    const xHat = kernels.zeros(part.shape)
    const errors = kernels.zeros([part.shape[0]])
    decode(sae, xHat, codes)
    kernels.saeSquaredErrors(errors, part, xHat)
    for (const error of await kernels.readF32(errors)) squaredError += error
    for (const tensor of [xHat, errors]) kernels.free(tensor)
    penalty += penaltyOf(sparsity, codes, scale)
    active += codes.values.length
  }
  const normalizedMse = squaredError / (rows * variance)
  const relativePenalty = penalty / (rows * variance * scale * scale)
  const loss = normalizedMse + relativePenalty
  if (!Number.isFinite(loss))
    throw new MonosemError('diverged', `scaling: expected a finite held-out loss, got ${loss}`)
  return { tokens: rows, loss, normalizedMse, penalty: relativePenalty, l0: active / rows }
}

/** The penalty at its full weight. */
function lastSparsity(config: ResolvedSaeConfig): SaeSparsity {
  const totalSteps = Math.ceil(config.trainTokens / config.batchSize)
  return architectures[config.architecture].stepOptions(config, { step: totalSteps - 1, totalSteps }).sparsity
}

/** Sum over tokens, in units of scaled activations: with decoder rows of norm 1, s f is what training called f (times the row's norm). */
function penaltyOf(sparsity: SaeSparsity, { values }: Codes, scale: number): number {
  if (sparsity.kind === 'none') return 0
  if (sparsity.kind === 'l0') return sparsity.coefficient * values.length
  if (sparsity.kind === 'l1')
    return sparsity.coefficient * scale * values.reduce((sum, value) => sum + value, 0)
  throw new MonosemError('config', 'scaling: expected a penalty on activations or their number, got tanh')
}
