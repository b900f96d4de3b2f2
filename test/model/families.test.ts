import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { WindowBatch } from '../../src/corpus/windows.js'
import type { Kernels, Tensor } from '../../src/kernels/kernels.js'
import { loadKernels } from '../../src/kernels/load.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import {
  cachedForward,
  createKeyValueCache,
  freeKeyValueCache,
  rowLogits,
} from '../../src/model/cached-forward.js'
import {
  backward,
  createWorkspace,
  type ForwardOptions,
  forward,
  freeWorkspace,
  type Hook,
  hookBuffer,
  hookNames,
  hooksToStartAt,
  loss,
  parameterSpecs,
  type Transformer,
  type WorkspaceOptions,
  withContext,
  zerosLikeParameters,
} from '../../src/model/transformer.js'
import { Random } from '../../src/random/random.js'
import { counted, FAMILIES, tinyBatch, tinyModel } from './tiny-model.js'

const reference = createReferenceKernels()
const fast = await loadKernels()
/** of finite differences */
const STEP = 1e-3

const isPattern = (name: string): boolean => name.endsWith('hook_pattern')

/** Runs a batch and reads logits [N, V] and what is kept. */
async function run(
  model: Transformer,
  batch: WindowBatch,
  options: ForwardOptions = {},
  workspaceOptions: WorkspaceOptions = {},
): Promise<{ logits: Float32Array; kept: Record<string, Float32Array> }> {
  const { kernels, config } = model
  const workspace = createWorkspace(model, 2, config.context, workspaceOptions)
  forward(model, workspace, batch, options)
  const kept: Record<string, Float32Array> = {}
  for (const [name, tensor] of Object.entries(workspace.activations))
    kept[name] = await kernels.readF32(tensor)
  const logits =
    options.stopAfter === undefined ? await kernels.readF32(workspace.logits) : new Float32Array()
  freeWorkspace(model, workspace)
  return { logits, kept }
}

async function meanLoss(
  model: Transformer,
  batch: WindowBatch,
  hooks: Record<string, Hook> = {},
): Promise<number> {
  const workspace = createWorkspace(model, 2, model.config.context)
  forward(model, workspace, batch, { hooks })
  const losses = await model.kernels.readF32(loss(model, workspace))
  freeWorkspace(model, workspace)
  return losses.reduce((sum, x) => sum + x, 0) / counted(batch)
}

function assertClose(got: Float32Array, expected: Float32Array, tolerance: number, about: string): void {
  assert.equal(got.length, expected.length, about)
  for (let i = 0; i < got.length; i++)
    assert.ok(
      Math.abs(got[i] - expected[i]) <= tolerance * (1 + Math.abs(expected[i])),
      `${about}[${i}]: expected ${expected[i]}, got ${got[i]}`,
    )
}

/** Adds a number to one element of an activation. */
function bump(kernels: Kernels, index: number, delta: number): Hook {
  return (activation) => {
    const data = new Float32Array(activation.shape.reduce((a, n) => a * n, 1))
    data[index] = delta
    const change = kernels.tensor(data, activation.shape)
    kernels.addInPlace(activation, change)
    kernels.free(change)
  }
}

/** Numbers to add to an activation, others for each element, so that no norm undoes them. */
function shift(kernels: Kernels, shape: readonly number[]): Tensor {
  const random = Random.named(4, 'shift')
  const size = shape.reduce((a, n) => a * n, 1)
  return kernels.tensor(
    Float32Array.from({ length: size }, () => random.normal()),
    shape,
  )
}

/** Compares some elements of a gradient with how the loss changes. */
async function assertGradient(
  name: string,
  gradient: Float32Array,
  lossAt: (index: number, delta: number) => Promise<number>,
): Promise<void> {
  for (let i = 1; i < gradient.length; i += Math.ceil(gradient.length / 4)) {
    const numeric = ((await lossAt(i, STEP)) - (await lossAt(i, -STEP))) / (2 * STEP)
    assert.ok(
      Math.abs(numeric - gradient[i]) < 2e-3 + 0.02 * Math.abs(numeric),
      `${name}[${i}]: finite differences give ${numeric}, backward gave ${gradient[i]}`,
    )
  }
}

