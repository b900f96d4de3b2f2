import { MonosemError } from '../errors/monosem-error.js'
import type { Tensor } from '../kernels/kernels.js'
import { nearNames } from './near-names.js'
import type { TransformerConfig } from './transformer-config.js'

/**
 * Called with an activation during the forward pass, in forward order. It may enqueue kernel operations that
 * change the tensor in place, or return another tensor of the same shape to go on with; returning nothing
 * keeps the tensor. What the tensor holds changes later, unless the workspace keeps that hook point.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook that only looks, or edits in place, returns nothing
export type Hook = (activation: Tensor, name: string) => Tensor | void

/** A hook that may wait for something, e.g. to read the activation: the pass goes on when its promise resolves. */
export type AsyncHook = (
  activation: Tensor,
  name: string,
  // biome-ignore lint/suspicious/noConfusingVoidType: as of `Hook`
) => Tensor | void | Promise<Tensor | void>

/** A hook point of a block: its width, where it is there at all, and what passes it by. */
interface BlockHook {
  name: string
  /** what the configuration must have; everything by default */
  there?: (config: TransformerConfig) => boolean
  /** D by default */
  width?: (config: TransformerConfig) => number
  /** what else a forward pass reads that starts here, of this block */
  beside?: readonly string[]
}

const queries = (config: TransformerConfig): number => config.heads * config.headWidth
const keys = (config: TransformerConfig): number => config.keyValueHeads * config.headWidth
const neurons = (config: TransformerConfig): number => config.dMlp
const normedHeads = (config: TransformerConfig): boolean => config.queryKeyNorms
const rotary = (config: TransformerConfig): boolean => config.rotary !== null
const gated = (config: TransformerConfig): boolean => config.gatedMlp
const postNorms = (config: TransformerConfig): boolean => config.postNorms

/**
 * In the order in which a forward pass reaches them. `attn.hook_out` and `mlp.hook_out` (names of TransformerLens's bridges) are what attention and
 * MLP write before a post norm; without one they would be hook_attn_out and hook_mlp_out, which are what is added to the residual stream.
 * `hook_normalized` is what the next layer reads, scale and bias included. TransformerLens shows it before both (and loads models with both
 * folded into the next layer): ours is w times that, plus b.
 */
const BLOCK_HOOKS: readonly BlockHook[] = [
  { name: 'hook_resid_pre' },
  { name: 'ln1.hook_normalized', beside: ['hook_resid_pre'] },
  { name: 'attn.hook_q', width: queries, beside: ['hook_resid_pre', 'ln1.hook_normalized'] },
  { name: 'attn.hook_k', width: keys, beside: ['hook_resid_pre', 'ln1.hook_normalized', 'attn.hook_q'] },
  { name: 'attn.hook_v', width: keys, beside: ['hook_resid_pre', 'attn.hook_q', 'attn.hook_k'] },
  {
    name: 'attn.q_norm.hook_normalized',
    there: normedHeads,
    width: queries,
    beside: ['hook_resid_pre', 'attn.hook_k', 'attn.hook_v'],
  },
  {
    name: 'attn.k_norm.hook_normalized',
    there: normedHeads,
    width: keys,
    beside: ['hook_resid_pre', 'attn.q_norm.hook_normalized', 'attn.hook_v'],
  },
  {
    name: 'attn.hook_rot_q',
    there: rotary,
    width: queries,
    beside: ['hook_resid_pre', 'attn.hook_k', 'attn.k_norm.hook_normalized', 'attn.hook_v'],
  },
  {
    name: 'attn.hook_rot_k',
    there: rotary,
    width: keys,
    beside: ['hook_resid_pre', 'attn.hook_rot_q', 'attn.hook_v'],
  },
  { name: 'attn.hook_pattern' },
  { name: 'attn.hook_z', width: queries, beside: ['hook_resid_pre'] },
  { name: 'attn.hook_out', there: postNorms, beside: ['hook_resid_pre'] },
  { name: 'hook_attn_out', beside: ['hook_resid_pre'] },
  { name: 'hook_resid_mid', there: (config) => !config.parallelResidual },
  { name: 'ln2.hook_normalized', beside: ['hook_resid_mid'] },
  { name: 'mlp.hook_pre', width: neurons, beside: ['hook_resid_mid', 'ln2.hook_normalized'] },
  { name: 'mlp.hook_pre_linear', there: gated, width: neurons, beside: ['hook_resid_mid', 'mlp.hook_pre'] },
  { name: 'mlp.hook_post', width: neurons, beside: ['hook_resid_mid'] },
  { name: 'mlp.hook_out', there: postNorms, beside: ['hook_resid_mid'] },
  { name: 'hook_mlp_out', beside: ['hook_resid_mid'] },
  { name: 'hook_resid_post' },
]

