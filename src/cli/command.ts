import { setTimeout } from 'node:timers/promises'
import type { Command } from 'commander'
import { readFlags } from '../config/flags.js'
import { type Launch, readLaunch } from '../distributed/launch.js'
import { MonosemError } from '../errors/monosem-error.js'
import { commandLine } from './command-line.js'
import { type GlobalOptions, globalSchema } from './global-options.js'
import { describeError, exitCodeOf, type ReportOptions } from './report-error.js'
import { type Outcome, openSession, type Session } from './session.js'

/** What a command does: reads its own flags from `command`, works, and returns what is to be printed. On several ranks it runs on each of them. */
export type Action = (session: Session, command: Command) => Promise<Outcome>

export interface AboutCommand {
  description: string
  example: string
  /** whether it can run on several ranks (mpirun, srun); the others refuse to */
  ranks?: boolean
}

const forRanks = new WeakSet<Command>()

/**
 * Adds a command with an example at the end of its help. Its action runs in a session, prints the outcome to standard output and sets
 * the exit code.
 */
export function addCommand(parent: Command, name: string, about: AboutCommand, action: Action): Command {
  const command = parent
    .command(name)
    .description(about.description)
    .addHelpText('after', `\nExample:\n  $ ${about.example}`)
    .action((...args) => runAction(action, args.at(-1) as Command))
  if (about.ranks) forRanks.add(command)
  return command
}

async function runAction(action: Action, command: Command): Promise<void> {
  const root = rootOf(command)
  const launch = readLaunch()
  const args = process.argv.slice(2)
  const report = { json: root.getOptionValue('json') === true, debug: root.getOptionValue('debug') === true }
  const failure = (error: unknown, more: Partial<Failure> = {}) =>
    reportFailure(error, { ...report, commandLine: commandLine(args), ...more }, launch)
  // On one rank Node ends the process by itself; the other ranks have to be ended too.
  if (launch.size > 1) process.once('uncaughtException', (error) => failure(error))
  let session: Session
  try {
    const options = readFlags(root, globalSchema)
    if (launch.size > 1) requireForRanks(command, launch)
    session = await openSession(options, args, launch)
  } catch (error) {
    return failure(error)
  }
  try {
    const outcome = await action(session, command)
    await session.leave()
    if (launch.rank === 0) printOutcome(outcome, session.options)
    await outcome.afterwards?.()
  } catch (error) {
    session.close()
    await failure(error, { interrupted: session.interruption.exitCode(), notes: session.hiddenNotes })
  } finally {
    session.close()
  }
}

/** To standard output. */
export function printOutcome(
  { json, text, afterwards }: Outcome,
  options: Pick<GlobalOptions, 'json'>,
): void {
  const asJson = () => JSON.stringify(json, null, afterwards ? undefined : 2)
  process.stdout.write(`${options.json ? asJson() : text}\n`)
}

interface Failure extends ReportOptions {
  /** exit code of the signal that stopped the command, or 0 */
  interrupted?: number
  /** what this rank has noted and nobody has seen */
  notes?: readonly string[]
}

/** How long other ranks leave rank 0 to say first what is wrong with all of them, and to end them, in milliseconds. */
const patience = 5000

/** Prints what went wrong and sets the exit code. Of several ranks it ends all. */
export async function reportFailure(
  error: unknown,
  { interrupted = 0, notes = [], ...options }: Failure,
  { rank, size }: Launch,
): Promise<void> {
  if (rank > 0) await setTimeout(patience)
  for (const note of notes) process.stderr.write(`rank ${rank}: ${note}\n`)
  process.stderr.write(describeError(error, { ...options, ...(size > 1 && { rank }) }))
  process.exitCode = interrupted || exitCodeOf(error)
  // ends the others too, see `openRanks`
  if (size > 1) process.exit()
}

function requireForRanks(command: Command, { size }: Launch): void {
  if (forRanks.has(command)) return
  const able = commandsBelow(rootOf(command)).filter((other) => forRanks.has(other))
  throw new MonosemError('config', `expected 1 rank for ${fullName(command)}, got ${size}`, {
    hint: `start it without mpirun or srun; these commands run on several ranks: ${able.map(fullName).join(', ')}`,
  })
}

const commandsBelow = (command: Command): Command[] => [command, ...command.commands.flatMap(commandsBelow)]

const fullName = (command: Command): string =>
  command.parent?.parent ? `${fullName(command.parent)} ${command.name()}` : command.name()

const rootOf = (command: Command): Command => (command.parent ? rootOf(command.parent) : command)
