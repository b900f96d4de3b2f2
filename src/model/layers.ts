/**
 * What a transformer is made of, one function for each kind of layer: what it computes, and beside it how its gradient goes back.
 *
 * Shapes: N = B*T tokens, D = dModel, M = dMlp, V vocabulary, H query heads, G heads of keys and values, W head width.
 */
import type { AttentionOptions, Tensor } from '../kernels/kernels.js'
import { mixValuesBackward } from './attention-pattern.js'
import type { GradientStep, Gradients } from './gradients.js'
import type { Transformer } from './parameters.js'
import type { TransformerConfig } from './transformer-config.js'
import { hookBuffer, hookRoom, keeps, type Workspace } from './workspace.js'

/** An activation under the name of its hook point. */
export interface Activation {
  name: string
  tensor: Tensor
}

/**
 * A forward pass stops at every hook point, hands out the activation there, and goes on with the one that
 * it is given.
 */
export type Steps<Result = Activation> = Generator<Activation, Result, Activation>

/** A forward pass under way. */
export interface Pass {
  model: Transformer
  workspace: Workspace
  attention: Attention
  /** by hook point, to know where there are any */
  hooks: Record<string, unknown>
  /** hook point after which the pass ends */
  stopAfter: string | undefined
}

/** How a forward pass lets positions look at one another. */
export interface Attention {
  patternShape: readonly number[]
  /** z = pattern applied to the values, pattern = softmax(scale q k^T); null where nobody wants to see it. z, q [N, H*W], k, v [N, G*W] of the rows of the pass */
  attend(layer: number, z: Tensor, pattern: Tensor | null, q: Tensor, k: Tensor, v: Tensor): void
  /** z = pattern applied to the values once more, after a hook may have changed the pattern */
  mix(layer: number, z: Tensor, pattern: Tensor, v: Tensor): void
}

/** What the attention kernels have to know about a layer. */
export function attentionOptions(config: TransformerConfig, layer: number): AttentionOptions {
  return {
    heads: config.heads,
    keyValueHeads: config.keyValueHeads,
    scale: config.attentionScale,
    softCap: config.attentionSoftCap,
    window: config.windows[layer] ?? null,
  }
}

const buffer = ({ model, workspace }: Pass, name: string): Tensor => hookBuffer(model, workspace, name)

/** Remembers how to go back through a layer, where everything that this takes is kept. */
function record({ workspace }: Pass, step: GradientStep): void {
  if (workspace.keep === 'all') workspace.tape.push(step)
}

/** out[n] = table[ids[n]] * scale. ids [N], out [N, D] */
export function* lookUp(pass: Pass, name: string, table: string, ids: Tensor, scale = 1): Steps {
  const { kernels, params } = pass.model
  const { contextLength } = pass.workspace
  const out = buffer(pass, name)
  kernels.embedForward(out, ids, params[table], null, contextLength)
  if (scale !== 1) kernels.scaleInPlace(out, scale)
  record(pass, ({ parameters, of }) => {
    if (!parameters[table]) return
    let dout = of(name)
    if (scale !== 1) {
      dout = pass.workspace.room('scaled gradient', out.shape)
      kernels.copy(dout, of(name))
      kernels.scaleInPlace(dout, scale)
    }
    kernels.embedBackward(parameters[table], null, dout, ids, contextLength)
  })
  return yield { name, tensor: out }
}

/** out = sum of the parts, [N, D] each, two or more */
export function* sum(pass: Pass, name: string, first: Activation, ...others: Activation[]): Steps {
  const { kernels } = pass.model
  const out = buffer(pass, name)
  let total = first.tensor
  for (const { tensor } of others) {
    kernels.add(out, total, tensor)
    total = out
  }
  record(pass, (gradients) => {
    for (const part of [first, ...others]) gradients.pass(name, part.name)
  })
  return yield { name, tensor: out }
}

/** The same numbers under another name. They are only copied where someone may change them or keeps them. */
export function* carry(pass: Pass, name: string, x: Activation): Steps {
  const own = keeps(pass.workspace, name) || pass.hooks[name] !== undefined
  const out = own ? buffer(pass, name) : x.tensor
  if (out !== x.tensor) pass.model.kernels.copy(out, x.tensor)
  record(pass, (gradients) => gradients.pass(name, x.name))
  return yield { name, tensor: out }
}

