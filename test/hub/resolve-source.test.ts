import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, readlink, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { hubSettings } from '../../src/hub/hub-settings.js'
import type { SourceOptions } from '../../src/hub/hub-source.js'
import { resolveSource } from '../../src/hub/resolve-source.js'
import type { Progress } from '../../src/progress/progress.js'
import { temporaryDirectory } from '../temporary-directory.js'
import { gitHash, type HubState, type ServedFile, sha, startHub, type TestHub } from './hub-server.js'

const OLD = 'a'.repeat(40)
const NEW = 'b'.repeat(40)
const text = (content: string): ServedFile => ({ content: new TextEncoder().encode(content) })
const weights = (length: number, seed = 1): ServedFile => ({
  content: Uint8Array.from({ length }, (_, i) => (i * i * 31 + seed * 7) >> 3),
  lfs: true,
})

const files = {
  'config.json': text('{"model_type":"gpt2"}'),
  'model.safetensors': weights(300_000),
  'README.md': text('# A model'),
  'layer 1/params.npz': weights(5000, 2),
  'layer 1/cfg.json': text('{}'),
  'empty.json': text(''),
}
const everything = () => true
const isWanted = (path: string) => /\.(json|safetensors)$/.test(path)

async function setUp(
  t: TestContext,
  repositories?: HubState['repositories'],
): Promise<{ hub: TestHub; cacheDirectory: string; options: SourceOptions }> {
  const hub = await startHub(
    t,
    repositories ?? {
      'models/owner/name': {
        commits: { [OLD]: { 'config.json': text('{"old":true}') }, [NEW]: files },
        refs: { main: NEW, 'v1.0': OLD, 'refs/pr/1': OLD },
      },
    },
  )
  const cacheDirectory = join(await temporaryDirectory(t), 'hub')
  return {
    hub,
    cacheDirectory,
    options: { endpoint: hub.endpoint, cacheDirectory, offline: false, token: '' },
  }
}

const refused =
  (code: string, message: RegExp, hint = /./) =>
  (error: unknown) => {
    const {
      code: got,
      message: said,
      hint: advice,
    } = error as { code: string; message: string; hint: string }
    assert.equal(got, code, String(error))
    assert.match(said, message)
    assert.match(advice, hint)
    return true
  }

test('only wanted files are downloaded, into the layout that Python shares, and the second time none', async (t) => {
  const { hub, cacheDirectory, options } = await setUp(t)
  const found = await resolveSource('owner/name', isWanted, options)
  const repository = join(cacheDirectory, 'models--owner--name')
  assert.deepEqual(found, {
    directory: join(repository, 'snapshots', NEW),
    repository: 'owner/name',
    commit: NEW,
    name: 'owner/name',
  })
  const held = await readdir(found.directory, { recursive: true })
  assert.deepEqual(held.sort(), [
    'config.json',
    'empty.json',
    'layer 1',
    'layer 1/cfg.json',
    'model.safetensors',
  ])
  for (const path of ['config.json', 'model.safetensors', 'layer 1/cfg.json', 'empty.json'] as const)
    assert.deepEqual(new Uint8Array(await readFile(join(found.directory, path))), files[path].content)
  const { content } = files['model.safetensors']
  assert.equal(
    await readlink(join(found.directory, 'model.safetensors')),
    `../../blobs/${sha('sha256', content)}`,
  )
  assert.equal(
    await readlink(join(found.directory, 'layer 1/cfg.json')),
    `../../../blobs/${gitHash(files['layer 1/cfg.json'].content)}`,
  )
  assert.equal(await readFile(join(repository, 'refs/main'), 'utf8'), NEW)
  hub.requests.length = 0
  assert.deepEqual(await resolveSource('owner/name', isWanted, options), found)
  assert.deepEqual(
    hub.requests.map(({ url }) => url.replace(/\?.*/, '')),
    ['/api/models/owner/name/revision/main'],
  )
  hub.requests.length = 0
  await resolveSource('owner/name', isWanted, { ...options, revision: NEW })
  assert.deepEqual(hub.requests, [], 'a commit in the cache needs no question')
})

