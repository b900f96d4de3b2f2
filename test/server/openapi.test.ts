import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { fakeApp } from './fake-app.js'

interface Operation {
  summary?: string
  tags?: string[]
  operationId?: string
  parameters?: { name: string; in: string; description?: string }[]
  requestBody?: unknown
  responses: Record<string, { description?: string; content?: Record<string, unknown> }>
}

interface Document {
  openapi: string
  info: { version: string; description: string }
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, unknown> }
}

async function served(t: TestContext) {
  const { app } = await fakeApp(t)
  const answer = await app.request('/api/openapi.json')
  assert.equal(answer.status, 200)
  return { app, answer, document: (await answer.json()) as Document }
}

const operationsOf = ({ paths }: Document) =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )

/** All values of `$ref` in a document. */
function refsOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '$ref' && typeof inner === 'string' ? [inner] : refsOf(inner),
  )
}

test('the document is OpenAPI 3.1 of this version, and every reference in it resolves', async (t) => {
  const { answer, app, document } = await served(t)
  assert.match(document.openapi, /^3\.1\./)
  assert.match(document.info.version, /^\d+\.\d+\.\d+/)
  assert.match(document.info.description, /server-sent events/)
  const refs = refsOf(document)
  assert.ok(refs.length > 5)
  for (const ref of refs) {
    const found = ref
      .replace(/^#\//, '')
      .split('/')
      .reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], document)
    assert.ok(found !== undefined, ref)
  }
  const etag = answer.headers.get('etag') ?? ''
  const again = await app.request('/api/openapi.json', { headers: { 'if-none-match': `W/${etag}` } })
  assert.equal(again.status, 304)
})

test('every route of the API is documented: summary, group, parameters, answers and errors', async (t) => {
  const { app, document } = await served(t)
  const routes = app.routes
    .filter(({ path, method }) => path.startsWith('/api/v1/') && method !== 'ALL')
    .map(({ path, method }) => `${method.toLowerCase()} ${path.replace(/:(\w+)(\{[^}]*\})?/g, '{$1}')}`)
  const documented = operationsOf(document).map(({ path, method }) => `${method} ${path}`)
  assert.deepEqual([...new Set(routes)].sort(), [...documented].sort())

  const names = new Set<string>()
  for (const { path, method, operation } of operationsOf(document)) {
    const at = `${method} ${path}`
    assert.ok((operation.summary ?? '').length > 5, `${at}: summary`)
    assert.equal(operation.tags?.length, 1, `${at}: group`)
    assert.ok(operation.operationId !== undefined && !names.has(operation.operationId), `${at}: name`)
    names.add(operation.operationId)
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    const given = operation.parameters ?? []
    assert.deepEqual(
      given.filter((p) => p.in === 'path').map((p) => p.name),
      inPath,
      at,
    )
    assert.ok(
      given.filter((p) => p.in === 'path').every(({ description }) => description),
      `${at}: described`,
    )
    assert.equal(operation.requestBody !== undefined, method !== 'get', `${at}: body`)
    assert.ok(operation.responses[200]?.content, `${at}: answer`)
    assert.ok(operation.responses.default?.content?.['application/json'], `${at}: errors`)
  }
})

test('every documented route answers as JSON or as what it says, and not with the app', async (t) => {
  const { app, document } = await served(t)
  for (const { path, method, operation } of operationsOf(document)) {
    const address = path.replace('{run}', 'nowhere').replace(/\{\w+\}/g, '0')
    const request =
      method === 'get'
        ? {}
        : { method: method.toUpperCase(), body: '{}', headers: { 'content-type': 'application/json' } }
    const answer = await app.request(address, request)
    const hasRun = path.includes('{run}')
    assert.ok(
      hasRun ? [400, 404].includes(answer.status) : answer.status === 200,
      `${method} ${address}: ${answer.status}`,
    )
    assert.match(answer.headers.get('content-type') ?? '', /^application\/json/)
    if (hasRun) {
      const { error } = (await answer.json()) as { error: { message: string } }
      assert.doesNotMatch(error.message, /no such address/, `${method} ${path}`)
    }
    assert.ok(Object.keys(operation.responses[200].content ?? {}).length === 1)
  }
})
