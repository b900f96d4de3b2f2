import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WindowBatch } from '../../src/corpus/windows.js'
import { MonosemError } from '../../src/errors/monosem-error.js'
import { loadKernels } from '../../src/kernels/load.js'
import {
  attentionFollows,
  backward,
  createTransformer,
  createWorkspace,
  type ForwardOptions,
  forward,
  freeWorkspace,
  type Hook,
  hookBuffer,
  hookNames,
  hooksToStartAt,
  hookWidth,
  loss,
  parameterCount,
  type Transformer,
  zerosLikeParameters,
} from '../../src/model/transformer.js'
import { counted, TINY, tinyBatch, tinyModel } from './tiny-model.js'

const kernels = await loadKernels()
/** of finite differences */
const STEP = 2e-3

const isError =
  (code: string, message: RegExp) =>
  (error: unknown): boolean =>
    error instanceof MonosemError && error.code === code && message.test(error.message)

async function logitsOf(
  model: Transformer,
  batch: WindowBatch,
  options?: ForwardOptions,
): Promise<Float32Array> {
  const workspace = createWorkspace(model, 2, TINY.context)
  forward(model, workspace, batch, options)
  const logits = await kernels.readF32(workspace.logits)
  freeWorkspace(model, workspace)
  return logits
}

async function meanLoss(
  model: Transformer,
  batch: WindowBatch,
  hooks: Record<string, Hook>,
): Promise<number> {
  const workspace = createWorkspace(model, 2, TINY.context)
  forward(model, workspace, batch, { hooks })
  const losses = await kernels.readF32(loss(model, workspace))
  freeWorkspace(model, workspace)
  return losses.reduce((sum, x) => sum + x, 0) / counted(batch)
}

test('the same seed gives the same parameters and another seed others', async () => {
  const [a, b, c] = [1, 1, 2].map((seed) => createTransformer(kernels, TINY, seed).params['embed.W_E'])
  assert.deepEqual(await kernels.readF32(a), await kernels.readF32(b))
  assert.notDeepEqual(await kernels.readF32(a), await kernels.readF32(c))
})

test('parameters start as in GPT-2', async () => {
  const config = { ...TINY, layers: 8, dModel: 64, dMlp: 256 }
  const { params } = createTransformer(kernels, config, 0)
  const deviation = async (name: string) => {
    const data = await kernels.readF32(params[name])
    return Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length)
  }
  assert.ok(Math.abs((await deviation('blocks.3.mlp.W_in')) - 0.02) < 0.001)
  assert.ok(Math.abs((await deviation('blocks.3.mlp.W_out')) - 0.02 / 4) < 0.0003)
  assert.equal(await deviation('blocks.3.mlp.b_in'), 0)
  assert.equal(await deviation('ln_final.w'), 1)
  const total = Object.values(params).reduce((sum, p) => sum + p.shape.reduce((a, n) => a * n, 1), 0)
  assert.equal(parameterCount(config), total)
})

test('hook points come in forward order, all of them', async () => {
  const model = await tinyModel(kernels)
  const seen: string[] = []
  const hooks = Object.fromEntries(
    hookNames(TINY).map((name) => [name, (_: unknown, n: string) => void seen.push(n)]),
  )
  await logitsOf(model, tinyBatch(), { hooks })
  assert.deepEqual(seen, hookNames(TINY))
})

test('replacing every activation by a copy of itself changes no bit of the logits', async () => {
  const model = await tinyModel(kernels)
  const copy: Hook = (activation) => {
    const same = kernels.zeros(activation.shape)
    kernels.copy(same, activation)
    return same
  }
  for (const name of hookNames(TINY)) {
    // The pattern's values are mixed again in another order of sums, so it is compared with a hook that only
    // looks.
    const plain = name.endsWith('pattern') ? { hooks: { [name]: () => {} } } : undefined
    assert.deepEqual(
      await logitsOf(model, tinyBatch(), { hooks: { [name]: copy } }),
      await logitsOf(model, tinyBatch(), plain),
      name,
    )
  }
})

test('a pattern mixed after a hook gives the logits of the attention kernel', async () => {
  const model = await tinyModel(kernels)
  const plain = await logitsOf(model, tinyBatch())
  const mixed = await logitsOf(model, tinyBatch(), { hooks: { 'blocks.1.attn.hook_pattern': () => {} } })
  for (let i = 0; i < plain.length; i++) assert.ok(Math.abs(plain[i] - mixed[i]) < 1e-4, `logit ${i}`)
})

test('setting any activation to zero in place changes the logits', async () => {
  const model = await tinyModel(kernels)
  const plain = await logitsOf(model, tinyBatch())
  for (const name of hookNames(TINY)) {
    const ablated = await logitsOf(model, tinyBatch(), { hooks: { [name]: (a) => kernels.fill(a, 0) } })
    assert.ok(
      ablated.some((value, i) => Math.abs(value - plain[i]) > 1e-3),
      name,
    )
  }
})