test('branches, tags, commits and @revision name a commit', async (t) => {
  const { options } = await setUp(t)
  for (const [source, revision] of [
    ['owner/name', 'v1.0'],
    ['owner/name', 'refs/pr/1'],
    ['owner/name', OLD],
    ['owner/name@v1.0', undefined],
    ['hf:owner/name@v1.0', undefined],
    ['hf://models/owner/name', 'v1.0'],
  ] as const) {
    const { directory, commit } = await resolveSource(source, everything, { ...options, revision })
    assert.equal(commit, OLD)
    assert.equal(await readFile(join(directory, 'config.json'), 'utf8'), '{"old":true}')
  }
  await assert.rejects(
    resolveSource('owner/name', everything, { ...options, revision: 'v9' }),
    refused('missing', /owner\/name: no branch, tag or commit v9/),
  )
})

test('a source may name a folder or a file inside a repository, or a data set', async (t) => {
  const { hub, options, cacheDirectory } = await setUp(t)
  await assert.rejects(
    resolveSource('owner/name/layer 1', everything, options),
    refused('missing', /no such directory/),
  )
  const named = await resolveSource('hf:owner/name/layer 1', (path) => path === 'params.npz', options)
  assert.equal(named.directory, join(cacheDirectory, 'models--owner--name', 'snapshots', NEW, 'layer 1'))
  assert.deepEqual(await readdir(named.directory), ['params.npz'])
  const file = await resolveSource(
    'hf://owner/name/layer 1/params.npz',
    (path) => path === 'cfg.json',
    options,
  )
  assert.deepEqual([file.directory, file.file], [named.directory, 'params.npz'])
  assert.deepEqual((await readdir(named.directory)).sort(), ['cfg.json', 'params.npz'])
  await assert.rejects(
    resolveSource('hf:owner/name/nothing', everything, options),
    refused('missing', /folder or file nothing/, /config\.json/),
  )
  await assert.rejects(
    resolveSource('owner/name', (path) => path === 'params.npz', options),
    refused('missing', /expected the files of a model/, /model\.safetensors/),
  )
  hub.repositories['datasets/owner/texts'] = {
    commits: { [OLD]: { 'data/a.parquet': weights(99) } },
    refs: { main: OLD },
  }
  const data = await resolveSource('hf://datasets/owner/texts/data', everything, options)
  assert.equal(data.directory, join(cacheDirectory, 'datasets--owner--texts', 'snapshots', OLD, 'data'))
  hub.repositories['models/gpt2'] = { commits: { [OLD]: { 'config.json': text('{}') } }, refs: { main: OLD } }
  const bare = await resolveSource('gpt2', everything, options)
  assert.equal(bare.directory, join(cacheDirectory, 'models--gpt2', 'snapshots', OLD))
})

test('a directory or file on this disk wins, and a missing one is not looked for on the hub', async (t) => {
  const { hub, options } = await setUp(t)
  const directory = await temporaryDirectory(t)
  await mkdir(join(directory, 'owner/name'), { recursive: true })
  await writeFile(join(directory, 'owner/ae.pt'), '')
  const before = process.cwd()
  process.chdir(directory)
  try {
    const local = await resolveSource('owner/name', everything, options)
    assert.deepEqual(local, {
      directory: join(process.cwd(), 'owner/name'),
      repository: null,
      commit: null,
      name: 'owner/name',
    })
    const file = await resolveSource('owner/ae.pt', everything, options)
    assert.deepEqual([file.directory, file.file], [join(process.cwd(), 'owner'), 'ae.pt'])
    for (const source of [
      './name',
      '../x/y',
      '/none/here',
      'owner/nmae',
      'ae.pt',
      'a b',
      'x\\y',
      'runs/',
      '~/x',
      '',
    ])
      await assert.rejects(
        resolveSource(source, everything, options),
        refused('missing', /no such directory/),
      )
  } finally {
    process.chdir(before)
  }
  for (const source of [
    'hf:../x',
    'hf:owner/..',
    'hf:owner/na--me',
    'hf:a//b',
    'hf:owner/name/../x',
    'hf:-a/b',
    'own%er/name',
  ])
    await assert.rejects(
      resolveSource(source, everything, options),
      refused('config', /hub id|no path inside/),
    )
  for (const revision of ['../main', 'a/../b', '/x', '', 'a b', '-x'])
    await assert.rejects(
      resolveSource('hf:owner/name', everything, { ...options, revision }),
      refused('config', /branch/),
    )
  assert.deepEqual(hub.requests, [])
})

