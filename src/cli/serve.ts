import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { z } from 'zod'
import { addFlags, readFlags } from '../config/flags.js'
import { MonosemError } from '../errors/monosem-error.js'
import { formatNumber } from '../progress/rate.js'
import { tokenVariable } from '../server/security/token.js'
import { type ServeOptions, type Server, startServer } from '../server/serve.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { openBrowser } from './open-browser.js'
import type { Outcome, Session } from './session.js'

const serveSchema = z.object({
  port: z.int().min(0).max(65535).default(4100).describe('port to listen on; 0 takes a free one'),
  host: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('address to listen on. Any but this machine alone asks for a token: 0.0.0.0 is all of them'),
  token: z
    .boolean()
    .default(false)
    .describe(`ask for a token on this machine too; ${tokenVariable} gives one, else it is made and printed`),
  allowHost: z
    .array(z.string().min(1))
    .default([])
    .describe('further names that the server answers to, e.g. of a proxy in front of it'),
  open: z.boolean().default(false).describe('open the browser'),
})

/** `monosem serve` */
export function addServe(program: Command): void {
  const command = addCommand(
    program,
    'serve',
    {
      description:
        'Browse the features of finished runs: look, search, test on your own text, steer. Ctrl-C stops. Writes nothing but your ' +
        'labels and notes.',
      example: 'monosem serve runs/demo --open',
    },
    async (session, command) => {
      const { open, ...options } = readFlags(command, serveSchema)
      if (command.args.length === 0) throw noRun()
      return serveRuns(session, { ...options, runs: command.args }, open)
    },
  )
  addFlags(command.argument('[run...]', 'run directories, one or more'), serveSchema)
}

/** Starts a server and says where it is; once that is printed, it runs until it is stopped. */
export async function serveRuns(
  session: Session,
  options: Omit<ServeOptions, 'kernels'>,
  open = false,
): Promise<Outcome> {
  const server = await startServer({ ...options, kernels: session.kernels })
  const login = server.token === null ? null : `${server.url}/login`
  // A token from the environment is known to who gave it, and need not stand in a log.
  const token = process.env[tokenVariable] ? null : server.token
  if (open) openBrowser(login ?? server.url, session.context.progress.note)
  return {
    json: { url: server.url, login, token, runs: server.runs as unknown as Json },
    text: describeServer(server, login, token),
    async afterwards() {
      const { signal } = session.context
      await new Promise<void>((resolve) => {
        if (signal?.aborted) resolve()
        else signal?.addEventListener('abort', () => resolve(), { once: true })
      })
      await server.close()
    },
  }
}

function describeServer({ url, runs }: Server, login: string | null, token: string | null): string {
  const lines = runs.map(({ directory, features, has }) => {
    const parts = Object.entries(has).flatMap(([part, there]) => (there ? [part] : []))
    return `${directory}: ${[`${formatNumber(features)} features`, ...parts].join(', ')}`
  })
  const address = [`\nThe feature browser is at ${url} until you press Ctrl-C`]
  if (login === null) return [...lines, ...address].join('\n')
  const how =
    token === null ? `the token of ${tokenVariable}` : `this token, which is shown only here:\n${token}`
  return [...lines, ...address, `Log in at ${login} with ${how}`].join('\n')
}

/** Names the runs that could have been meant. */
function noRun(): MonosemError {
  const runs = runsBelow('runs')
  return new MonosemError('config', 'serve: expected a run directory, got nothing', {
    hint:
      runs.length > 0
        ? `there are ${runs.join(', ')}: monosem serve ${runs[0]}`
        : 'monosem demo makes one: monosem serve runs/demo',
  })
}

function runsBelow(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .map((name) => join(directory, name))
    .filter((run) => existsSync(join(run, 'features', 'manifest.json')))
}
