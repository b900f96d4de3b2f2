import type { Command } from 'commander'
import { z } from 'zod'
import { addFlags, readFlags } from '../config/flags.js'
import { singleRank } from '../distributed/communicator.js'
import { commKinds } from '../scaling/comm-model.js'
import { measureComm, sizesUpTo } from '../scaling/measure-comm.js'
import { renderComm } from '../scaling/render-comm.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'

const benchCommSchema = z.strictObject({
  maxMib: z.number().positive().max(1024).default(64).describe('size of the longest messages, MiB'),
  trialSeconds: z
    .number()
    .positive()
    .max(60)
    .default(0.1)
    .describe('how long each size of each exchange is repeated, in seconds; three times'),
})

/** `monosem bench comm` */
export function addBench(program: Command): void {
  const bench = program.command('bench').description('measures this machine, or the network between several')
  const comm = addCommand(
    bench,
    'comm',
    {
      description:
        'Measure how long the exchanges of training take between the ranks that it is started with, and fit latency and bandwidth: ' +
        '`monosem scaling plan --comm` reads them. Start it with mpirun or srun, with as many ranks on each machine as training will have.',
      example: 'monosem bench comm --out comm.json',
      ranks: true,
    },
    async (session, command) => {
      const { maxMib, trialSeconds } = readFlags(command, benchCommSchema)
      const ranks = session.context.ranks ?? singleRank
      const out: string | undefined = command.getOptionValue('out')
      const largest = Math.round(maxMib * 2 ** 20)
      const task = session.context.progress.start(
        'bench comm',
        commKinds.length * sizesUpTo(largest).length,
        'sizes',
      )
      const report = await measureComm(ranks, { largest, trialSeconds }, task)
      task.end()
      if (out !== undefined && ranks.rank === 0)
        await writeFileAtomic(out, `${JSON.stringify(report, null, 2)}\n`)
      const written = out === undefined ? [] : [`wrote ${out}`]
      return { json: report as unknown as Json, text: [renderComm(report), ...written].join('\n\n') }
    },
  ).option('--out <file>', 'JSON file to write')
  addFlags(comm, benchCommSchema)
}