test('offline, the cache is all there is, and what it lacks is named', async (t) => {
  const { hub, options, cacheDirectory } = await setUp(t)
  const offline = { ...options, offline: true }
  await assert.rejects(
    resolveSource('owner/name', isWanted, offline),
    refused('missing', /lacks revision main/, /models--owner--name/),
  )
  const online = await resolveSource('owner/name', (path) => path === 'config.json', options)
  hub.requests.length = 0
  assert.deepEqual(await resolveSource('owner/name', (path) => path === 'config.json', offline), online)
  await assert.rejects(
    resolveSource('owner/name', isWanted, offline),
    refused('missing', /lacks model\.safetensors, layer 1\/cfg\.json, empty\.json/),
  )
  await assert.rejects(
    resolveSource('owner/name', isWanted, { ...offline, revision: 'v1.0' }),
    refused('missing', /lacks revision v1\.0/),
  )
  // Python's older versions keep no list of the files.
  await rm(join(cacheDirectory, 'models--owner--name/trees'), { recursive: true })
  assert.deepEqual(await resolveSource('owner/name', isWanted, offline), online)
  assert.deepEqual(hub.requests, [])
})

test('when the hub is away or refuses, a whole copy in the cache will do', async (t) => {
  const { hub, options } = await setUp(t)
  const notes: string[] = []
  const progress: Progress = {
    start: () => ({ update: () => {}, end: () => {} }),
    note: (line) => notes.push(line),
  }
  const found = await resolveSource('owner/name', isWanted, options)
  hub.repositories['models/owner/name'].gated = true
  assert.deepEqual(await resolveSource('owner/name', isWanted, { ...options, progress }), found)
  await hub.close()
  assert.deepEqual(await resolveSource('owner/name', isWanted, { ...options, progress }), found)
  assert.match(notes[0], /refuses access.*from the cache/)
  assert.match(notes[1], /cannot be reached \(ECONNREFUSED\).*from the cache/)
  await assert.rejects(
    resolveSource('owner/name', everything, options),
    refused('remote', /cannot be reached/, /HF_HUB_OFFLINE=1/),
  )
})

test('a repository that is not there, gated or with another token: what to do', async (t) => {
  const { hub, options } = await setUp(t)
  await assert.rejects(
    resolveSource('owner/none', everything, options),
    refused('missing', /no such directory here, and no such repository/, /HF_TOKEN/),
  )
  hub.repositories['models/owner/name'].gated = true
  hub.repositories['models/owner/name'].token = 'hf_right'
  await assert.rejects(
    resolveSource('owner/name', everything, options),
    refused('remote', /refuses access/, /accept its licence at .*owner\/name, then set HF_TOKEN/),
  )
  await assert.rejects(
    resolveSource('owner/name', everything, { ...options, token: 'hf_wrong' }),
    refused('remote', /does not accept the token/, /HF_TOKEN/),
  )
  hub.requests.length = 0
  await resolveSource('owner/name', everything, { ...options, token: 'hf_right' })
  const [own, other] = [true, false].map((api) =>
    hub.requests.filter(({ url }) => url.includes('owner/name') === api).map(({ token }) => token),
  )
  assert.ok(own.length > 4 && own.every((token) => token === 'hf_right'))
  assert.ok(other.length === 2 && other.every((token) => token === null), 'the token goes to the hub alone')
})

test('a connection that breaks is taken up again; an overloaded server is asked again', async (t) => {
  const { hub, options } = await setUp(t)
  let cuts = 0
  hub.misbehave = (request, response, file) => {
    if (!file?.lfs || request.url?.includes('resolve') || cuts >= 3) return false
    cuts++
    if (cuts === 2) {
      response.writeHead(503).end()
      return true
    }
    const start = Number(/\d+/.exec(request.headers.range ?? '0')?.[0])
    response.writeHead(request.headers.range ? 206 : 200, {
      'Content-Length': file.content.length - start,
      'Content-Range': `bytes ${start}-${file.content.length - 1}/${file.content.length}`,
    })
    response.write(file.content.subarray(start, start + 100_000), () => response.destroy())
    return true
  }
  const { directory } = await resolveSource('owner/name', isWanted, options)
  const got = await readFile(join(directory, 'model.safetensors'))
  assert.ok(got.equals(files['model.safetensors'].content))
  const ranges = hub.requests.filter(({ url }) => !url.includes('name')).map(({ range }) => range)
  assert.equal(cuts, 3)
  assert.ok(ranges.includes(null) && ranges.some((range) => /^bytes=[1-9]\d*-$/.test(range ?? '')))
})

