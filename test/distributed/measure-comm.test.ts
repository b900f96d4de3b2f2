import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CommReport, commKinds, commReportSchema } from '../../src/scaling/comm-model.js'
import { renderComm } from '../../src/scaling/render-comm.js'
import { noMpi } from './find-mpi.js'
import { runRanks } from './run-ranks.js'

for (const ranks of [2, 3])
  test(`the exchanges of ${ranks} ranks are measured, and every rank has the same report`, {
    skip: noMpi ?? false,
  }, async () => {
    const { code, stdout, stderr } = await runRanks(ranks, 'test/distributed/programs/measure-comm.js')
    assert.equal(code, 0, stderr)
    const all = JSON.parse(stdout) as CommReport[]
    assert.equal(all.length, ranks)
    const [report] = all
    for (const other of all) assert.deepEqual(other.exchanges, report.exchanges)
    assert.ok(commReportSchema.safeParse(report).success)
    assert.equal(report.ranks, ranks)
    assert.equal(report.ranksPerNode, ranks)
    assert.notEqual(report.library, '')
    for (const kind of commKinds) {
      const { points, secondsPerRound, secondsPerByte } = report.exchanges[kind]
      assert.deepEqual(
        points.map(({ bytes }) => bytes),
        [8, 64, 512, 4096, 32_768, 100_000],
      )
      for (const { seconds } of points) assert.ok(seconds > 0)
      assert.ok(secondsPerRound > 0 || secondsPerByte > 0)
    }
    const text = renderComm(report)
    assert.ok(text.startsWith(`${ranks} ranks, at most ${ranks} on one machine`), text)
    assert.match(text, /sum, bf16 .* us/)
  })