test('the gradient at every hook point equals finite differences', async () => {
  const model = await tinyModel(kernels)
  const batch = tinyBatch()
  const workspace = createWorkspace(model, 2, TINY.context)
  const pattern = /hook_pattern$/
  const looks = Object.fromEntries(
    hookNames(TINY)
      .filter((n) => pattern.test(n))
      .map((n) => [n, () => {}]),
  )
  forward(model, workspace, batch, { hooks: looks })
  loss(model, workspace)
  backward(model, workspace, null, 1 / counted(batch))
  for (const name of hookNames(TINY))
    await assertGradient(name, await kernels.readF32(workspace.gradients[name]), {})

  async function assertGradient(name: string, gradient: Float32Array, others: Record<string, Hook>) {
    for (let i = 1; i < gradient.length; i += Math.ceil(gradient.length / 5)) {
      const at = async (delta: number) => meanLoss(model, batch, { ...others, [name]: bump(i, delta) })
      const numeric = ((await at(STEP)) - (await at(-STEP))) / (2 * STEP)
      assert.ok(
        Math.abs(numeric - gradient[i]) < 2e-3 + 0.02 * Math.abs(numeric),
        `${name}[${i}]: finite differences give ${numeric}, backward gave ${gradient[i]}`,
      )
    }
  }
})

/** Adds a number to one element of an activation. */
function bump(index: number, delta: number): Hook {
  return (activation) => {
    const data = new Float32Array(activation.shape.reduce((a, n) => a * n, 1))
    data[index] = delta
    kernels.addInPlace(activation, kernels.tensor(data, activation.shape))
  }
}

test('after a replacement, gradients are those at the replaced value', async () => {
  const model = await tinyModel(kernels)
  const batch = tinyBatch()
  const replaced = [
    'blocks.0.mlp.hook_pre',
    'blocks.1.attn.hook_pattern',
    'blocks.1.attn.hook_q',
    'blocks.0.hook_resid_mid',
  ]
  for (const name of replaced) {
    const shift: Hook = (activation) => {
      const other = kernels.zeros(activation.shape)
      kernels.fill(other, 0.4)
      kernels.addInPlace(other, activation)
      return other
    }
    const workspace = createWorkspace(model, 2, TINY.context)
    forward(model, workspace, batch, { hooks: { [name]: shift } })
    backward(model, workspace, null, 1 / counted(batch))
    // Upstream too: the shift adds a constant.
    for (const point of [name, 'blocks.0.hook_resid_pre', 'blocks.1.hook_resid_post']) {
      const gradient = await kernels.readF32(workspace.gradients[point])
      const i = 3
      const at = (delta: number) => {
        const nudge = bump(i, delta)
        const both: Hook = (a, n) => {
          const b = shift(a, n) as typeof a
          nudge(b, n)
          return b
        }
        return meanLoss(model, batch, point === name ? { [name]: both } : { [name]: shift, [point]: nudge })
      }
      const numeric = ((await at(STEP)) - (await at(-STEP))) / (2 * STEP)
      assert.ok(
        Math.abs(numeric - gradient[i]) < 2e-3 + 0.02 * Math.abs(numeric),
        `${name} replaced, ${point}: finite differences give ${numeric}, backward gave ${gradient[i]}`,
      )
    }
  }
})

test('stopAfter runs the hook there and leaves everything after it untouched', async () => {
  const model = await tinyModel(kernels)
  const workspace = createWorkspace(model, 2, TINY.context)
  forward(model, workspace, tinyBatch())
  const logits = await kernels.readF32(workspace.logits)
  let ran = 0
  const other = tinyBatch()
  other.tokens.reverse()
  forward(model, workspace, other, {
    hooks: { 'blocks.0.mlp.hook_pre': () => void ran++, 'blocks.0.mlp.hook_post': () => assert.fail('ran') },
    stopAfter: 'blocks.0.mlp.hook_pre',
  })
  assert.equal(ran, 1)
  assert.equal(workspace.activations['blocks.0.mlp.hook_post'], undefined, 'nothing stale is offered')
  assert.deepEqual(await kernels.readF32(workspace.logits), logits)
  assert.throws(() => loss(model, workspace), isError('config', /complete forward pass/))
})

test('attention does not cross documents', async () => {
  const model = await tinyModel(kernels)
  const V = TINY.vocabularySize
  const batch = tinyBatch()
  const plain = await logitsOf(model, batch)
  batch.tokens[1] = (batch.tokens[1] + 1) % V
  const changed = await logitsOf(model, batch)
  assert.deepEqual(changed.subarray(3 * V), plain.subarray(3 * V), 'second document and second window')
  assert.deepEqual(changed.subarray(0, V), plain.subarray(0, V), 'before the changed token')
  assert.notDeepEqual(
    changed.subarray(2 * V, 3 * V),
    plain.subarray(2 * V, 3 * V),
    'after it, in its document',
  )
})