test('what has another size or hash than the hub says is never taken', async (t) => {
  const { hub, options, cacheDirectory } = await setUp(t)
  const blobs = () => readdir(join(cacheDirectory, 'models--owner--name/blobs'))
  const { content } = files['model.safetensors']
  for (const wrong of [
    content.subarray(0, 1000), // shorter
    new Uint8Array([...content, 1, 2, 3]).fill(7, 0, 1), // longer and other
    content.slice().fill(9, 5, 6), // one byte
  ]) {
    hub.misbehave = (request, response, file) => {
      if (!file?.lfs || request.url?.includes('resolve')) return false
      response.writeHead(200).end(wrong)
      return true
    }
    await assert.rejects(
      resolveSource('owner/name', isWanted, options),
      refused(wrong.length < content.length ? 'remote' : 'corrupt', /model\.safetensors/),
    )
    assert.ok(!(await blobs()).includes(sha('sha256', content)))
    await assert.rejects(resolveSource('owner/name', isWanted, { ...options, offline: true }))
  }
  // An error page instead of the file.
  hub.misbehave = (request, response, file) => {
    if (!file?.lfs || request.url?.includes('resolve')) return false
    response.writeHead(500).end('<html>')
    return true
  }
  await assert.rejects(resolveSource('owner/name', isWanted, options), refused('remote', /answers 500/))
  hub.misbehave = undefined
  const { directory } = await resolveSource('owner/name', isWanted, options)
  assert.ok((await readFile(join(directory, 'model.safetensors'))).equals(content))
  assert.ok((await blobs()).every((name) => !name.includes('incomplete')))
})

test('a part of another content that an earlier run left is thrown away', async (t) => {
  const { options, cacheDirectory } = await setUp(t)
  const { content } = files['model.safetensors']
  const blob = join(cacheDirectory, 'models--owner--name/blobs', sha('sha256', content))
  await mkdir(join(blob, '..'), { recursive: true })
  for (const left of [
    new Uint8Array(1000).fill(3),
    new Uint8Array(content.length + 5),
    content.slice(0, 77_777),
  ]) {
    await writeFile(`${blob}.monosem.incomplete`, left)
    const { directory } = await resolveSource('owner/name', isWanted, options)
    assert.ok((await readFile(join(directory, 'model.safetensors'))).equals(content))
    await rm(blob)
  }
})

test('a blob that was cut on disk is downloaded again', async (t) => {
  const { options } = await setUp(t)
  const { directory } = await resolveSource('owner/name', isWanted, options)
  await truncate(join(directory, 'model.safetensors'), 100)
  await assert.rejects(
    resolveSource('owner/name', isWanted, { ...options, offline: true }),
    refused('missing', /lacks model\.safetensors/),
  )
  await resolveSource('owner/name', isWanted, options)
  assert.ok((await readFile(join(directory, 'model.safetensors'))).equals(files['model.safetensors'].content))
})

/** The hub sends a third of the weights and then nothing. */
function stall(hub: TestHub, stalled: () => void): void {
  hub.misbehave = (request, response, file) => {
    if (!file?.lfs || request.url?.includes('resolve')) return false
    response.writeHead(200, { 'Content-Length': file.content.length })
    response.write(file.content.subarray(0, 100_000), stalled)
    return true
  }
}

test('a download that was killed goes on where it stopped, and until then the old commit is what the cache has', async (t) => {
  const { hub, options, cacheDirectory } = await setUp(t)
  hub.repositories['models/owner/name'].refs.main = OLD
  const old = await resolveSource('owner/name', everything, options)
  hub.repositories['models/owner/name'].refs.main = NEW
  const script = fileURLToPath(new URL('download-once.js', import.meta.url))
  const partial = join(
    cacheDirectory,
    'models--owner--name/blobs',
    `${sha('sha256', files['model.safetensors'].content)}.monosem.incomplete`,
  )
  const stalled = new Promise<void>((done) => stall(hub, done))
  const child = spawn(process.execPath, [script, hub.endpoint, cacheDirectory, 'owner/name'], {
    stdio: 'ignore',
  })
  const ended = new Promise((done) => child.once('exit', done))
  await stalled
  while ((await readFile(partial).catch(() => '')).length === 0)
    await new Promise((done) => setTimeout(done, 20))
  child.kill('SIGKILL')
  await ended
  assert.deepEqual(await resolveSource('owner/name', everything, { ...options, offline: true }), old)
  hub.misbehave = undefined
  hub.requests.length = 0
  const { directory, commit } = await resolveSource('owner/name', everything, options)
  assert.equal(commit, NEW)
  assert.ok((await readFile(join(directory, 'model.safetensors'))).equals(files['model.safetensors'].content))
  assert.ok(
    hub.requests.some(({ range }) => /^bytes=[1-9]\d*-$/.test(range ?? '')),
    'with the part that was there',
  )
})

