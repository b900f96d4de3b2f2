import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../src/random/random.js'

const draw = (random: Random, n: number): number[] => Array.from({ length: n }, () => random.uint32())

test('xoshiro128** gives the numbers of the published C code for state 1, 2, 3, 4', () => {
  assert.deepEqual(draw(new Random([1, 2, 3, 4]), 4), [11520, 0, 5927040, 70819200])
})

test('the same seed gives the same sequence, another seed another one', () => {
  assert.deepEqual(draw(new Random(7), 10), draw(new Random(7), 10))
  assert.notDeepEqual(draw(new Random(7), 10), draw(new Random(8), 10))
})

test('a stored state, through JSON, continues the sequence exactly', () => {
  const random = new Random(7)
  draw(random, 100)
  const stored = JSON.parse(JSON.stringify(random.state))
  assert.deepEqual(draw(new Random(stored), 10), draw(random, 10))
})

test('a copy made from a state does not share it', () => {
  const random = new Random(7)
  const copy = new Random(random.state)
  draw(copy, 5)
  assert.deepEqual(draw(random, 5), draw(new Random(7), 5))
})

test('named generators of one seed are independent of one another', () => {
  const [a, b, again] = [Random.named(1, 'init'), Random.named(1, 'shuffle'), Random.named(1, 'init')]
  const first = draw(a, 10)
  assert.deepEqual(draw(again, 10), first)
  assert.notDeepEqual(draw(b, 10), first)
  assert.notDeepEqual(draw(Random.named(2, 'init'), 10), first)
})

test('uniform lies in [0, 1) with mean 1/2 and variance 1/12', () => {
  const random = new Random(3)
  let [sum, squares] = [0, 0]
  const n = 20_000
  for (let i = 0; i < n; i++) {
    const u = random.uniform()
    assert.ok(u >= 0 && u < 1)
    sum += u
    squares += u * u
  }
  assert.ok(Math.abs(sum / n - 0.5) < 0.01)
  assert.ok(Math.abs(squares / n - (sum / n) ** 2 - 1 / 12) < 0.003)
})

test('normal has mean 0, variance 1 and no infinities', () => {
  const random = new Random(3)
  let [sum, squares] = [0, 0]
  const n = 20_000
  for (let i = 0; i < n; i++) {
    const z = random.normal()
    assert.ok(Number.isFinite(z))
    sum += z
    squares += z * z
  }
  assert.ok(Math.abs(sum / n) < 0.03)
  assert.ok(Math.abs(squares / n - 1) < 0.05)
})

test('int reaches every value below n and none above', () => {
  const random = new Random(5)
  const counts = new Array(6).fill(0)
  for (let i = 0; i < 6000; i++) counts[random.int(6)]++
  assert.equal(counts.length, 6)
  for (const count of counts) assert.ok(Math.abs(count - 1000) < 150, String(counts))
})

test('shuffle keeps the elements, in place, and every position is reached', () => {
  const random = new Random(5)
  const firsts = new Set<number>()
  for (let i = 0; i < 100; i++) {
    const list = Int32Array.of(0, 1, 2, 3)
    assert.equal(random.shuffle(list), list)
    assert.deepEqual([...list].sort(), [0, 1, 2, 3])
    firsts.add(list[0]!)
  }
  assert.equal(firsts.size, 4)
})

test('pick returns elements of the list', () => {
  const random = new Random(5)
  assert.deepEqual(new Set(Array.from({ length: 50 }, () => random.pick(['a', 'b']))), new Set(['a', 'b']))
})

test('numbers that are skipped are those that would have come', () => {
  for (const count of [0, 1, 2, 7, 1000, 12_345]) {
    const [one, other] = [new Random(7), new Random(7)]
    for (let i = 0; i < count; i++) one.uint32()
    other.skip(count)
    assert.equal(other.uint32(), one.uint32())
  }
  const [far, parts] = [new Random(7), new Random(7)]
  far.skip(3e12)
  for (const count of [1e12, 1e12 + 5, 1e12 - 5]) parts.skip(count)
  assert.equal(far.uint32(), parts.uint32())
})