/** out = x W + b; b where the model has it. x [N, I], out [N, O] */
export function* linear(pass: Pass, name: string, x: Activation, part: string, suffix: string): Steps {
  const { kernels, params } = pass.model
  const [w, b] = [`${part}.W_${suffix}`, `${part}.b_${suffix}`]
  const out = buffer(pass, name)
  kernels.linearForward(out, x.tensor, params[w], params[b] ?? null)
  record(pass, (gradients) => {
    const [dW, db] = [gradients.parameters[w] ?? null, gradients.parameters[b] ?? null]
    gradients.add(x.name, x.tensor.shape, (dx) =>
      kernels.linearBackward(dx, dW, db, gradients.of(name), x.tensor, params[w]),
    )
  })
  return yield { name, tensor: out }
}

/** LayerNorm or RMSNorm with parameters `<norm>.w` and `.b`, of whole rows or of each head of a row, by the width of w. */
export function* norm(
  pass: Pass,
  name: string,
  x: Activation,
  parameters: string,
  kind = pass.model.config.norm,
): Steps {
  const { workspace } = pass
  const { kernels, params, config } = pass.model
  const [w, b] = [params[`${parameters}.w`], params[`${parameters}.b`]]
  const out = buffer(pass, name)
  const [width] = w.shape
  const rows = (out.shape[0] * out.shape[1]) / width
  const cut = (t: Tensor): Tensor => (width === t.shape[1] ? t : kernels.reshape(t, [rows, width]))
  const figures = workspace.keep === 'all' ? parameters : rows
  const rstd = workspace.room(`${figures} rstd`, [rows])
  const dW = (gradients: Gradients) => gradients.parameters[`${parameters}.w`] ?? null
  if (kind === 'layer') {
    const mean = workspace.room(`${figures} mean`, [rows])
    kernels.layerNormForward(cut(out), mean, rstd, cut(x.tensor), w, b, config.normEpsilon)
    record(pass, (gradients) => {
      const [dout, db] = [cut(gradients.of(name)), gradients.parameters[`${parameters}.b`] ?? null]
      gradients.add(x.name, x.tensor.shape, (dx) =>
        kernels.layerNormBackward(cut(dx), dW(gradients), db, dout, cut(x.tensor), w, mean, rstd),
      )
    })
  } else {
    kernels.rmsNormForward(cut(out), rstd, cut(x.tensor), w, config.normEpsilon)
    record(pass, (gradients) => {
      const dout = cut(gradients.of(name))
      gradients.add(x.name, x.tensor.shape, (dx) =>
        kernels.rmsNormBackward(cut(dx), dW(gradients), dout, cut(x.tensor), w, rstd),
      )
    })
  }
  return yield { name, tensor: out }
}

/** Each head of x turned by its position. x, out [N, heads * W] */
export function* rotate(pass: Pass, name: string, x: Activation, heads: number): Steps {
  const { kernels } = pass.model
  const { rotary, positions } = pass.workspace
  if (!rotary)
    throw new Error('a workspace without rotary tables for a model that turns its queries and keys')
  const { cos, sin } = rotary
  const out = buffer(pass, name)
  kernels.rotaryForward(out, x.tensor, positions, cos, sin, heads)
  record(pass, (gradients) =>
    gradients.add(x.name, x.tensor.shape, (dx) =>
      kernels.rotaryBackward(dx, gradients.of(name), positions, cos, sin, heads),
    ),
  )
  return yield { name, tensor: out }
}