test('a signal stops a download, which can go on later', async (t) => {
  const { hub, options } = await setUp(t)
  const controller = new AbortController()
  stall(hub, () => controller.abort())
  await assert.rejects(
    resolveSource('owner/name', isWanted, { ...options, signal: controller.signal }),
    refused('interrupted', /stopped/),
  )
  hub.misbehave = undefined
  await resolveSource('owner/name', isWanted, options)
})

test('two at once download once', async (t) => {
  const { hub, options } = await setUp(t)
  const both = await Promise.all([1, 2].map(() => resolveSource('owner/name', isWanted, options)))
  assert.deepEqual(both[0], both[1])
  const downloads = hub.requests.filter(
    ({ url }) => url.includes('/resolve/') && url.endsWith('model.safetensors'),
  )
  assert.equal(downloads.length, 1)
})

test('progress counts the bytes that were missing', async (t) => {
  const { options } = await setUp(t)
  const seen: number[] = []
  const totals: unknown[] = []
  const progress: Progress = {
    start: (...task) => {
      totals.push(task)
      return { update: (done) => seen.push(done), end: () => {} }
    },
    note: () => {},
  }
  await resolveSource('owner/name', isWanted, { ...options, progress })
  const total = 300_000 + files['config.json'].content.length + 2
  assert.deepEqual(totals, [['download owner/name', total, 'bytes']])
  assert.equal(seen.at(-1), total)
  assert.ok(seen.every((done, i) => i === 0 || done >= seen[i - 1]))
})

test('a hub that names files outside of the repository, or no hashes, is not believed', async (t) => {
  const { hub, options } = await setUp(t)
  for (const entry of [
    { path: '../../../evil', oid: '0'.repeat(40), size: 1 },
    { path: '/etc/evil', oid: '0'.repeat(40), size: 1 },
    { path: 'a', oid: '../../evil', size: 1 },
    { path: 'a', oid: '0'.repeat(40), size: -1 },
    { path: 'a', oid: '0'.repeat(40), size: 1, lfs: { oid: 'x/../y', size: 1 } },
  ]) {
    hub.misbehave = (request, response) => {
      if (!request.url?.includes('/tree/')) return false
      response.writeHead(200).end(JSON.stringify([{ type: 'file', ...entry }]))
      return true
    }
    await assert.rejects(
      resolveSource('owner/name', everything, options),
      refused('format', /expected files with/),
    )
  }
})

test('the environment names cache, token, hub and offline mode as for Python', async (t) => {
  const home = await temporaryDirectory(t)
  await writeFile(join(home, 'token'), ' hf_stored\n')
  const from = (environment: Record<string, string>, options: SourceOptions = {}) =>
    hubSettings(options, environment)
  const stored = await from({ HF_HOME: home })
  assert.equal(stored.cacheDirectory, join(home, 'hub'))
  assert.deepEqual(
    [stored.token, stored.offline, stored.endpoint],
    ['hf_stored', false, 'https://huggingface.co'],
  )
  const set = await from({
    HF_HUB_CACHE: '/c',
    HF_TOKEN: 'hf_t',
    HF_ENDPOINT: 'http://mirror/',
    HF_HUB_OFFLINE: 'yes',
  })
  assert.deepEqual(
    [set.cacheDirectory, set.token, set.endpoint, set.offline],
    ['/c', 'hf_t', 'http://mirror', true],
  )
  assert.equal((await from({ TRANSFORMERS_OFFLINE: '1' })).offline, true)
  assert.equal((await from({ XDG_CACHE_HOME: '/x', HF_TOKEN: 't' })).cacheDirectory, '/x/huggingface/hub')
  const own = { cacheDirectory: '/o', token: '', endpoint: 'http://own', offline: false }
  const { cacheDirectory, token, endpoint, offline } = await from({ HF_HOME: home, HF_HUB_OFFLINE: '1' }, own)
  assert.deepEqual([cacheDirectory, token, endpoint, offline], ['/o', null, 'http://own', false])
})
