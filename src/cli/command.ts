import type { Command } from 'commander'
import { readFlags } from '../config/flags.js'
import { commandLine } from './command-line.js'
import { type GlobalOptions, globalSchema } from './global-options.js'
import { describeError, exitCodeOf } from './report-error.js'
import { type Outcome, openSession, type Session } from './session.js'

/** What a command does: reads its own flags from `command`, works, and returns what is to be printed. */
export type Action = (session: Session, command: Command) => Promise<Outcome>

/**
 * Adds a command with an example at the end of its help. Its action runs in a session, prints the outcome to standard output and sets
 * the exit code.
 */
export function addCommand(
  parent: Command,
  name: string,
  about: { description: string; example: string },
  action: Action,
): Command {
  return parent
    .command(name)
    .description(about.description)
    .addHelpText('after', `\nExample:\n  $ ${about.example}`)
    .action((...args) => runAction(action, args.at(-1) as Command))
}

async function runAction(action: Action, command: Command): Promise<void> {
  const root = rootOf(command)
  const args = process.argv.slice(2)
  let options: GlobalOptions
  try {
    options = readFlags(root, globalSchema)
  } catch (error) {
    reportFailure(error, {
      json: root.getOptionValue('json') === true,
      debug: false,
      commandLine: commandLine(args),
    })
    return
  }
  const session = openSession(options, args)
  try {
    const outcome = await action(session, command)
    printOutcome(outcome, options)
    await outcome.afterwards?.()
  } catch (error) {
    session.close()
    reportFailure(error, { ...options, commandLine: session.commandLine }, session.interruption.exitCode())
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

/** @param interrupted exit code of the signal that stopped the command, or 0 */
function reportFailure(error: unknown, options: Parameters<typeof describeError>[1], interrupted = 0): void {
  process.stderr.write(describeError(error, options))
  process.exitCode = interrupted || exitCodeOf(error)
}

const rootOf = (command: Command): Command => (command.parent ? rootOf(command.parent) : command)
