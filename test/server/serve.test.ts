import assert from 'node:assert/strict'
import { once } from 'node:events'
import { cp, mkdir, truncate } from 'node:fs/promises'
import { Agent, get, type IncomingMessage, request } from 'node:http'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { before, type TestContext, test } from 'node:test'
import { type ServeOptions, startServer } from '../../src/server/serve.js'
import { smallRun } from '../small-run.js'
import { fileLifetime, temporaryDirectory } from '../temporary-directory.js'

/** All tests serve one run. */
const file = fileLifetime()
let root = ''
before(async () => {
  root = (await smallRun(file)).root
})

async function started(t: TestContext, options: Partial<ServeOptions> = {}) {
  const server = await startServer({ runs: [root], port: 0, ...options })
  t.after(() => server.close())
  return { server, port: Number(new URL(server.url).port) }
}

test('the server listens on this machine alone, and a path or a host made by hand gets nothing', async (t) => {
  const { server, port } = await started(t)
  assert.equal(server.url, `http://127.0.0.1:${port}`)
  assert.equal(server.token, null)
  assert.equal((await fetch(`${server.url}/api/v1/runs`)).status, 200)
  const status = async (path: string, host?: string) => {
    const sent = get({ port, host: '127.0.0.1', path, headers: host === undefined ? {} : { host } })
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    let text = ''
    for await (const chunk of answer.setEncoding('utf8')) text += chunk
    return { status: answer.statusCode, text }
  }
  assert.equal((await status('/api/v1/runs', `evil.example:${port}`)).status, 421)
  for (const path of [
    '/../../../../etc/passwd',
    '/assets/../../package.json',
    '/api/v1/runs/../../../package.json',
  ])
    assert.doesNotMatch((await status(path)).text, /root:|"dependencies"/)
})

test('other machines are served only with a token', async (t) => {
  const { server, port } = await started(t, { host: '0.0.0.0' })
  assert.match(server.token ?? '', /^[\w-]{43}$/)
  const at = `http://127.0.0.1:${port}/api/v1/runs`
  assert.equal((await fetch(at)).status, 401)
  assert.equal((await fetch(at, { headers: { authorization: `Bearer ${server.token}` } })).status, 200)
  const own = await started(t, { token: true })
  assert.notEqual(own.server.token, server.token)
  assert.equal((await fetch(`${own.server.url}/api/v1/runs`)).status, 401)
})

test('a busy port is refused with a hint, and the runs are closed', async (t) => {
  const { port } = await started(t)
  await assert.rejects(startServer({ runs: [root], port }), {
    code: 'busy',
    message: `127.0.0.1:${port}: another program listens there`,
    hint: /--port/,
  })
  await assert.rejects(startServer({ runs: [root], port: 0, host: '192.0.2.1' }), {
    code: 'config',
    hint: /--host/,
  })
})

test('one bad run refuses the start and is named', async (t) => {
  const bad = await temporaryDirectory(t)
  const missing = join(bad, 'nowhere')
  const start = (run: string) => startServer({ runs: [root, run], port: 0 })
  await assert.rejects(start(missing), (error: Error) => error.message.includes(missing))
  const empty = join(bad, 'empty')
  await mkdir(empty)
  await assert.rejects(start(empty), (error: Error & { code: string; hint: string }) => {
    assert.ok(error.message.includes(empty), error.message)
    assert.equal(error.code, 'missing')
    return error.hint.length > 0
  })
  const corrupt = join(bad, 'corrupt')
  await cp(root, corrupt, { recursive: true })
  await truncate(join(corrupt, 'features', 'features.json'), 10)
  await assert.rejects(start(corrupt), (error: Error & { code: string }) => {
    assert.ok(error.message.includes(corrupt), error.message)
    return error.code === 'corrupt'
  })
})

test('two runs of the same name are both served', async (t) => {
  const { server } = await started(t)
  const again = await startServer({ runs: [root, root], port: 0 })
  t.after(() => again.close())
  assert.equal(new Set(again.runs.map(({ run }) => run)).size, 2)
  assert.equal(server.runs.length, 1)
})

test('100 tabs that keep their connection open do not keep out others', async (t) => {
  const { server, port } = await started(t)
  const agent = new Agent({ keepAlive: true, maxSockets: 100 })
  t.after(() => agent.destroy())
  const ask = async (): Promise<number | undefined> => {
    const sent = request({ port, host: '127.0.0.1', path: '/api/v1/runs', agent }).end()
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    answer.resume()
    await once(answer, 'end')
    return answer.statusCode
  }
  const many = () => Promise.all(Array.from({ length: 100 }, ask))
  assert.deepEqual(new Set(await many()), new Set([200]))
  const kept = Object.values(agent.freeSockets).flat().length
  assert.equal(kept, 100)
  assert.equal((await fetch(`${server.url}/`)).status, 200)
  assert.deepEqual(new Set(await many()), new Set([200]))
})

test('closing ends idle connections, and those that never finish their request', {
  timeout: 20_000,
}, async (t) => {
  const server = await startServer({ runs: [root], port: 0 })
  const port = Number(new URL(server.url).port)
  const agent = new Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  const [idle] = (await once(get({ port, host: '127.0.0.1', path: '/', agent }), 'response')) as [
    IncomingMessage,
  ]
  idle.resume()
  const half = connect(port, '127.0.0.1')
  half.on('error', () => {})
  await once(half, 'connect')
  half.write('GET / HTTP/1.1\r\nHost: 127.0.')
  const cut = once(half, 'close')
  await server.close()
  await cut
  const free = createServer()
  free.listen(port, '127.0.0.1')
  await once(free, 'listening')
  free.close()
})
