// Run by several ranks in the directory given: stages that are made, reused, refused, and that fail. Rank 0 prints what all ranks saw.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openRanks, readLaunch } from '../../../src/distributed/launch.js'
import { gatherValues } from '../../../src/distributed/values.js'
import { MonosemError } from '../../../src/errors/monosem-error.js'
import { type Json, runStage } from '../../../src/storage/stage.js'

const { communicator: ranks, finalize } = openRanks(readLaunch())
const [root] = process.argv.slice(2)
let bodies = 0

async function stage(name: string, config: Record<string, Json>, fails = false): Promise<unknown> {
  try {
    const { reused } = await runStage(
      { stage: 'toy', out: join(root, name), config, inputs: {} },
      async (partial, hashed) => {
        bodies++
        await writeFile(join(partial, `part-${ranks.rank}.txt`), String(ranks.rank))
        // what another rank than 0 says of a file does not count
        if (ranks.rank === 1) hashed.set('part-0.txt', { sha256: 'wrong', bytes: 0 })
        if (fails) throw new MonosemError('diverged', 'all ranks give up')
      },
      ranks,
    )
    return { reused, bodies }
  } catch (error) {
    return error instanceof MonosemError ? error.message : String(error)
  }
}

const found = {
  made: await stage('toy', { k: 1 }),
  reused: await stage('toy', { k: 1 }),
  refused: await stage('toy', { k: 2 }),
  differs: await stage('other', { k: ranks.rank === 1 ? 2 : 1 }),
  failed: await stage('failing', { k: 1 }, true),
  resumed: await stage('failing', { k: 1 }),
}
const all = await gatherValues(ranks, found)
if (ranks.rank === 0) console.log(JSON.stringify(all))
finalize()
