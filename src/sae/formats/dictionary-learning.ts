import { z } from 'zod'
import { MonosemError } from '../../errors/monosem-error.js'
import type { SaeArrays } from '../sae-params.js'
import type { Detected } from './detect.js'
import { checkConfig } from './read-json.js'
import type { SaeFile } from './sae-file.js'
import { type FoundSae, saeFileOf } from './sae-file-of.js'
import { createWeightReader, listNames, type WeightFile, type WeightReader } from './weight-reader.js'

/*
 * dictionary_learning (https://github.com/saprmarks/dictionary_learning): ae.pt holds the tensors of a class that config.json names. All subtract their
 * decoder's bias before encoding, except JumpReluAutoEncoder and AutoEncoderNew. BatchTopK and Matryoshka encode with the threshold that training
 * measured, one for all features; -1 means that it never was, and then they keep every positive pre-activation. Features are those of `encode` in
 * its present version; from some older ones those of GatedAutoEncoder and JumpReluAutoEncoder came multiplied by the norms of decoder rows.
 */

const configSchema = z.looseObject({
  trainer: z
    .looseObject({
      dict_class: z.string().optional(),
      activation_dim: z.int().positive().optional(),
      dict_size: z.int().positive().optional(),
      k: z.int().positive().optional(),
      layer: z.union([z.int(), z.string()]).nullish(),
      lm_name: z.string().nullish(),
      submodule_name: z.string().nullish(),
    })
    .default({}),
  buffer: z.looseObject({ ctx_len: z.number().optional(), io: z.string().optional() }).optional(),
})
type Config = z.infer<typeof configSchema>

/** What a class computes; the rest is the same for all. */
type Read = Pick<FoundSae, 'activation' | 'subtractDecoderBias' | 'arrays'> &
  Partial<Pick<FoundSae, 'warnings'>> & {
    /** tensors of the class that inference does without */ unused?: string[]
  }

interface Shape {
  d: number
  features: number
}

type ReadClass = (weights: WeightReader, shape: Shape, file: WeightFile, config: Config) => Promise<Read>

const readers: Record<string, ReadClass> = {
  AutoEncoder: async (weights, shape) => ({
    arrays: await linear(weights, shape, 'encoder.bias', 'bias'),
    activation: { kind: 'relu' },
    subtractDecoderBias: true,
  }),
  AutoEncoderNew: async (weights, shape) => ({
    arrays: await linear(weights, shape, 'encoder.bias', 'decoder.bias'),
    activation: { kind: 'relu' },
    subtractDecoderBias: false,
  }),
  AutoEncoderTopK: async (weights, shape, file, config) => ({
    arrays: await linear(weights, shape, 'encoder.bias', 'b_dec'),
    activation: { kind: 'topk', k: await readK(weights, file, config) },
    subtractDecoderBias: true,
    unused: ['threshold'],
  }),
  BatchTopKSAE: async (weights, shape, file) =>
    withThreshold(await linear(weights, shape, 'encoder.bias', 'b_dec'), weights, file),
  MatryoshkaBatchTopKSAE: async (weights, shape, file) =>
    withThreshold(await direct(weights, shape), weights, file),
  JumpReluAutoEncoder: async (weights, shape) => {
    const threshold = await weights.take('threshold', [shape.features])
    const arrays = {
      ...(await direct(weights, shape)),
      threshold: threshold.map((theta) => Math.max(0, theta)),
    }
    return { arrays, activation: { kind: 'jumprelu' }, subtractDecoderBias: false }
  },
  GatedAutoEncoder: async (weights, shape) => {
    const [rMag, bMag] = [
      await weights.take('r_mag', [shape.features]),
      await weights.take('mag_bias', [shape.features]),
    ]
    const arrays = { ...(await linear(weights, shape, 'gate_bias', 'decoder_bias')), rMag, bMag }
    return { arrays, activation: { kind: 'gated' }, subtractDecoderBias: true }
  },
}

/** Tensors that are a class's own, for files without config.json. */
const ownTensors: [string, readonly string[]][] = [
  ['GatedAutoEncoder', ['gate_bias', 'mag_bias']],
  ['MatryoshkaBatchTopKSAE', ['W_enc', 'group_sizes']],
  ['JumpReluAutoEncoder', ['W_enc', 'threshold']],
  ['AutoEncoder', ['encoder.weight', 'bias']],
  ['AutoEncoderNew', ['encoder.weight', 'decoder.bias']],
]