for (const [family, config] of Object.entries(FAMILIES)) {
  const batch = tinyBatch(config)

  test(`${family}: native kernels compute what the reference computes, at every hook point`, async () => {
    const expected = await run(await tinyModel(reference, config), batch)
    const got = await run(await tinyModel(fast, config), batch)
    assert.deepEqual(Object.keys(got.kept), hookNames(config))
    for (const name of hookNames(config)) assertClose(got.kept[name], expected.kept[name], 1e-3, name)
    assertClose(got.logits, expected.logits, 1e-3, 'logits')
  })

  test(`${family}: the gradient of every parameter equals finite differences`, async () => {
    const model = await tinyModel(reference, config)
    const workspace = createWorkspace(model, 2, config.context)
    const gradients = zerosLikeParameters(model)
    forward(model, workspace, batch)
    backward(model, workspace, gradients, 1 / counted(batch))
    for (const name of Object.keys(parameterSpecs(config))) {
      const values = await reference.readF32(model.params[name])
      await assertGradient(name, await reference.readF32(gradients[name]), async (i, delta) => {
        const moved = values.slice()
        moved[i] += delta
        reference.write(model.params[name], moved)
        const changed = await meanLoss(model, batch)
        reference.write(model.params[name], values)
        return changed
      })
    }
  })

  test(`${family}: the gradient at every hook point equals finite differences`, async () => {
    const model = await tinyModel(reference, config)
    const workspace = createWorkspace(model, 2, config.context)
    const looks = Object.fromEntries(
      hookNames(config)
        .filter(isPattern)
        .map((name) => [name, () => {}]),
    )
    forward(model, workspace, batch, { hooks: looks })
    backward(model, workspace, null, 1 / counted(batch))
    for (const name of hookNames(config))
      await assertGradient(name, await reference.readF32(workspace.gradients[name]), (i, delta) =>
        meanLoss(model, batch, { [name]: bump(reference, i, delta) }),
      )
  })

  test(`${family}: a change at any hook point changes the logits, with buffers of its own or shared ones`, async () => {
    const model = await tinyModel(fast, config)
    const plain = await run(model, batch)
    for (const name of hookNames(config)) {
      const hooks = { [name]: (x: Tensor) => fast.addInPlace(x, shift(fast, x.shape)) }
      const all = await run(model, batch, { hooks })
      assert.notDeepEqual(all.logits, plain.logits, `${name} does something`)
      const shared = await run(model, batch, { hooks }, { keep: [] })
      assert.deepEqual(shared.logits, all.logits, name)
      const replaced = await run(model, batch, {
        hooks: {
          [name]: (x) => {
            const other = shift(fast, x.shape)
            fast.addInPlace(other, x)
            return other
          },
        },
      })
      assert.deepEqual(replaced.logits, all.logits, `${name} replaced`)
    }
  })

  test(`${family}: what is kept from a list equals what is kept from everything`, async () => {
    const model = await tinyModel(fast, config)
    const all = await run(model, batch)
    const names = hookNames(config)
    for (const keep of [[], ...names.map((name) => [name]), names.filter((_, i) => i % 3 === 0)]) {
      const { kept, logits } = await run(model, batch, {}, { keep })
      assert.deepEqual(
        Object.keys(kept),
        names.filter((name) => keep.includes(name)),
      )
      for (const name of keep) assert.deepEqual(kept[name], all.kept[name], `${name} of ${keep}`)
      assert.deepEqual(logits, all.logits, `${keep}`)
    }
    for (const stopAfter of names) {
      const { kept } = await run(model, batch, { stopAfter }, { keep: [stopAfter] })
      assert.deepEqual(kept[stopAfter], all.kept[stopAfter], `stopped after ${stopAfter}`)
    }
  })

  test(`${family}: a pass that starts at any hook point ends as a whole one does`, async () => {
    const model = await tinyModel(fast, config)
    const whole = await run(model, batch)
    for (const startAt of hookNames(config).filter((name) => !isPattern(name))) {
      const keep = hooksToStartAt(config, startAt)
      for (const options of [{}, { keep }]) {
        const workspace = createWorkspace(model, 2, config.context, options)
        for (const name of keep) fast.write(hookBuffer(model, workspace, name), whole.kept[name])
        forward(model, workspace, batch, { startAt })
        assert.deepEqual(await fast.readF32(workspace.logits), whole.logits, startAt)
        freeWorkspace(model, workspace)
      }
    }
  })

  test(`${family}: with a cache, the same logits, however the text is cut`, async () => {
    const model = await tinyModel(fast, config)
    const [T, V] = [config.context, config.vocabularySize]
    const text = tinyBatch(config).tokens.subarray(0, T)
    const workspace = createWorkspace(model, 1, T)
    forward(model, workspace, {
      tokens: text,
      targets: new Int32Array(T).fill(-1),
      starts: new Int32Array(T),
    })
    const expected = await fast.readF32(workspace.logits)
    for (const cuts of [[T], [1, 2, 3, 4, 5, 6], [4, 6]]) {
      const cache = createKeyValueCache(model, 1)
      for (const [piece, end] of cuts.entries()) {
        const positions = Int32Array.from(
          { length: end - (cuts[piece - 1] ?? 0) },
          (_, i) => end - 1 - i,
        ).reverse()
        const tokens = positions.map((position) => text[position])
        const pass = cachedForward(model, cache, {
          tokens,
          positions,
          sequences: new Int32Array(tokens.length),
        })
        const rows = rowLogits(model, pass, Int32Array.from(positions.keys()))
        const got = await fast.readF32(rows)
        assertClose(got, expected.slice(positions[0] * V, end * V), 1e-4, `logits, cut at ${cuts}`)
      }
      freeKeyValueCache(model, cache)
    }
  })

  test(`${family}: with a shorter context, the same numbers`, async () => {
    const model = await tinyModel(fast, config)
    const short = withContext(model, 4)
    const ids = tinyBatch(short.config)
    const logits = async (on: Transformer) => {
      const workspace = createWorkspace(on, 2, 4)
      forward(on, workspace, ids)
      return fast.readF32(workspace.logits)
    }
    assert.deepEqual(await logits(short), await logits(model))
    for (const [name, { shape }] of Object.entries(parameterSpecs(short.config)))
      assert.deepEqual(short.params[name].shape, shape, name)
    assert.throws(() => createWorkspace(short, 1, 5), { code: 'config', message: /1 to 4 positions/ })
    assert.throws(() => withContext(model, 7), { code: 'config', message: /1 to 6 tokens, got 7/ })
  })

  test(`${family}: weights in bf16 give logits close to those in f32`, async () => {
    const model = await tinyModel(fast, config)
    const rounded: Transformer = { ...model, params: {} }
    const widened: Transformer = { ...model, params: {} }
    for (const [name, p] of Object.entries(model.params)) {
      const half = p.shape.length > 1 ? fast.zeros(p.shape, 'bf16') : p
      if (half !== p) fast.copy(half, p)
      rounded.params[name] = half
      widened.params[name] = fast.tensor(await fast.readF32(half), p.shape)
    }
    const got = await run(rounded, batch)
    assertClose(got.logits, (await run(widened, batch)).logits, 1e-4, 'logits of the rounded weights')
    const { logits } = await run(model, batch)
    const size = (values: Float32Array) => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0))
    assert.ok(
      size(got.logits.map((value, i) => value - logits[i])) < 0.15 * size(logits),
      'close to the weights themselves',
    )
  })
}
