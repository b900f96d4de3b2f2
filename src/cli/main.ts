#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { CommanderError } from 'commander'
import { readLaunch } from '../distributed/launch.js'
import { reportFailure } from './command.js'
import { commandLine } from './command-line.js'
import { createProgram } from './program.js'
import { exitCodeOf } from './report-error.js'

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

// `monosem features list | head` closes our standard output early: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

const launch = readLaunch()
const json = process.argv.includes('--json')
try {
  await createProgram(version, json, launch.rank).parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = exitCodeOf(error)
  // On rank 0 Commander has already printed what is wrong; help and version end here too, with 0.
  if (launch.rank > 0 && process.exitCode !== 0)
    await reportFailure(
      error,
      { json, debug: false, commandLine: commandLine(process.argv.slice(2)) },
      launch,
    )
}
