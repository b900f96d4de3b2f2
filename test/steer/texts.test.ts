import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePredicate } from '../../src/interp/predicates.js'
import { loadKernels } from '../../src/kernels/load.js'
import { continueTexts } from '../../src/model/generate.js'
import { promptTokens } from '../../src/model/prompt-tokens.js'
import { createWorkspace, forward, freeWorkspace } from '../../src/model/transformer.js'
import { silentProgress } from '../../src/progress/progress.js'
import { judgeTexts } from '../../src/steer/judge-texts.js'
import { nextTokenChange } from '../../src/steer/next-token.js'
import { createSteering, type FeatureEdit } from '../../src/steer/steering.js'
import { strengthSweep } from '../../src/steer/strength-sweep.js'
import { layOutTexts } from '../../src/steer/text-pass.js'
import { letters, steeredCycle } from './steered-cycle.js'

const kernels = await loadKernels()
const inputs = steeredCycle(kernels)
const { model, sae } = inputs
const D = model.config.dModel

const asIfAfterD: FeatureEdit[] = [{ feature: 4, kind: 'clamp', value: 50 }]

test('a feature clamped high makes the model write what it stands for, an ablated one takes that away', async () => {
  const greedy = { temperature: 0, maxTokens: 4 }
  const write = async (edits: FeatureEdit[]) => {
    const steering = createSteering(model, sae, 0, edits)
    const [{ text }] = await continueTexts(model, letters, ['ab'], greedy, steering)
    steering.free()
    return text
  }
  assert.equal((await continueTexts(model, letters, ['ab'], greedy))[0].text, 'cdef')
  assert.equal(await write(asIfAfterD), 'eeee')
  assert.notEqual((await write([{ feature: 2, kind: 'clamp', value: 0 }]))[0], 'c')
})

test('the next token: movers up and down, and the divergence of the two distributions', async () => {
  const steering = createSteering(model, sae, 0, asIfAfterD)
  const prompt = promptTokens(model, letters, 'ab')
  const { up, down, klDivergence } = await nextTokenChange(model, letters, prompt, steering, 2)
  steering.free()
  assert.deepEqual([up[0].text, down[0].text], ['e', 'c'])
  assert.ok(up[0].before < 0.01 && up[0].after > 0.9 && down[0].before > 0.9 && down[0].after < 0.01)
  assert.ok(klDivergence > 3 && Number.isFinite(klDivergence))
  const nothing = createSteering(model, sae, 0, [{ feature: 4, kind: 'add', value: 0 }])
  const same = await nextTokenChange(model, letters, prompt, nothing, 2)
  assert.deepEqual(same, { klDivergence: 0, up: [], down: [] })
  nothing.free()
})

/** The obvious way: loss of each written token, by a whole forward pass over everything before it. */
async function plainLosses(tokens: readonly number[], promptLength: number): Promise<number[]> {
  const losses: number[] = []
  for (let i = promptLength; i < tokens.length; i++) {
    const workspace = createWorkspace(model, 1, i)
    const before = Int32Array.from(tokens.slice(0, i))
    forward(model, workspace, {
      tokens: before,
      targets: new Int32Array(i).fill(-1),
      starts: new Int32Array(i),
    })
    const logits = (await kernels.readF32(workspace.logits)).slice((i - 1) * D)
    losses.push(Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0)) - logits[tokens[i]])
    freeWorkspace(model, workspace)
  }
  return losses
}

test('coherence is the mean loss of the written tokens under the unsteered model', async () => {
  const steering = createSteering(model, sae, 0, asIfAfterD)
  const texts = [
    { tokens: [0, 1, 2, 5], promptLength: 3 },
    { tokens: [0, 3, 4, 4], promptLength: 2 },
  ]
  const judged = await judgeTexts(model, sae, texts, steering)
  const losses = [...(await plainLosses([0, 1, 2, 5], 3)), ...(await plainLosses([0, 3, 4, 4], 2))]
  assert.equal(judged.tokens, 3)
  assert.ok(Math.abs(judged.loss! - losses.reduce((a, b) => a + b, 0) / 3) < 1e-4)
  assert.ok(judged.klDivergence! > 1)
  assert.ok(Math.abs(judged.activity! - 2 / 3) < 1e-12, 'the token d was written twice of three times')
  const none = await judgeTexts(model, sae, [{ tokens: [0, 1], promptLength: 2 }], steering)
  assert.deepEqual(none, { tokens: 0, loss: null, klDivergence: null, activity: null })
  steering.free()
})

test('texts longer than the context are laid out so that every written token is predicted and read once', () => {
  const length = 23
  for (const [context, promptLength] of [
    [4, 1],
    [5, 9],
    [23, 3],
    [1, 2],
  ]) {
    const tokens = Array.from({ length }, (_, i) => 100 + i)
    const layout = layOutTexts(
      [
        { tokens, promptLength },
        { tokens: [1, 2, 3], promptLength: 1 },
      ],
      context,
    )
    const firstText = [...layout.targets].filter((_, i) => layout.texts[i] === 0)
    assert.deepEqual(firstText, tokens.slice(promptLength), `context ${context}`)
    const read = Array.from(layout.written, (row) => layout.rows.tokens[row])
    assert.deepEqual(read, [...tokens.slice(promptLength), 2, 3])
    assert.ok(layout.positions.every((position) => position < context))
    for (const [i, row] of layout.predicting.entries()) {
      assert.equal(layout.rows.tokens[row] + 1, layout.targets[i], 'the row before the target')
      const seen = layout.positions[row] + 1
      assert.ok(seen >= Math.min(layout.rows.indices[row] + 1, Math.floor(context / 2)))
    }
  }
})

test('a sweep shows how effect rises and coherence falls with strength', async () => {
  const options = {
    ...({ features: [4], strengths: [0, 50], mode: 'add', unit: 'max', prompt: 'ab', samples: 3 } as const),
    ...{ scope: { tokens: 'all' } as const, writing: { maxTokens: 3, temperature: 0 } },
    concept: parsePredicate('e=e'),
  }
  const context = { progress: silentProgress }
  const [none, strong] = await strengthSweep(inputs, options, context)
  assert.equal(none.example.text, 'cde')
  assert.equal(strong.example.text, 'eee')
  assert.deepEqual([none.concept, strong.concept], [1 / 3, 1])
  assert.ok(none.klDivergence! < 1e-6 && strong.klDivergence! > 1)
  assert.ok(strong.loss! > none.loss! + 1)
  await assert.rejects(strengthSweep(inputs, { ...options, features: [0] }, context), {
    code: 'missing',
    message: /feature 0 is dead/,
  })
  await assert.rejects(strengthSweep(inputs, { ...options, prompt: 'abcd' }, context), {
    code: 'config',
    message: /at most 4 tokens .* got 5/,
  })
})
