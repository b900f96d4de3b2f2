import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHosts, noHosts } from './hosts.js'

const options = { skip: noHosts ?? false, timeout: 300_000 }

test('three hosts with a rank each talk over TCP', options, async (t) => {
  const hosts = await createHosts(t, 3)
  const { code, stdout, stderr } = await hosts.start('test/distributed/programs/collectives.js', []).finished
  assert.equal(code, 0, stderr)
  const all = JSON.parse(stdout)
  assert.deepEqual(
    all.map(({ sum }: { sum: number[] }) => sum),
    [0, 1, 2].map(() => [3, 3, 1.5]),
  )
})
