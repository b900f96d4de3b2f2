import type { Kernels } from '../kernels/kernels.js'
import { loadKernels } from '../kernels/load.js'
import { type StageContext, silentProgress } from '../progress/progress.js'
import { terminalProgress } from '../progress/terminal-progress.js'
import type { Json } from '../storage/stage.js'
import { commandLine } from './command-line.js'
import type { GlobalOptions } from './global-options.js'
import { type Interruption, listenForInterrupt } from './interrupt.js'

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
  context: StageContext
  interruption: Interruption
  /** loads the kernels on first use and says once which ones they are */
  kernels(): Promise<Kernels>
  /** whether standard output understands colours */
  color: boolean
  /** columns of standard output; 100 where it is no terminal */
  width: number
  /** the command to type to run this again */
  commandLine: string
  /** leaves standard error at the start of a line and stops listening for signals */
  close(): void
}

/** @param args the arguments after the program's name */
export function openSession(options: GlobalOptions, args: readonly string[]): Session {
  const terminal = options.json || options.quiet ? null : terminalProgress()
  const progress = terminal ?? silentProgress
  const interruption = listenForInterrupt(() =>
    progress.note('stopping at the next safe point (Ctrl-C again ends at once)'),
  )
  let kernels: Promise<Kernels> | null = null
  return {
    options,
    context: { progress, signal: interruption.signal },
    interruption,
    kernels: () => (kernels ??= openKernels(options, progress.note)),
    color: process.stdout.isTTY === true && process.env.NO_COLOR === undefined,
    width: Math.max(60, process.stdout.columns ?? 100),
    commandLine: commandLine(args),
    close() {
      terminal?.close()
      interruption.remove()
    },
  }
}

async function openKernels(options: GlobalOptions, note: (text: string) => void): Promise<Kernels> {
  const kernels = await loadKernels({
    ...(options.threads > 0 && { threads: options.threads }),
    ...(options.kernels !== 'auto' && { implementation: options.kernels }),
  })
  note(`kernels: ${kernels.description}`)
  return kernels
}
