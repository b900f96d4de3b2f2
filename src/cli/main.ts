#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { CommanderError } from 'commander'
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

try {
  await createProgram(version, process.argv.includes('--json')).parseAsync()
} catch (error) {
  // Commander has already printed what is wrong; help and version end here too, with 0.
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = exitCodeOf(error)
}
