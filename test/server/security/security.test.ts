import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { MonosemError } from '../../../src/errors/monosem-error.js'
import type { ErrorBody } from '../../../src/server/protocol.js'
import { accessTo, isLoopback } from '../../../src/server/security/access.js'
import { countAttempts } from '../../../src/server/security/attempts.js'
import { ownAddress } from '../../../src/server/security/login-routes.js'
import { givenToken, randomToken, sameSecret } from '../../../src/server/security/token.js'
import type { ServedRun } from '../../../src/server/served-run.js'
import { fakeApp, notesPath, put } from '../fake-app.js'

const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"

test('every answer has the strict headers, whatever it is', async (t) => {
  const access = accessTo({ host: '127.0.0.1', port: 80 }, { token: 'a-token-of-some-length' })
  const failing = {
    index: { answer: () => Promise.reject(new Error('oh')) },
  } as unknown as Partial<ServedRun>
  const guarded = await fakeApp(t, { access })
  const { app } = await fakeApp(t, {}, failing)
  const answers = [
    [200, await app.request('/')],
    [200, await app.request('/assets/index-1234.js')],
    [200, await app.request('/api/v1/runs')],
    [200, await app.request('/api/openapi.json')],
    [404, await app.request('/api/v1/nothing')],
    [404, await app.request('/nothing', { method: 'POST', headers: { 'content-type': 'application/json' } })],
    [400, await app.request('/api/v1/runs/demo/features?limit=0')],
    [400, await app.request(notesPath, put({}, '{'))],
    [403, await app.request('/', { headers: { 'sec-fetch-site': 'cross-site' } })],
    [413, await app.request(notesPath, put({ 'content-length': '70000' }, ' '.repeat(70_000)))],
    [415, await app.request(notesPath, { method: 'PUT', body: 'x' })],
    [421, await app.request('http://evil.example/')],
    [500, await app.request('/api/v1/runs/demo/features')],
    [401, await guarded.app.request('/api/v1/runs')],
    [200, await guarded.app.request('/login')],
  ] as const
  for (const [status, answer] of answers) {
    assert.equal(answer.status, status)
    assert.equal(answer.headers.get('content-security-policy'), policy)
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
    assert.equal(answer.headers.get('referrer-policy'), 'no-referrer')
    assert.equal(answer.headers.get('cross-origin-opener-policy'), 'same-origin')
    assert.equal(answer.headers.get('cross-origin-resource-policy'), 'same-origin')
    assert.equal(answer.headers.get('x-frame-options'), 'DENY')
    assert.match(answer.headers.get('permissions-policy') ?? '', /camera=\(\)/)
    assert.equal(answer.headers.get('access-control-allow-origin'), null)
  }
})

test('a page that turned its own name to 127.0.0.1 gets nothing (DNS rebinding)', async (t) => {
  const { app, written } = await fakeApp(t, { access: accessTo({ host: '127.0.0.1', port: 4100 }) })
  const names = [
    ...['evil.example', 'evil.example:4100', 'localhost', 'localhost:4101', 'localhost.evil.example:4100'],
    ...[
      '127.0.0.1.evil.example:4100',
      '127.0.0.1:4100.evil.example',
      '127.0.0.2:4100',
      '[::2]:4100',
      '0.0.0.0:4100',
    ],
    ...['localhost:4100@evil.example', 'localhost:4100,evil.example', ''],
  ]
  for (const host of names) {
    const read = await app.request('http://localhost:4100/api/v1/runs', { headers: { host } })
    assert.equal(read.status, 421, host)
    assert.doesNotMatch(await read.text(), /hookName/)
    const write = await app.request(`http://localhost:4100${notesPath}`, put({ host }))
    assert.equal(write.status, 421, host)
  }
  assert.deepEqual(written, [])
  for (const host of ['localhost:4100', 'LOCALHOST:4100', '127.0.0.1:4100', '[::1]:4100'])
    assert.equal((await app.request('/api/v1/runs', { headers: { host } })).status, 200, host)
})

