import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')

/** A copy of the package without compiled kernels. */
async function packageCopy(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'monosem-package-'))
  try {
    for (const name of ['package.json', 'binding.gyp', 'native', 'scripts', 'dist/src'])
      await cp(join(root, name), join(directory, name), { recursive: true })
    await symlink(join(root, 'node_modules'), join(directory, 'node_modules'))
    await body(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

const node = (args: string[], env: NodeJS.ProcessEnv = {}) =>
  spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, ...env } })

test('without a compiler the install succeeds and says that the slow kernels will be used', () =>
  packageCopy(async (directory) => {
    const noCompiler = { CC: '/nonexistent/cc', CXX: '/nonexistent/c++' }
    const install = join(directory, 'scripts', 'install-native.mjs')
    const gentle = node([install], noCompiler)
    assert.equal(gentle.status, 0, gentle.stderr)
    assert.match(gentle.stderr, /reference kernels will be used/)
    assert.match(gentle.stderr, /npm run build:native/)
    assert.equal(node([install, '--strict'], noCompiler).status, 1)
  }))

test('without the addon the reference kernels are chosen, and asking for the native ones is an error with a hint', () =>
  packageCopy(async (directory) => {
    const load = pathToFileURL(join(directory, 'dist', 'src', 'kernels', 'load.js')).href
    const script = `
      const { loadKernels } = await import(${JSON.stringify(load)})
      const kernels = await loadKernels()
      const error = await loadKernels({ implementation: 'native' }).catch((error) => error)
      console.log(JSON.stringify([kernels.name, error.code, error.hint]))`
    const { stdout, stderr } = node(['--input-type=module', '-e', script])
    assert.ok(stdout, stderr)
    const [name, code, hint] = JSON.parse(stdout)
    assert.deepEqual([name, code], ['reference', 'native'])
    assert.match(hint, /npm run build:native/)
  }))
