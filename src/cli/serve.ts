import type { Command } from 'commander'
import { z } from 'zod'
import { addFlags, readFlags } from '../config/flags.js'
import { startServer } from '../server/serve.js'
import { addCommand } from './command.js'

const serveSchema = z.object({
  port: z.int().min(0).max(65535).default(4100).describe('port to listen on; 0 takes a free one'),
})

/** `monosem serve` */
export function addServe(program: Command): void {
  const command = addCommand(
    program,
    'serve',
    {
      description: 'Browse the features of finished runs: look, search, test on your own text, steer.',
      example: 'monosem serve runs/demo',
    },
    async (session, command) => {
      const { port } = readFlags(command, serveSchema)
      const server = await startServer({ runs: command.args, port, kernels: session.kernels })
      process.stderr.write(`${server.url}\n`)
      await new Promise((resolve) => session.context.signal?.addEventListener('abort', resolve))
      await server.close()
      return { json: { url: server.url }, text: 'stopped' }
    },
  )
  addFlags(command.argument('<run...>', 'run directories'), serveSchema)
}