test('a server for other machines answers to its address and to the names that it was told', async (t) => {
  const access = accessTo({ host: '192.0.2.7', port: 4100 }, { allowed: ['browser.lan', 'Example.ORG'] })
  const { app } = await fakeApp(t, { access })
  const status = async (host: string) => (await app.request('/api/v1/runs', { headers: { host } })).status
  for (const host of [
    '192.0.2.7:4100',
    'localhost:4100',
    'browser.lan:4100',
    'browser.lan',
    'example.org:8443',
  ])
    assert.equal(await status(host), 200, host)
  for (const host of ['192.0.2.8:4100', 'browser.lan.evil.example', 'notbrowser.lan'])
    assert.equal(await status(host), 421, host)
  const everywhere = accessTo({ host: '0.0.0.0', port: 4100 })
  assert.ok(everywhere.hosts.has('127.0.0.1:4100') && !everywhere.hosts.has('evil.example:4100'))
  assert.ok(
    isLoopback('127.0.0.1') && isLoopback('::1') && isLoopback('localhost') && isLoopback('127.8.8.8'),
  )
  assert.ok(!isLoopback('0.0.0.0') && !isLoopback('::') && !isLoopback('127.0.0.1.evil.example'))
})

test('another site can change nothing (CSRF)', async (t) => {
  const { app, written } = await fakeApp(t)
  const attacks: [string, RequestInit, number][] = [
    ['fetch from another site', put({ 'sec-fetch-site': 'cross-site', origin: 'http://evil.example' }), 403],
    [
      'another port of this machine',
      put({ 'sec-fetch-site': 'same-site', origin: 'http://localhost:8000' }),
      403,
    ],
    ['an old browser', put({ origin: 'http://evil.example' }), 403],
    ['an old browser, other port', put({ origin: 'http://localhost:8000' }), 403],
    ['a sandboxed frame', put({ origin: 'null' }), 403],
    ['navigation with a method', put({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }), 403],
    ['a form', put({ 'content-type': 'application/x-www-form-urlencoded' }), 415],
    ['a form of text', put({ 'content-type': 'text/plain' }), 415],
    ['a form that looks like JSON', put({ 'content-type': 'text/plain; application/json' }), 415],
    ['a beacon', put({ 'content-type': 'text/plain;charset=UTF-8', 'sec-fetch-site': 'cross-site' }), 403],
  ]
  for (const [name, request, status] of attacks)
    assert.equal((await app.request(notesPath, request)).status, status, name)
  assert.deepEqual(written, [])
  const preflight = await app.request(notesPath, {
    method: 'OPTIONS',
    headers: {
      origin: 'http://evil.example',
      'access-control-request-method': 'PUT',
      'sec-fetch-site': 'cross-site',
    },
  })
  assert.ok(preflight.status >= 400 && !preflight.headers.has('access-control-allow-methods'))

  const own: Record<string, string>[] = [
    {},
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
    { origin: 'http://localhost' },
  ]
  for (const headers of own) assert.equal((await app.request(notesPath, put(headers))).status, 200)
  const utf8 = put({ 'content-type': 'application/json; charset=utf-8' })
  assert.equal((await app.request(notesPath, utf8)).status, 200)
  assert.equal(written.length, own.length + 1)
})

test('another site may link to a page, and load nothing', async (t) => {
  const { app } = await fakeApp(t)
  const from = (mode: string) => ({ headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': mode } })
  assert.equal((await app.request('/demo/features', from('navigate'))).status, 200)
  for (const mode of ['no-cors', 'cors']) {
    assert.equal((await app.request('/api/v1/runs', from(mode))).status, 403)
    assert.equal((await app.request('/assets/index-1234.js', from(mode))).status, 403)
  }
})

test('bodies over 64 kB are refused, said to be long or found to be', async (t) => {
  const { app, written } = await fakeApp(t)
  const note = (length: number) => JSON.stringify({ label: null, note: 'x'.repeat(length) })
  assert.equal((await app.request(notesPath, put({}, note(9_000)))).status, 200)
  const refused = await app.request(notesPath, put({}, note(70_000)))
  assert.equal(refused.status, 413)
  assert.match(await refused.text(), /65536 bytes/)
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(new TextEncoder().encode(' '.repeat(1000))),
  })
  const streamed = { ...put(), body: endless, duplex: 'half' } as RequestInit
  assert.equal((await app.request(notesPath, streamed)).status, 413)
  assert.equal(written.length, 1)
})

