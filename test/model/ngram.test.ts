import assert from 'node:assert/strict'
import { test } from 'node:test'
import { trainNgram } from '../../src/model/ngram.js'
import { Random } from '../../src/random/random.js'

const V = 12
const END = 0

/** Documents in which each token mostly follows the one before it by one. */
function text(length: number, seed = 1): Uint16Array {
  const random = Random.named(seed, 'text')
  const tokens = new Uint16Array(length)
  for (let i = 1; i < length; i++) {
    if (random.uniform() < 0.05) tokens[i] = END
    else tokens[i] = random.uniform() < 0.7 ? 1 + (tokens[i - 1] % 9) : 1 + random.int(9)
  }
  return tokens
}

test('probabilities of all tokens but <|endoftext|> sum to one, after seen and unseen tokens', () => {
  const model = trainNgram(text(3000), V, END)
  for (let previous = 0; previous < V; previous++) {
    let [bigram, unigram] = [0, 0]
    for (let token = 1; token < V; token++) {
      bigram += Math.exp(model.bigram(previous, token))
      unigram += Math.exp(model.unigram(token))
    }
    assert.ok(Math.abs(bigram - 1) < 1e-9, `after ${previous}: ${bigram}`)
    assert.ok(Math.abs(unigram - 1) < 1e-9)
  }
})

test('the unigram is counts plus one, without transitions into <|endoftext|>', () => {
  const model = trainNgram(Uint16Array.of(0, 1, 1, 2, 0, 1), 4, END)
  // Targets are 1, 1, 2, 1; three tokens can follow.
  assert.ok(Math.abs(Math.exp(model.unigram(1)) - 4 / 7) < 1e-12)
  assert.ok(Math.abs(Math.exp(model.unigram(3)) - 1 / 7) < 1e-12)
})

test('the bigram is interpolated Kneser-Ney, by hand', () => {
  const tokens = Uint16Array.of(0, 1, 2, 1, 2, 1, 2, 1, 2, 1, 3)
  const model = trainNgram(tokens, 4, END)
  // Pairs: 01 once, 12 four times, 21 four times, 13 once. Too few counts to estimate discounts: n1 = 2, n2 =
  // 0, so y = 1 and every formula falls back to 0.75. Different predecessors: 1 has two, 2 and 3 have one; n1
  // = 2, n2 = 1, y = 1/2, D1 = 1 - 2 (1/2) (1/2) = 1/2, D2 falls back to 0.75.
  const uniform = (0.75 + 0.5 + 0.5) / 3
  const continuation = [0, 2 - 0.75 + uniform, 1 - 0.5 + uniform, 1 - 0.5 + uniform].map((x) => x / 4)
  const backoff = 0.75 + 0.75
  assert.ok(Math.abs(Math.exp(model.bigram(1, 2)) - (4 - 0.75 + backoff * continuation[2]) / 5) < 1e-12)
  assert.ok(Math.abs(Math.exp(model.bigram(1, 3)) - (1 - 0.75 + backoff * continuation[3]) / 5) < 1e-12)
  assert.ok(Math.abs(Math.exp(model.bigram(1, 1)) - (backoff * continuation[1]) / 5) < 1e-12)
  assert.ok(Math.abs(Math.exp(model.bigram(3, 1)) - continuation[1]) < 1e-12, 'a token without successors')
})

test('on fresh text the bigram beats both the unigram and add-one bigram counts', () => {
  const [train, fresh] = [text(2000), text(2000, 2)]
  const model = trainNgram(train, V, END)
  const counts = new Float64Array(V * V)
  const totals = new Float64Array(V)
  for (let i = 0; i + 1 < train.length; i++)
    if (train[i + 1] !== END) {
      counts[train[i] * V + train[i + 1]]++
      totals[train[i]]++
    }
  const losses = { bigram: 0, unigram: 0, addOne: 0 }
  for (let i = 0; i + 1 < fresh.length; i++) {
    const [u, w] = [fresh[i], fresh[i + 1]]
    if (w === END) continue
    losses.bigram -= model.bigram(u, w)
    losses.unigram -= model.unigram(w)
    losses.addOne -= Math.log((counts[u * V + w] + 1) / (totals[u] + V - 1))
  }
  assert.ok(losses.bigram < losses.unigram - 100)
  assert.ok(losses.bigram <= losses.addOne)
})

test('an empty text gives uniform probabilities', () => {
  const model = trainNgram(new Uint16Array(0), 5, END)
  assert.ok(Math.abs(Math.exp(model.unigram(2)) - 1 / 4) < 1e-12)
  assert.ok(Number.isFinite(model.bigram(1, 2)))
})
