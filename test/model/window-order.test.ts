import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createWindowOrder } from '../../src/model/window-order.js'

test('every epoch visits every window once, in another order', () => {
  const order = createWindowOrder(50, 7)
  const [first, second] = [order(0, 50), order(50, 50)]
  const all = Array.from({ length: 50 }, (_, i) => i)
  assert.deepEqual(
    [...first].sort((a, b) => a - b),
    all,
  )
  assert.deepEqual(
    [...second].sort((a, b) => a - b),
    all,
  )
  assert.notDeepEqual(first, second)
})

test('the order depends on the seed and the position only', () => {
  const whole = createWindowOrder(10, 7)(0, 35)
  assert.deepEqual(createWindowOrder(10, 7)(8, 27), whole.subarray(8))
  assert.notDeepEqual(createWindowOrder(10, 8)(0, 35), whole)
})

test('a split without a whole window is refused', () => {
  assert.throws(() => createWindowOrder(0, 7), { code: 'config', message: /shorter than one window/ })
})