/** @throws MonosemError format, corrupt, io */
export async function readDictionaryLearning({ weights: file, config: found }: Detected): Promise<SaeFile> {
  const path = found?.path ?? file.path
  const config = checkConfig(
    configSchema,
    found?.content ?? {},
    path,
    'a configuration of dictionary_learning',
  )
  const { trainer, buffer } = config
  const name = trainer.dict_class ?? classOf(file)
  const read = Object.hasOwn(readers, name) ? readers[name] : undefined
  if (read === undefined)
    throw new MonosemError(
      'format',
      `${path}: dict_class is ${name}, expected ${Object.keys(readers).join(', ')}`,
    )
  const weights = createWeightReader(file, `a ${name} of dictionary_learning`)
  const shape = shapeOf(weights, config, path)
  const { unused, ...result } = await read(weights, shape, file, config)
  weights.finish(unused)
  return saeFileOf({
    ...result,
    weights,
    format: 'dictionary_learning',
    architecture: name,
    hookName: hookOf(config),
    modelName: trainer.lm_name ?? null,
    metadata: buffer?.ctx_len === undefined ? {} : { context_size: buffer.ctx_len },
  })
}

function classOf(file: WeightFile): string {
  const has = (name: string) => file.entries.has(name) || name in file.values
  const own = ownTensors.find(([, names]) => names.every(has))
  if (own) return own[0]
  throw new MonosemError(
    'format',
    `${file.path}: expected config.json beside it, got none; tensors ${listNames(file.entries.keys())}`,
    { hint: 'AutoEncoderTopK and BatchTopKSAE have the same tensors: only config.json says which one it is' },
  )
}

function shapeOf(weights: WeightReader, { trainer }: Config, path: string): Shape {
  const [d, features] = weights.has('W_enc')
    ? weights.shape('W_enc', 2)
    : [...weights.shape('encoder.weight', 2)].reverse()
  const { activation_dim = d, dict_size = features } = trainer
  if (activation_dim !== d || dict_size !== features)
    throw new MonosemError(
      'format',
      `${path}: expected activation_dim ${activation_dim} and dict_size ${dict_size}, got ${d} and ${features} in ${weights.path}`,
      { hint: 'the configuration and the weights do not belong together' },
    )
  return { d, features }
}

/** encoder.weight [F, D] and decoder.weight [D, F] of PyTorch's linear layers. */
async function linear(
  weights: WeightReader,
  { d, features }: Shape,
  encoderBias: string,
  decoderBias: string,
): Promise<SaeArrays> {
  return {
    wEnc: await weights.take('encoder.weight', [features, d]),
    bEnc: await weights.take(encoderBias, [features]),
    wDec: await weights.takeTransposed('decoder.weight', [d, features]),
    bDec: await weights.take(decoderBias, [d]),
  }
}

/** W_enc [D, F] and W_dec [F, D] */
async function direct(weights: WeightReader, { d, features }: Shape): Promise<SaeArrays> {
  return {
    wEnc: await weights.takeTransposed('W_enc', [d, features]),
    bEnc: await weights.take('b_enc', [features]),
    wDec: await weights.take('W_dec', [features, d]),
    bDec: await weights.take('b_dec', [d]),
  }
}

/** JumpReLU with the one threshold of BatchTopK. */
async function withThreshold(arrays: SaeArrays, weights: WeightReader, file: WeightFile): Promise<Read> {
  const stored = await readNumber(weights, file, 'threshold')
  const unset = stored === undefined || stored < 0
  const threshold = new Float32Array(arrays.bEnc.length).fill(unset ? 0 : stored)
  return {
    arrays: { ...arrays, threshold },
    activation: { kind: 'jumprelu' },
    subtractDecoderBias: true,
    unused: ['k', 'group_sizes'],
    warnings: unset
      ? [
          `${file.path}: the threshold was never set (${stored ?? 'not there'}): every positive pre-activation is active, as dictionary_learning has it`,
        ]
      : [],
  }
}

async function readK(weights: WeightReader, file: WeightFile, { trainer }: Config): Promise<number> {
  const stored = await readNumber(weights, file, 'k')
  const k = stored ?? trainer.k
  if (k === undefined || !Number.isInteger(k) || k < 1)
    throw new MonosemError('format', `${file.path}: expected k as a count, got ${k ?? 'none'}`)
  if (trainer.k !== undefined && trainer.k !== k)
    throw new MonosemError('format', `${file.path}: expected k ${trainer.k} as in config.json, got ${k}`)
  return k
}

/** A number that is saved as a tensor of one element, or as it is. */
async function readNumber(
  weights: WeightReader,
  file: WeightFile,
  name: string,
): Promise<number | undefined> {
  if (weights.has(name)) return weights.scalar(name)
  const value = file.values[name]
  return typeof value === 'number' ? value : undefined
}

/** Only outputs of a whole block have one meaning in every family. */
function hookOf({ trainer, buffer }: Config): string | null {
  const layer = /^\d+$/.exec(String(trainer.layer ?? ''))?.[0]
  const whole = /^resid_post/.test(trainer.submodule_name ?? '') && (buffer?.io ?? 'out') === 'out'
  return layer !== undefined && whole ? `blocks.${layer}.hook_resid_post` : null
}