test('gradients do not depend on what the workspace was used for before', async () => {
  const model = await tinyModel(kernels)
  const batch = tinyBatch()
  const run = async (workspace: ReturnType<typeof createWorkspace>) => {
    const gradients = zerosLikeParameters(model)
    forward(model, workspace, batch)
    backward(model, workspace, gradients, 1)
    return kernels.readF32(gradients['blocks.0.attn.W_Q'])
  }
  const used = createWorkspace(model, 2, TINY.context)
  forward(model, used, batch, { hooks: { 'blocks.0.attn.hook_pattern': (a) => kernels.scaleInPlace(a, 2) } })
  backward(model, used, null, 3)
  assert.deepEqual(await run(used), await run(createWorkspace(model, 2, TINY.context)))
  assert.equal(used.gradients['blocks.0.attn.hook_pattern'], undefined)
})

test('misuse is refused by name', async () => {
  const model = await tinyModel(kernels)
  const workspace = createWorkspace(model, 2, TINY.context)
  const batch = tinyBatch()
  const run = (options: ForwardOptions) => () => forward(model, workspace, batch, options)
  assert.throws(
    run({ hooks: { hook_embedd: () => {} } }),
    isError('config', /no hook point is called hook_embedd/),
  )
  assert.throws(run({ stopAfter: 'blocks.2.hook_resid_pre' }), isError('config', /blocks\.2/))
  const wrong = () => kernels.zeros([3, 3])
  assert.throws(
    run({ hooks: { hook_embed: wrong } }),
    isError('shape', /hook_embed .*\[12, 8\], got f32 \[3, 3\]/),
  )
  assert.throws(() => createWorkspace(model, 1, 7), isError('config', /1 to 6 positions, got 7/))
  assert.throws(
    () => createTransformer(kernels, { ...TINY, heads: 3, headWidth: undefined }, 0),
    isError('config', /heads.*8, got 3/),
  )
  assert.throws(() => createTransformer(kernels, { ...TINY, layers: 0 }, 0), isError('config', /layers/))
  const strange = { ...batch, tokens: batch.tokens.map(() => 11) }
  assert.throws(() => forward(model, workspace, strange), isError('shape', /below 11, got 11/))
  const short = { ...batch, starts: new Int32Array(3) }
  assert.throws(() => forward(model, workspace, short), isError('shape', /starts \[12\], got \[3\]/))
  assert.throws(() => hookWidth(TINY, 'blocks.0.attn.hook_pattern'), isError('config', /no width/))
  assert.equal(hookWidth(TINY, 'blocks.1.mlp.hook_post'), 12)
  assert.equal(hookWidth(TINY, 'blocks.1.hook_mlp_out'), 8)
})

test('a pass that starts at any hook point, from what it reads, ends as a whole pass does', async () => {
  const model = await tinyModel(kernels)
  const batch = tinyBatch()
  const whole = createWorkspace(model, 2, TINY.context)
  forward(model, whole, batch)
  const expected = await kernels.readF32(whole.logits)
  for (const startAt of hookNames(TINY).filter((name) => !name.endsWith('hook_pattern'))) {
    const workspace = createWorkspace(model, 2, TINY.context)
    for (const name of hooksToStartAt(TINY, startAt))
      kernels.copy(hookBuffer(model, workspace, name), whole.activations[name])
    const called: string[] = []
    const look: Hook = (_, name) => {
      called.push(name)
    }
    forward(model, workspace, batch, {
      startAt,
      hooks: { [startAt]: look, 'ln_final.hook_normalized': look },
    })
    assert.deepEqual(await kernels.readF32(workspace.logits), expected, startAt)
    assert.deepEqual(called, [...new Set([startAt, 'ln_final.hook_normalized'])])
    assert.throws(() => loss(model, workspace), isError('config', /complete forward pass/))
  }
})

test('a pass cannot start at a pattern, nowhere, or after one of its hooks', async () => {
  const model = await tinyModel(kernels)
  const workspace = createWorkspace(model, 2, TINY.context)
  const start = (startAt: string, hooks: Record<string, Hook> = {}) =>
    forward(model, workspace, tinyBatch(), { startAt, hooks })
  assert.throws(() => start('blocks.0.attn.hook_pattern'), isError('config', /no width/))
  assert.throws(() => start('blocks.9.hook_resid_pre'), isError('config', /no hook point/))
  assert.throws(
    () => start('blocks.1.hook_resid_pre', { 'blocks.0.hook_resid_mid': () => {} }),
    isError('config', /does not reach blocks\.0\.hook_resid_mid/),
  )
})

test('attention follows every hook point but those after the last mixing of values', () => {
  const last = hookNames(TINY).filter((name) => !attentionFollows(TINY, name))
  assert.equal(last[0], 'blocks.1.attn.hook_z')
  assert.deepEqual(last, hookNames(TINY).slice(hookNames(TINY).indexOf(last[0])))
})