/** z = softmax(scale q k^T) v, by head. z, q [N, H*W], k, v [N, G*W] */
export function* attend(pass: Pass, layer: number, q: Activation, k: Activation, v: Activation): Steps {
  const { attention, hooks, workspace } = pass
  const { kernels, config } = pass.model
  const [name, patternName] = [`blocks.${layer}.attn.hook_z`, `blocks.${layer}.attn.hook_pattern`]
  const z = buffer(pass, name)
  const hooked = hooks[patternName] !== undefined
  const wanted = hooked || keeps(workspace, patternName) || pass.stopAfter === patternName
  const pattern = wanted
    ? workspace.room(hookRoom(config, workspace, patternName), attention.patternShape)
    : null
  attention.attend(layer, z, pattern, q.tensor, k.tensor, v.tensor)
  let original = pattern
  let mixed = pattern
  if (pattern) {
    if (hooked && workspace.keep === 'all') {
      // The backward pass of the softmax needs the pattern as it was, so the hook works on a copy.
      original = workspace.room(`${patternName} before its hook`, pattern.shape)
      kernels.copy(original, pattern)
    }
    mixed = (yield { name: patternName, tensor: pattern }).tensor
    if (hooked) attention.mix(layer, z, mixed, v.tensor)
  }
  record(pass, (gradients) => {
    const dz = gradients.of(name)
    gradients.add(v.name, v.tensor.shape, (dv) => {
      gradients.add(k.name, k.tensor.shape, (dk) => {
        gradients.add(q.name, q.tensor.shape, (dq) => {
          const options = attentionOptions(config, layer)
          kernels.attentionBackward(
            dq,
            dk,
            dv,
            dz,
            original as Tensor,
            q.tensor,
            k.tensor,
            v.tensor,
            workspace.starts,
            options,
          )
          if (!hooked) return
          gradients.add(patternName, attention.patternShape, (dPattern) =>
            mixValuesBackward(kernels, dPattern, dv, dz, mixed as Tensor, v.tensor, options),
          )
        })
      })
    })
  })
  return yield { name, tensor: z }
}

/** out = act(x) */
export function* activate(pass: Pass, name: string, x: Activation): Steps {
  const { kernels, config } = pass.model
  const out = buffer(pass, name)
  kernels.activationForward(out, x.tensor, config.activation)
  record(pass, (gradients) =>
    gradients.add(x.name, x.tensor.shape, (dx) =>
      kernels.activationBackward(dx, gradients.of(name), x.tensor, config.activation),
    ),
  )
  return yield { name, tensor: out }
}

/** out = act(gate) * up */
export function* gate(pass: Pass, name: string, gated: Activation, up: Activation): Steps {
  const { kernels, config } = pass.model
  const out = buffer(pass, name)
  kernels.gatedForward(out, gated.tensor, up.tensor, config.activation)
  record(pass, (gradients) =>
    gradients.add(gated.name, gated.tensor.shape, (dGate) =>
      gradients.add(up.name, up.tensor.shape, (dUp) =>
        kernels.gatedBackward(dGate, dUp, gradients.of(name), gated.tensor, up.tensor, config.activation),
      ),
    ),
  )
  return yield { name, tensor: out }
}

/** Logits [N, V] = normalized W_U, or normalized W_E^T where embeddings are tied; then the soft cap. Enqueues only. */
export function unembed(
  { kernels, config, params }: Pick<Transformer, 'kernels' | 'config' | 'params'>,
  logits: Tensor,
  normalized: Tensor,
): void {
  if (config.tiedEmbeddings) kernels.linearTransposedForward(logits, normalized, params['embed.W_E'])
  else kernels.linearForward(logits, normalized, params['unembed.W_U'], null)
  if (config.logitSoftCap !== null) kernels.softCapForward(logits, logits, config.logitSoftCap)
}

/** The last layer: `unembed` into the workspace's logits, whose gradient takes their place. */
export function unembedLayer(pass: Pass, x: Activation): void {
  const { model, workspace } = pass
  const { kernels, config, params } = model
  const { logits } = workspace
  unembed(model, logits, x.tensor)
  const cap = config.logitSoftCap
  const capped =
    cap !== null && workspace.keep === 'all' ? workspace.room('capped logits', logits.shape) : null
  if (capped) kernels.copy(capped, logits)
  record(pass, ({ parameters, add }) => {
    if (cap !== null && capped) kernels.softCapBackward(logits, logits, capped, cap)
    add(x.name, x.tensor.shape, (dx) => {
      const w = config.tiedEmbeddings ? 'embed.W_E' : 'unembed.W_U'
      const dW = parameters[w] ?? null
      if (config.tiedEmbeddings) kernels.linearTransposedBackward(dx, dW, logits, x.tensor, params[w])
      else kernels.linearBackward(dx, dW, null, logits, x.tensor, params[w])
    })
  })
}