const blockHooks = (config: TransformerConfig): BlockHook[] =>
  BLOCK_HOOKS.filter(({ there }) => there === undefined || there(config))

/** The last hook point: what logits are made of. */
export const BEFORE_LOGITS = 'ln_final.hook_normalized'

/** Names of all hook points, in the order in which a forward pass reaches them. */
export function hookNames(config: TransformerConfig): string[] {
  const names = ['hook_embed', ...(config.learnedPositions ? ['hook_pos_embed'] : [])]
  const ofBlock = blockHooks(config)
  for (let layer = 0; layer < config.layers; layer++)
    for (const { name } of ofBlock) names.push(`blocks.${layer}.${name}`)
  return [...names, BEFORE_LOGITS]
}

const orders = new WeakMap<TransformerConfig, Map<string, number>>()

/** Place of each hook point in the order of a forward pass; made once for each configuration. */
function hookOrder(config: TransformerConfig): Map<string, number> {
  const order = orders.get(config) ?? new Map(hookNames(config).map((name, place) => [name, place]))
  orders.set(config, order)
  return order
}

/** "blocks.3.attn.hook_q" -> "blocks.3." and "attn.hook_q"; names outside of blocks have no block */
export function splitHookName(name: string): { block: string; point: string } {
  const [, block = '', point = name] = /^(blocks\.\d+\.)(.+)$/.exec(name) ?? []
  return { block, point }
}

const isPattern = (name: string): boolean => name.endsWith('attn.hook_pattern')

/**
 * Width of the activation [N, width] at a hook point.
 * @throws MonosemError config (no such hook point; or the attention pattern, which is [B, H, T, T])
 */
export function hookWidth(config: TransformerConfig, name: string): number {
  hookPlace(config, name)
  if (isPattern(name))
    throw new MonosemError('config', `model/transformer: ${name} is [B, H, T, T] and has no width`, {
      hint: 'choose a hook point that holds one vector per token',
    })
  const { point } = splitHookName(name)
  const found = BLOCK_HOOKS.find((hook) => hook.name === point)
  return found?.width?.(config) ?? config.dModel
}

/**
 * Where a forward pass reaches a hook point; smaller comes earlier.
 * @throws MonosemError config (no such hook point)
 */
export function hookPlace(config: TransformerConfig, name: string): number {
  const place = hookOrder(config).get(name)
  if (place !== undefined) return place
  const names = hookNames(config)
  throw new MonosemError('config', `model/transformer: no hook point is called ${name}`, {
    hint: `did you mean one of ${nearNames(name, names).join(', ')}? \`monosem model info\` lists them`,
  })
}

/**
 * The last of some hook points that a forward pass reaches: where it can stop.
 * @throws MonosemError config (no such hook point)
 */
export function lastHook(config: TransformerConfig, wanted: readonly string[]): string {
  return wanted.reduce((last, name) => (hookPlace(config, name) > hookPlace(config, last) ? name : last))
}

/**
 * The hook points that a forward pass with `startAt` reads: that one first, then those whose activations pass it by.
 * @throws MonosemError config (no such hook point; or the attention pattern, where no pass can start)
 */
export function hooksToStartAt(config: TransformerConfig, name: string): string[] {
  hookWidth(config, name)
  if (name === 'hook_pos_embed') return [name, 'hook_embed']
  const { block, point } = splitHookName(name)
  const here = blockHooks(config)
  const beside = here.find((hook) => hook.name === point)?.beside ?? []
  const others = config.parallelResidual ? besideInParallel(point, beside) : beside
  return [
    name,
    ...others.filter((other) => here.some((hook) => hook.name === other)).map((other) => block + other),
  ]
}

/** Where the MLP reads resid_pre too: what was after attention still needs both, and there is no resid_mid. */
function besideInParallel(point: string, beside: readonly string[]): string[] {
  if (point.startsWith('attn.') || point === 'ln1.hook_normalized' || point === 'hook_attn_out')
    return [...beside]
  const others = beside.filter((name) => name !== 'hook_resid_mid')
  return beside.length === 0 ? [] : ['hook_resid_pre', 'hook_attn_out', ...others]
}

/** Whether a change at a hook point can reach other tokens: is there attention after it? */
export function attentionFollows(config: TransformerConfig, name: string): boolean {
  return hookPlace(config, name) <= hookPlace(config, `blocks.${config.layers - 1}.attn.hook_pattern`)
}