test('no address of a request becomes a path', async (t) => {
  const { app } = await fakeApp(t)
  const attacks = [
    ...['/secret.txt', '/../secret.txt', '/..%2fsecret.txt', '/%2e%2e/secret.txt', '/assets/..%2fsecret.txt'],
    ...[
      '/assets/%2e%2e%2fsecret.txt',
      '/assets/..%5csecret.txt',
      '/..\\secret.txt',
      '//etc/passwd',
      '/etc/passwd',
    ],
    ...[
      '/%00',
      '/assets/index-1234.js%00.txt',
      '/%2fetc%2fpasswd',
      '/file:///etc/passwd',
      '/login.html/../secret.txt',
    ],
    ...[
      '/api/v1/runs/..%2f..%2fetc/features',
      '/api/v1/runs/demo%2f..%2fsecret/features',
      '/api/v1/runs/%00/features',
    ],
    ...[
      '/api/v1/runs/demo/features/..%2f..%2fsecret.txt',
      '/api/v1/runs/demo/features/1%2f..%2f2',
      '/%',
      '/%ff%fe',
    ],
    ...['/api/v1/runs/__proto__/features', '/api/v1/runs/constructor/features', '/__proto__'],
  ]
  for (const path of attacks) {
    const answer = await app.request(path)
    const text = await answer.text()
    assert.doesNotMatch(text, /not for the network|root:/, path)
    if (path.startsWith('/api')) assert.ok([400, 404].includes(answer.status), `${path}: ${answer.status}`)
    else assert.ok(answer.status === 404 || text.includes('the app'), path)
  }
})

const failingWith = (error: unknown) =>
  ({ index: { answer: () => Promise.reject(error) } }) as unknown as Partial<ServedRun>

test('an answer to an error tells neither code nor absolute paths; the log does', async (t) => {
  const bug = new TypeError("cannot read '/home/somebody/runs/demo/x' of undefined")
  const { app, logged } = await fakeApp(t, {}, failingWith(bug))
  const answer = await app.request('/api/v1/runs/demo/features')
  assert.equal(answer.status, 500)
  const text = await answer.text()
  assert.doesNotMatch(text, /somebody|\.[jt]s|TypeError|\n +at /)
  assert.match(
    logged.join(),
    /GET "\/api\/v1\/runs\/demo\/features": TypeError: cannot read(.|\n)*security\.test/,
  )

  const corrupt = new MonosemError(
    'corrupt',
    '/home/somebody/runs/demo/features/a.parquet: expected 3 bytes',
    {
      hint: 'remove /home/somebody/runs/demo/features',
    },
  )
  const other = await fakeApp(t, {}, failingWith(corrupt))
  const { error } = (await (await other.app.request('/api/v1/runs/demo/features')).json()) as ErrorBody
  assert.equal(error.message, 'runs/demo/features/a.parquet: expected 3 bytes')
  assert.equal(error.hint, 'remove runs/demo/features')
  assert.match(other.logged.join(), /somebody/)
})

const token = 'a-token-of-some-length'
const withToken = (t: TestContext) =>
  fakeApp(t, { access: accessTo({ host: '127.0.0.1', port: 80 }, { token }) })
const bearer = (value: string) => ({ headers: { authorization: `Bearer ${value}` } })
const loginForm = (value: string, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: {
    'content-type': 'application/x-www-form-urlencoded',
    'sec-fetch-site': 'same-origin',
    ...headers,
  },
  body: new URLSearchParams({ token: value }).toString(),
})

test('with a token nothing is answered without it', async (t) => {
  const { app, written } = await withToken(t)
  for (const path of [
    '/api/v1/runs',
    '/api/openapi.json',
    notesPath,
    '/api/v1/nothing',
    '/api/v1/../v1/runs',
  ])
    assert.equal((await app.request(path)).status, 401, path)
  assert.equal((await app.request(notesPath, put())).status, 401)
  const wrong = ['', 'x', `${token}x`, token.slice(1), token.toUpperCase(), `${token} ${token}`]
  for (const value of wrong)
    assert.equal((await app.request('/api/v1/runs', bearer(value))).status, 401, value)
  for (const cookie of [`monosem-80=${token}`, 'monosem-80=', 'monosem-80=undefined', `token=${token}`])
    assert.equal((await app.request('/api/v1/runs', { headers: { cookie } })).status, 401, cookie)
  assert.equal((await app.request(`/api/v1/runs?token=${token}`)).status, 401)
  assert.deepEqual(written, [])
  assert.equal((await app.request('/api/v1/runs', bearer(token))).status, 200)
  assert.equal((await app.request(notesPath, put({ authorization: `Bearer ${token}` }))).status, 200)
  assert.equal((await app.request('/assets/index-1234.js')).status, 200, 'the login page needs its style')
})

