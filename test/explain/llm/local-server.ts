import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

/** A request as it arrived. */
export interface Received {
  path: string
  headers: IncomingHttpHeaders
  // biome-ignore lint/suspicious/noExplicitAny: tests reach into whatever came
  body: any
}

/** What the server does with a request. */
export type Reply =
  | { status?: number; headers?: Record<string, string>; body: unknown }
  /** says nothing */
  | 'hang'
  /** begins an answer and breaks the connection */
  | { cut: string }
  /** ends an answer in the middle as if that were all */
  | { short: string }

export interface LocalServer {
  /** base URL as the client wants it */
  url: string
  received: Received[]
}

/**
 * An HTTP server on this machine that answers as a language model's server does.
 * @param answer called for every request with its number, from 0 on
 */
export async function localServer(
  t: TestContext,
  answer: (received: Received, index: number) => Reply | Promise<Reply>,
): Promise<LocalServer> {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const one = { path: request.url!, headers: request.headers, body: JSON.parse(text) }
    received.push(one)
    send(response, await answer(one, received.length - 1))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, received }
}

function send(response: ServerResponse, reply: Reply): void {
  if (reply === 'hang') return
  if ('cut' in reply) {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100000' })
    response.write(reply.cut, () => response.destroy())
  } else if ('short' in reply) {
    response.writeHead(200, { 'content-type': 'application/json' }).end(reply.short)
  } else {
    response.writeHead(reply.status ?? 200, { 'content-type': 'application/json', ...reply.headers })
    response.end(JSON.stringify(reply.body))
  }
}

/** A chat completion as OpenAI-compatible servers send it. */
export function chatReply(content: unknown, more: Record<string, unknown> = {}): { body: unknown } {
  const text = typeof content === 'string' ? content : JSON.stringify(content)
  const { finish_reason = 'stop', refusal, ...rest } = more
  return {
    body: {
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1700000000,
      model: 'test',
      choices: [
        {
          index: 0,
          finish_reason,
          message: { role: 'assistant', content: refusal === undefined ? text : null, refusal },
        },
      ],
      usage: { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 },
      ...rest,
    },
  }
}

/** An error as OpenAI-compatible servers send it. */
export const chatError = (status: number, message: string, headers: Record<string, string> = {}): Reply => ({
  status,
  headers,
  body: { error: { message, type: 'error', param: null, code: null } },
})

/** A message as Anthropic's API sends it. */
export function anthropicReply(content: unknown, stopReason = 'end_turn'): { body: unknown } {
  const text = typeof content === 'string' ? content : JSON.stringify(content)
  return {
    body: {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'test',
      content: [{ type: 'text', text }],
      stop_reason: stopReason,
      stop_sequence: null,
      usage: { input_tokens: 100, output_tokens: 10 },
    },
  }
}

/** A port on which nobody listens. */
export async function unusedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
