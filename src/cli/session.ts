import { availableParallelism, cpus } from 'node:os'
import type { Communicator } from '../distributed/communicator.js'
import { type Launch, openRanks } from '../distributed/launch.js'
import { requireSameOnAllRanks } from '../distributed/same-on-all-ranks.js'
import type { Kernels } from '../kernels/kernels.js'
import { loadKernels } from '../kernels/load.js'
import { keepNotes, showNotesOfOthers } from '../progress/notes-of-ranks.js'
import { type StageContext, silentProgress } from '../progress/progress.js'
import { terminalProgress } from '../progress/terminal-progress.js'
import type { Json } from '../storage/stage.js'
import { commandLine } from './command-line.js'
import type { GlobalOptions } from './global-options.js'
import { type Interruption, listenForInterrupt } from './interrupt.js'
import { describeProgram } from './same-program.js'

/** What a command leaves to print: the same content for machines and for people. */
export interface Outcome {
  json: Json
  text: string
  /** what goes on after it was printed, e.g. a server until it is stopped; the JSON is then a single line */
  afterwards?: () => Promise<void>
}

/** One run of the program: what every command gets besides its own options. */
export interface Session {
  options: GlobalOptions
  /** `ranks` is there where mpirun or srun started several; only the progress of rank 0 is seen */
  context: StageContext
  interruption: Interruption
  /** loads the kernels on first use and says once which ones they are; on several ranks all of them call it */
  kernels(): Promise<Kernels>
  /** whether standard output understands colours */
  color: boolean
  /** columns of standard output; 100 where it is no terminal */
  width: number
  /** the command to type to run this again */
  commandLine: string
  /** what this rank noted and did not show, because it is not rank 0 */
  hiddenNotes: readonly string[]
  /** after work that went well: shows what other ranks noted, and leaves MPI when all ranks have come here */
  leave(): Promise<void>
  /** leaves standard error at the start of a line and stops listening for signals */
  close(): void
}

/**
 * @param args the arguments after the program's name
 * @param launch the ranks that were started together with this one
 * @throws MonosemError native (several ranks without MPI), config (ranks that run different things)
 */
export async function openSession(
  options: GlobalOptions,
  args: readonly string[],
  launch: Launch,
): Promise<Session> {
  const { communicator: ranks, finalize } = openRanks(launch)
  if (ranks.size > 1) await requireSameOnAllRanks(ranks, describeProgram(args))
  const quiet = options.json || options.quiet
  const terminal = quiet || ranks.rank > 0 ? null : terminalProgress()
  const progress = keepNotes(terminal ?? silentProgress)
  const interruption = listenForInterrupt((signal) => {
    // mpirun sends SIGTERM to all ranks a second before it kills them, when one has failed
    if (ranks.size === 1 || signal !== 'SIGTERM')
      progress.note('stopping at the next safe point (Ctrl-C again ends at once)')
  })
  let kernels: Promise<Kernels> | null = null
  return {
    options,
    context: { progress, signal: interruption.signal, ...(ranks.size > 1 && { ranks }) },
    interruption,
    kernels: () => (kernels ??= openKernels(options, progress.note, ranks, launch.localSize)),
    color: process.stdout.isTTY === true && process.env.NO_COLOR === undefined,
    width: Math.max(60, process.stdout.columns ?? 100),
    commandLine: commandLine(args),
    hiddenNotes: quiet || ranks.rank === 0 ? [] : progress.notes,
    async leave() {
      if (ranks.size > 1 && !quiet) await showNotesOfOthers(ranks, progress.notes, progress.note)
      await ranks.barrier()
      finalize()
    },
    close() {
      terminal?.close()
      interruption.remove()
    },
  }
}

async function openKernels(
  options: GlobalOptions,
  note: (text: string) => void,
  ranks: Communicator,
  localSize: number,
): Promise<Kernels> {
  const threads = options.threads || (localSize > 1 ? threadsOfRank(localSize) : undefined)
  const kernels = await loadKernels({
    ...(threads && { threads }),
    ...(options.kernels !== 'auto' && { implementation: options.kernels }),
  })
  note(`kernels: ${kernels.description}`)
  // Numbers that all ranks keep stay the same only where all compute with the same instructions.
  const instructions = kernels.description.replace(/, \d+ threads?/, '')
  await requireSameOnAllRanks(ranks, { 'kernels (compiled, and for which instruction set)': instructions })
  return kernels
}

/** This rank's part of the machine's cores, or those that the launcher has bound it to where these are fewer. */
const threadsOfRank = (localSize: number): number =>
  Math.max(1, Math.min(availableParallelism(), Math.floor(cpus().length / localSize)))
