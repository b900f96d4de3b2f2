import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { MonosemError } from '../errors/monosem-error.js'

/** The parts of a run directory, each a directory that one stage writes. */
export type Role =
  | 'corpus'
  | 'model'
  | 'model-randomized'
  | 'activations'
  | 'sae'
  | 'eval'
  | 'baselines'
  | 'features'
  | 'feature-map'
  | 'ablation'
  | 'case-studies'
  | 'explanations'
  | 'splitting'
  | 'universality'

/** `--features` says which features; so their directory has another name everywhere. */
const flagNames: Partial<Record<Role, string>> = { features: 'feature-store' }

/** What a directory holds, in words. */
const named = (role: Role): string => (role === 'sae' ? 'autoencoder' : role.replaceAll('-', ' '))

const flagOf = (role: Role): string => flagNames[role] ?? role

/** What was given for a directory's flag. */
const given = (command: Command, role: Role): string | undefined =>
  command.getOptionValue(flagOf(role).replace(/-(\w)/g, (_, letter) => letter.toUpperCase()))

/** Adds `--run DIR` and one `--<role> DIR` for each directory that a command reads, and `--out DIR` for the one it writes. */
export function addPaths(command: Command, inputs: readonly Role[], output?: Role): Command {
  const parts = output === undefined ? inputs : [...inputs, output]
  command.option(
    '--run <dir>',
    `run directory: stands for ${parts.map((part) => `<dir>/${part}`).join(', ')}`,
  )
  for (const role of inputs)
    command.option(
      `--${flagOf(role)} <dir>`,
      `directory of the ${named(role)} to read (default: <run>/${role})`,
    )
  if (output) command.option('--out <dir>', `directory to write (default: <run>/${output})`)
  return command
}

/** Adds `--<role> DIR` for directories that a command uses where they are there. */
export function addOptionalPaths(command: Command, roles: readonly Role[]): Command {
  for (const role of roles)
    command.option(
      `--${flagOf(role)} <dir>`,
      `directory of the ${named(role)} (default: <run>/${role}, if it is there)`,
    )
  return command
}

/** A directory that was asked for, or the run's where it is there; null otherwise. */
export function optionalPath(command: Command, role: Role): string | null {
  const directory = runDirectory(command, role)
  return given(command, role) ?? (directory !== null && existsSync(directory) ? directory : null)
}

/** Lets a command that does nothing but read a run take its directory as an argument too: `monosem steer runs/demo`. */
export function addRunArgument(command: Command): Command {
  return command.argument('[run]', 'run directory, as --run')
}

/**
 * The directories that a command reads, by role, and the one it writes, as `out`.
 * @throws MonosemError config, when neither --run nor the directory's own flag was given
 */
export function readPaths<R extends Role>(
  command: Command,
  inputs: readonly R[],
  output?: Role,
): Record<R, string> & { out: string } {
  const run: string | undefined = command.getOptionValue('run') ?? runArgument(command)
  const paths: Record<string, string> = {}
  const read = (key: string, flag: string, value: string | undefined, role: Role): void => {
    const path = value ?? (run === undefined ? undefined : join(run, role))
    if (path === undefined)
      throw new MonosemError('config', `--${flag}: expected a directory, got nothing`, {
        hint: `pass --${flag} DIR, or --run DIR for DIR/${role}`,
      })
    paths[key] = path
  }
  for (const role of inputs) read(role, flagOf(role), given(command, role), role)
  if (output) read('out', 'out', command.getOptionValue('out'), output)
  return paths as Record<R, string> & { out: string }
}

/** A directory of the run, for commands that only use it where it is there; null without a run. */
export function runDirectory(command: Command, role: Role): string | null {
  const run: string | undefined = command.getOptionValue('run') ?? runArgument(command)
  return run === undefined ? null : join(run, role)
}

/** What was given for `[run]`, of commands that have it. */
function runArgument(command: Command): string | undefined {
  return command.registeredArguments[0]?.name() === 'run' ? command.args[0] : undefined
}
