import { z } from 'zod'

const positive = () => z.number().int().positive()
const fraction = () => z.number().min(0).max(1)

export const architectureNames = [
  'relu',
  'relu-norm',
  'gated',
  'jumprelu',
  'jumprelu-tanh',
  'topk',
  'batchtopk',
  'matryoshka',
] as const

/**
 * Everything a person can choose about training a sparse autoencoder. Field names become command-line flags. What depends on other fields
 * is optional here and filled in by `resolveSaeConfig`; `docs/architectures.md` says what each coefficient multiplies.
 *
 * The defaults suit a small model and minutes of training. Training longer raises explained variance and loss recovered, and splits
 * features: on the demo's model 3 million tokens instead of 1.6 took the best Arabic feature's correlation with the script from
 * 0.67 to 0.56, because features of single Arabic tokens took over from the one for the script.
 */
export const saeConfigSchema = z.strictObject({
  architecture: z
    .enum(architectureNames)
    .default('relu')
    .describe(
      'relu: ReLU with an L1 penalty (Bricken et al. 2023); relu-norm: L1 weighted by decoder norms (Templeton et al. 2024); ' +
        'gated, jumprelu (Rajamanoharan et al. 2024); jumprelu-tanh (Circuits Updates, January 2025); ' +
        'topk: the k largest (Gao et al. 2024); batchtopk, matryoshka (Bussmann et al. 2024, 2025)',
    ),
  hookName: z
    .string()
    .default('blocks.0.mlp.hook_post')
    .describe('hook point whose activations are decomposed'),
  targetHookName: z
    .string()
    .optional()
    .describe(
      'hook point that is reconstructed; another one than --hook-name makes a transcoder (default: --hook-name)',
    ),
  skip: z
    .boolean()
    .default(false)
    .describe('transcoder: add a linear connection from the input to the output'),
  features: positive().optional().describe('number of features (default: 4096)'),
  expansion: z
    .number()
    .min(1)
    .max(256)
    .optional()
    .describe('number of features as a multiple of the width of the activations, instead of --features'),
  l1Coefficient: z
    .number()
    .nonnegative()
    .optional()
    .describe(
      'relu, relu-norm, gated: weight of the L1 penalty, for activations scaled to a mean norm of sqrt(D) (default: relu 3.5, relu-norm 5, gated 7)',
    ),
  l0Coefficient: z
    .number()
    .nonnegative()
    .optional()
    .describe(
      'jumprelu, jumprelu-tanh: weight of the penalty on the number of active features, or on its smooth stand-in (default: jumprelu 0.002 D, jumprelu-tanh 5)',
    ),
  bandwidth: z
    .number()
    .positive()
    .optional()
    .describe(
      'jumprelu, jumprelu-tanh: width of the window around the threshold in which it learns (default: jumprelu 0.02 sqrt(D), jumprelu-tanh 2)',
    ),
  initialThreshold: z
    .number()
    .positive()
    .optional()
    .describe(
      'jumprelu, jumprelu-tanh: threshold of every feature at the start (default: jumprelu 0.05 sqrt(D), jumprelu-tanh 0.1)',
    ),
  tanhScale: z
    .number()
    .positive()
    .default(4)
    .describe('jumprelu-tanh: how fast the penalty of an activation reaches its ceiling'),
  preActCoefficient: z
    .number()
    .nonnegative()
    .default(3e-6)
    .describe('jumprelu-tanh: weight of the penalty on pre-activations below the threshold'),
  sparsityWarmupFraction: fraction()
    .optional()
    .describe(
      'share of the steps in which the penalty on activations rises from 0 (default: 0.05; jumprelu-tanh: 1)',
    ),
  k: positive()
    .default(32)
    .describe('topk: active features per token; batchtopk, matryoshka: the same on average'),
  initialK: positive()
    .optional()
    .describe(
      'topk, batchtopk, matryoshka: the same at the start, from where it falls to --k (default: --k)',
    ),
  kAnnealFraction: fraction()
    .default(0.6)
    .describe('share of the steps, from the first, in which --initial-k falls to --k'),
  prefixes: z
    .array(z.number().positive())
    .min(1)
    .optional()
    .describe(
      'matryoshka: nested parts of the dictionary that must reconstruct by themselves, as shares of the features or as counts; the whole ' +
        'dictionary is always among them (default: 1/16, 1/8, 1/4, 1/2, 1)',
    ),
  freezeDecoder: z
    .boolean()
    .default(false)
    .describe(
      'leave the decoder at its random start and train everything else: a baseline that a learned dictionary has to beat (Korznikov et al. 2026)',
    ),
  deadFeatures: z
    .enum(['resample', 'auxk', 'none'])
    .optional()
    .describe(
      'what becomes of dead features: resample (Bricken et al. 2023), auxk (Gao et al. 2024; topk, batchtopk, matryoshka only) or none ' +
        '(default: relu, gated: resample, or none with --freeze-decoder; topk, batchtopk, matryoshka: auxk; others: none)',
    ),
  deadAfterTokens: positive()
    .default(100_000)
    .describe('tokens without firing after which a feature counts as dead'),
  resampleAt: z
    .array(fraction())
    .default([0.1, 0.2, 0.35, 0.5])
    .describe('resample: shares of the steps after which it is done'),
  resampleTokens: positive()
    .default(65_536)
    .describe('resample: the next tokens of the stream, from which inputs are chosen'),
  auxK: positive().default(256).describe('auxk: dead features that model the error of each token'),
  auxKCoefficient: z
    .number()
    .nonnegative()
    .default(1 / 32)
    .describe('auxk: weight of the auxiliary loss; 0 turns it off'),
  trainTokens: positive().default(1_800_000).describe('tokens to train on'),
  batchSize: positive().default(2048).describe('tokens per step'),
  learningRate: z.number().positive().default(1e-3).describe('peak learning rate of Adam'),
  learningRateSchedule: z
    .enum(['linear', 'cosine', 'constant'])
    .default('linear')
    .describe('how the learning rate falls to 0 at the end, or that it stays'),
  warmupFraction: fraction()
    .default(0.02)
    .describe('share of the steps in which the learning rate rises from 0'),
  decayFraction: fraction()
    .optional()
    .describe(
      'share of the steps, at the end, in which it falls to 0 (default: 0.2; cosine: all after the warm-up)',
    ),
  beta1: fraction().default(0.9).describe('decay of the first moment of Adam'),
  beta2: fraction().default(0.999).describe('decay of the second moment of Adam'),
  gradientClip: z
    .number()
    .nonnegative()
    .optional()
    .describe('largest L2 norm of the gradient; 0 for no limit (default: 0; relu-norm, jumprelu-tanh: 1)'),
  emaDecay: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe(
      'decay of a moving average of the parameters, which is saved instead of the last ones; 0 for none',
    ),
  precision: z
    .enum(['auto', 'fp32', 'bf16', 'int8'])
    .default('auto')
    .describe(
      'how encoding looks for active features; fp32 (auto) misses none, bf16 and int8 may miss a few',
    ),
  badActivations: z
    .enum(['stop', 'skip'])
    .default('stop')
    .describe('what to do at activations with NaN or infinity: stop, or leave them out and count them'),
  initTokens: positive()
    .default(8192)
    .describe('tokens that set the activation scale and the initial decoder bias'),
  measureTokens: positive().default(131_072).describe('tokens on which the trained autoencoder is measured'),
  bufferTokens: positive().default(262_144).describe('activations in the shuffle buffer, in tokens'),
  activationDtype: z.enum(['bf16', 'f32']).default('bf16').describe('number format of the shuffle buffer'),
  modelBatch: positive().default(32).describe('sequences per forward pass of the model'),
  logEverySteps: positive().default(50).describe('steps between lines of metrics.jsonl'),
  tensorboard: z
    .boolean()
    .default(false)
    .describe('also write the lines of metrics.jsonl as an event file for TensorBoard'),
  checkpointEverySeconds: z
    .number()
    .nonnegative()
    .default(60)
    .describe('time between checkpoints, seconds; 0 for one after every step'),
  seed: z.number().int().nonnegative().default(0).describe('seed of every random choice'),
  streamSeed: z
    .number()
    .int()
    .nonnegative()
    .optional()
    .describe('seed of the order of the activations alone (default: --seed)'),
})

/** What was asked for. */
export type SaeConfig = z.infer<typeof saeConfigSchema>

/** What is done: every field has a value. `prefixes` are counts, `features` stands for `expansion`. */
export type ResolvedSaeConfig = Required<Omit<SaeConfig, 'expansion'>>

/** Whether it reconstructs another hook point than the one it reads. */
export function isTranscoder(config: Pick<ResolvedSaeConfig, 'hookName' | 'targetHookName'>): boolean {
  return config.targetHookName !== config.hookName
}
