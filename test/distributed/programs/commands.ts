// A command line with commands that end in every way; run by several ranks.
import { setTimeout } from 'node:timers/promises'
import { Command } from 'commander'
import { type Action, addCommand } from '../../../src/cli/command.js'
import { globalSchema } from '../../../src/cli/global-options.js'
import type { Outcome, Session } from '../../../src/cli/session.js'
import { addFlags } from '../../../src/config/flags.js'
import { shouldStop } from '../../../src/distributed/agree.js'
import { singleRank } from '../../../src/distributed/communicator.js'
import { MonosemError } from '../../../src/errors/monosem-error.js'

const program = new Command('monosem')
addFlags(program, globalSchema)
/** Works until any rank is to stop; rank 1 tells a process to. */
async function runUntil({ context }: Session, told: () => number): Promise<Outcome> {
  const { ranks = singleRank, signal, progress } = context
  const task = progress.start('work', 10, 'steps')
  await ranks.barrier()
  if (ranks.rank === 1) process.kill(told(), 'SIGUSR2')
  while (!(await shouldStop(ranks, signal))) await setTimeout(5)
  task.update(1)
  throw new MonosemError('interrupted', 'stopped before the end')
}

const outcome = { json: {}, text: 'the outcome' }

const actions: Record<string, Action> = {
  // rank 1 fails, the others wait for it in a collective
  'one-fails': async ({ context: { ranks = singleRank, progress } }) => {
    progress.note('a note of every rank')
    if (ranks.rank === 1) {
      progress.note('what rank 1 saw before')
      throw new MonosemError('diverged', 'the loss is NaN', { hint: 'lower the learning rate' })
    }
    await ranks.barrier()
    return outcome
  },
  'all-fail': async () => {
    throw new MonosemError('config', 'no such thing')
  },
  // an error that nobody waits for
  escapes: async ({ context: { ranks = singleRank } }) => {
    if (ranks.rank === 1) setImmediate(() => Promise.reject(new Error('nobody waits for this')))
    await ranks.broadcast(new Uint8Array(0), 1)
    await ranks.barrier()
    await setTimeout(60_000)
    return outcome
  },
  // rank 1 asks for more memory than any machine has
  memory: async ({ context: { ranks = singleRank }, kernels }) => {
    const { zeros, finish } = await kernels()
    if (ranks.rank === 1) zeros([2 ** 24, 2 ** 24])
    await finish()
    await ranks.barrier()
    return outcome
  },
  // rank 1 leaves without a word
  leaves: async ({ context: { ranks = singleRank } }) => {
    if (ranks.rank === 1) process.exit(0)
    await ranks.barrier()
    return outcome
  },
  notes: async ({ context: { ranks = singleRank, progress }, kernels }) => {
    const { threads } = await kernels()
    progress.note('a note of every rank')
    if (ranks.rank > 0) progress.note('a warning')
    const task = progress.start('work', 1, 'steps')
    task.update(1)
    task.end('done')
    return { json: { threads }, text: `the outcome of ${ranks.size}, ${threads}` }
  },
  'one-told': async (session) => runUntil(session, () => process.pid),
  // mpirun is the parent of the ranks on its own machine
  'mpirun-told': async (session) => runUntil(session, () => process.ppid),
}

for (const [name, action] of Object.entries(actions))
  addCommand(program, name, { description: name, example: name, ranks: true }, action)
addCommand(program, 'alone', { description: 'alone', example: 'alone' }, async () => outcome)
await program.parseAsync()
