import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addUsage, describeUsage, emptyUsage } from '../../../src/explain/llm/llm-usage.js'

test('usage is told in one line, without what did not happen', () => {
  const usage = emptyUsage()
  assert.equal(describeUsage(usage), '0 answers; 0 tokens in, 0 out')
  for (let i = 0; i < 1000; i++)
    addUsage(usage, { inputTokens: 5000, outputTokens: 100 }, { inputPrice: 3, outputPrice: 15 })
  usage.cached = 7
  usage.retries = 2
  usage.failures.malformed = 3
  usage.failures.timeout = 1
  assert.equal(
    describeUsage(usage),
    '1,000 answers; 7 more from the cache; 2 further attempts; 5,000,000 tokens in, 100,000 out; cost 16.5000; failed: 3 malformed, 1 timeout',
  )
})
