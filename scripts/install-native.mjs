// Compiles the native kernels. Without a compiler the install still succeeds: the slow reference kernels are used then.
// With --strict a failure is an error.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const strict = process.argv.includes('--strict')
const root = join(dirname(fileURLToPath(import.meta.url)), '..')

function nodeGyp() {
  const manifest = createRequire(import.meta.url).resolve('node-gyp/package.json')
  return join(dirname(manifest), 'bin', 'node-gyp.js')
}

// Node's own headers lie beside the binary in most installations; then nothing has to be fetched.
function localHeaders() {
  const prefix = join(dirname(process.execPath), '..')
  return existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? [`--nodedir=${prefix}`] : []
}

const result = spawnSync(
  process.execPath,
  [nodeGyp(), 'rebuild', '--jobs', String(availableParallelism()), ...localHeaders()],
  { cwd: root, encoding: 'utf8' },
)

if (result.status === 0) {
  console.log('monosem: native kernels compiled')
} else {
  console.error((result.stderr || String(result.error ?? '')).split('\n').slice(-30).join('\n'))
  console.error(
    'monosem: the native kernels could not be compiled; the reference kernels will be used, which are about a hundred\n' +
      'times slower. Install a C++ compiler (g++ or clang), make and python3, then run: npm run build:native',
  )
  if (strict) process.exit(1)
}
