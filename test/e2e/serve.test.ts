import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readdir, readFile, stat, symlink } from 'node:fs/promises'
import { Agent, get, type IncomingMessage } from 'node:http'
import { basename, join } from 'node:path'
import { before, type TestContext, test } from 'node:test'
import type { FeatureList } from '../../src/server/protocol.js'
import { everything, smallRun } from '../small-run.js'
import { fileLifetime, temporaryDirectory } from '../temporary-directory.js'
import { run, start } from './program.js'

/** All tests serve one run. */
const file = fileLifetime()
let root = ''
before(async () => {
  root = (await smallRun(file, { extras: everything })).root
})

/** Starts a server that ends with the test, and reads the line that it prints. */
async function serve(t: TestContext, args: readonly string[] = [], environment: NodeJS.ProcessEnv = {}) {
  const program = start(
    ['serve', root, '--port', '0', '--threads', '1', '--json', ...args],
    root,
    environment,
  )
  t.after(() => program.signalWhen(() => true, 'SIGKILL'))
  const line = await program.printed(/^\{.*\}\n/)
  if (line === null) throw new Error((await program.finished).stderr)
  const { url, token, login } = JSON.parse(line[0]) as Record<string, string>
  return { program, url, token, login }
}

/** Size, time and content of every file of the run. */
async function fingerprint(): Promise<string[]> {
  const names = await readdir(root, { recursive: true })
  const lines = names.sort().map(async (name) => {
    const path = join(root, name)
    const { mtimeMs } = await stat(path)
    const content = await readFile(path).catch(() => '')
    return `${name} ${mtimeMs} ${createHash('sha256').update(content).digest('hex')}`
  })
  return Promise.all(lines)
}

const json = (body: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

/** A feature that fires. */
async function liveFeature(at: string): Promise<number> {
  const { items } = (await (await fetch(`${at}/features?sort=density&limit=1`)).json()) as FeatureList
  return items[0]!.feature
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  test(`${signal} ends a server with open tabs and a stream under way; it has written nothing`, {
    timeout: 60_000,
  }, async (t) => {
    const before = await fingerprint()
    const { program, url } = await serve(t)
    const at = `${url}/api/v1/runs/${basename(root)}`
    for (const path of ['', '/api/v1/runs', '/api/openapi.json'])
      assert.equal((await fetch(url + path)).status, 200)
    for (const path of ['/features?q=greeting', '/features/1', '/features/1/notes'])
      assert.equal((await fetch(at + path)).status, 200, path)
    assert.equal((await fetch(`${at}/text`, json({ text: 'Line 3 says hello' }))).status, 200)
    const agent = new Agent({ keepAlive: true })
    t.after(() => agent.destroy())
    const [idle] = (await once(get(url, { agent }), 'response')) as [IncomingMessage]
    idle.resume()
    const edits = [{ feature: await liveFeature(at), strength: 5 }]
    const stream = await fetch(`${at}/steer`, json({ prompt: 'Line', edits, maxTokens: 512 }))
    assert.equal(stream.status, 200, stream.ok ? '' : await stream.text())
    assert.match(stream.headers.get('content-type') ?? '', /^text\/event-stream/)
    assert.equal(stream.headers.get('content-encoding'), null)
    assert.ok(stream.headers.get('content-security-policy'))
    const reader = stream.body!.getReader()
    await reader.read()
    await program.signalWhen(() => true, signal)
    const { code, stderr, stdout } = await program.finished
    assert.equal(code, 0, stderr)
    assert.equal(stderr, '')
    assert.equal(stdout.trim().split('\n').length, 1)
    assert.deepEqual(await fingerprint(), before)
    while (!(await reader.read().catch(() => ({ done: true }))).done);
  })

test('people see each run and the address; a browser that cannot be opened is only noted', async (t) => {
  const program = start(['serve', root, '--port', '0', '--open'], root, { PATH: '' })
  t.after(() => program.signalWhen(() => true, 'SIGKILL'))
  assert.ok(
    await program.printed(
      /24 features, model, map, explanations, ablation\n(.*\n)*.* at http:\/\/127\.0\.0\.1:\d+ /,
    ),
  )
  assert.ok(await program.signalWhen((stderr) => stderr.includes('no browser could be opened'), 'SIGINT'))
  const { code, stdout } = await program.finished
  assert.equal(code, 0)
  assert.doesNotMatch(stdout, /token/)
})

test('another address asks for a token, which is printed once, or not at all where it was given', async (t) => {
  const open = start(['serve', root, '--port', '0', '--host', '0.0.0.0'], root)
  t.after(() => open.signalWhen(() => true, 'SIGKILL'))
  const shown = await open.printed(/at (http:\S+)\/login .*:\n([\w-]{43})\n/)
  assert.ok(shown)
  await open.signalWhen(() => true, 'SIGINT')
  const { stdout, stderr } = await open.finished
  assert.equal((stdout + stderr).split(shown[2]!).length, 2)

  const given = 'given-in-the-environment'
  const { program, url, token } = await serve(t, ['--token'], { MONOSEM_TOKEN: given })
  assert.equal(token, null)
  assert.equal((await fetch(`${url}/api/v1/runs`)).status, 401)
  const headers = { authorization: `Bearer ${given}` }
  assert.equal((await fetch(`${url}/api/v1/runs`, { headers })).status, 200)
  await program.signalWhen(() => true, 'SIGTERM')
  assert.doesNotMatch(Object.values(await program.finished).join(), new RegExp(given))
  const short = start(['serve', root, '--token'], root, { MONOSEM_TOKEN: 'short' })
  assert.match((await short.finished).stderr, /MONOSEM_TOKEN: expected at least 16/)
})

test('what cannot be served is refused with what to do', async (t) => {
  const cwd = await temporaryDirectory(t)
  const refused = async (...args: string[]) => {
    const { code, stderr } = await run(['serve', ...args], cwd)
    return `${code} ${stderr}`
  }
  assert.match(
    await refused(),
    /^2 error: serve: expected a run directory.*\n {2}hint: monosem demo makes one/,
  )
  await mkdir(join(cwd, 'runs'))
  await symlink(root, join(cwd, 'runs', 'mine'))
  assert.match(await refused(), /hint: there are runs\/mine: monosem serve runs\/mine/)
  assert.match(
    await refused('runs/mine', 'runs/other'),
    /^1 error: runs\/other: .*\n {2}hint: .*monosem demo/,
  )
  const { url } = await serve(t)
  const { port } = new URL(url)
  assert.match(await refused(root, '--port', port), /^1 error: 127\.0\.0\.1:\d+: .*\n {2}hint: .*--port/)
  assert.match(await refused(root, '--port', '70000'), /^2 error: --port: expected/)
})
