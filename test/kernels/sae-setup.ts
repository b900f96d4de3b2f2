import type {
  AdamOptions,
  Kernels,
  SaeForm,
  SaeStepOptions,
  SaeTensors,
  SaeTraining,
  Tensor,
} from '../../src/kernels/kernels.js'
import { SAE_RUNNING } from '../../src/kernels/sae-kernels.js'
import type { PlainSae } from './plain-sae.js'
import { likeSae, RandomTensors, type SaeLayout, saeTensors } from './random-tensors.js'

/** Sizes of the autoencoders that tests of the reference use. */
export const [N, F, D] = [6, 9, 4]

/** beta1 = 0 makes Adam's first moment the gradient itself; learningRate 0 leaves the parameters alone. */
export const GRADIENT_ONLY: AdamOptions = {
  learningRate: 0,
  beta1: 0,
  beta2: 0,
  epsilon: 1,
  weightDecay: 0,
  step: 1,
}
export const TRAIN: AdamOptions = {
  learningRate: 0.05,
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  weightDecay: 0,
  step: 1,
}

export const RELU_FORM: SaeForm = { activation: { kind: 'relu' }, subtractDecoderBias: true }
export const topkForm = (k: number): SaeForm => ({
  activation: { kind: 'topk', k },
  subtractDecoderBias: true,
})

export const RELU: SaeStepOptions = {
  form: RELU_FORM,
  sparsity: { kind: 'l1', coefficient: 0.7, byDecoderNorm: false },
  adam: GRADIENT_ONLY,
  unitNormDecoder: false,
}
export const TOPK: SaeStepOptions = { ...RELU, form: topkForm(2), sparsity: { kind: 'none' } }
export const AUX = { k: 2, coefficient: 0.8, deadAfterTokens: 100 }

/** An autoencoder in training and a batch for it; y is x but for transcoders. */
export interface Setup {
  training: SaeTraining
  x: Tensor
  y: Tensor
}

/** Everything a step needs besides the parameters, all at its start. */
export function trainingOf(k: Kernels, params: SaeTensors): SaeTraining {
  const zeros = (): SaeTensors => likeSae(params, (shape) => k.zeros(shape))
  return {
    params,
    m: zeros(),
    v: zeros(),
    packed: k.saePack(params.wEnc, 'fp32', null),
    tokensSinceFired: k.zeros([params.wEnc.shape[0]], 'i32'),
    running: k.zeros([SAE_RUNNING]),
  }
}

/** A small autoencoder for the form of some options; some features are dead already. */
export function setup(
  k: Kernels,
  seed: number,
  options: Pick<SaeStepOptions, 'form'>,
  { count = N, dOut = D, skip = false }: { count?: number; dOut?: number; skip?: boolean } = {},
): Setup {
  const random = new RandomTensors(k, seed)
  const { activation } = options.form
  const layout: SaeLayout = { features: F, d: D, dOut, activation, skip }
  const log = activation.kind === 'jumprelu' && activation.logThreshold
  const params = saeTensors(layout, (shape, key) => {
    if (key === 'threshold') return random.between(shape, log ? -1.5 : 0.2, log ? 0 : 1)
    return random.signed(shape, key === 'rMag' ? 0.5 : 1)
  })
  const training = trainingOf(k, params)
  k.write(training.tokensSinceFired, Int32Array.of(0, 500, 100, 99, 0, 200, 150, 7, 1000))
  const x = random.signed([count, D], 2)
  return { training, x, y: dOut === D && !skip ? x : random.signed([count, dOut], 2) }
}

/** The tensors of an autoencoder in float64. */
export async function plain(k: Kernels, sae: SaeTensors): Promise<PlainSae> {
  const entries = Object.entries(sae).map(async ([key, t]: [string, Tensor]) => [
    key,
    Float64Array.from(await k.readF32(t)),
  ])
  return Object.fromEntries(await Promise.all(entries)) as PlainSae
}