test('a login gives a cookie that scripts and other sites do not get, and goes on to the page asked for', async (t) => {
  const { app } = await withToken(t)
  const asked = await app.request('/demo/map?color=score', { headers: { accept: 'text/html,*/*' } })
  assert.equal(asked.status, 303)
  const login = asked.headers.get('location') ?? ''
  assert.equal(login, '/login?next=%2Fdemo%2Fmap%3Fcolor%3Dscore')
  const page = await app.request(login)
  assert.match(await page.text(), /role="alert"><\/body>/)
  const refused = await app.request(login, loginForm('wrong'))
  assert.equal(refused.status, 401)
  assert.match(await refused.text(), /That is not the token/)
  assert.equal(refused.headers.get('set-cookie'), null)

  const answer = await app.request(login, loginForm(token))
  assert.equal(answer.status, 303)
  assert.equal(answer.headers.get('location'), '/demo/map?color=score')
  const cookie = answer.headers.get('set-cookie') ?? ''
  assert.match(cookie, /^monosem-80=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/)
  assert.ok(!cookie.includes(token))
  const [pair] = cookie.split(';')
  assert.equal((await app.request('/api/v1/runs', { headers: { cookie: pair } })).status, 200)
  const other = await withToken(t)
  const stale = await other.app.request('/api/v1/runs', { headers: { cookie: pair } })
  assert.equal(stale.status, 401, 'a cookie of an earlier server is worth nothing')
})

test('a login leads to no other site, and no other site can send the form', async (t) => {
  for (const next of [
    '//evil.example',
    '/\\evil.example',
    'http://evil.example/',
    'javascript:alert(1)',
    '\\\\evil.example',
    '/\t/evil.example',
    '////evil.example',
    '',
  ])
    assert.doesNotMatch(ownAddress(next), /^\/[/\\]|^[^/]|^\/\t/, next)
  assert.equal(ownAddress('/demo/features?q=a b'), '/demo/features?q=a%20b')
  const { app } = await withToken(t)
  assert.equal(
    (await app.request('/login', loginForm(token, { 'sec-fetch-site': 'cross-site' }))).status,
    403,
  )
  assert.equal((await app.request('/login', loginForm(token, { 'content-type': 'text/plain' }))).status, 415)
})

test('after ten wrong tokens an address must wait', async (t) => {
  const { app } = await withToken(t)
  for (let i = 0; i < 5; i++) {
    assert.equal((await app.request('/api/v1/runs', bearer(`wrong-${i}`))).status, 401)
    assert.equal((await app.request('/login', loginForm(`wrong-${i}`))).status, 401)
  }
  for (const answer of [
    await app.request('/api/v1/runs', bearer(token)),
    await app.request('/login', loginForm(token)),
  ]) {
    assert.equal(answer.status, 429)
    assert.ok(Number(answer.headers.get('retry-after')) > 0)
  }

  let now = 0
  const attempts = countAttempts(() => now)
  for (let i = 0; i < 10; i++) attempts.failed('one')
  assert.deepEqual([attempts.wait('one'), attempts.wait('other')], [60, 0])
  now = 60_001
  assert.equal(attempts.wait('one'), 0)
})

test('a token has 256 random bits; a given one must be long enough', () => {
  assert.match(randomToken(), /^[\w-]{43}$/)
  assert.notEqual(randomToken(), randomToken())
  assert.equal(givenToken({}), null)
  assert.equal(givenToken({ MONOSEM_TOKEN: token }), token)
  for (const bad of ['short', 'with spaces in the middle', 'two\nlines-and-more-text'])
    assert.throws(
      () => givenToken({ MONOSEM_TOKEN: bad }),
      (error: MonosemError) => {
        assert.equal(error.code, 'config')
        return !error.message.includes(bad)
      },
    )
  assert.ok(sameSecret('a', 'a') && !sameSecret('a', 'b') && !sameSecret('a', 'aa'))
})
