// Compiles the MPI addon where mpicxx is found: `npm run build:mpi`, and at the end of `npm ci`. MPI is optional: without it everything runs
// on one rank. With --strict a missing compiler is an error.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const strict = process.argv.includes('--strict')
const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const out = join(root, 'build', 'Release', 'monosem_mpi.node')
const compiler = process.env.MPICXX ?? 'mpicxx'

/** Node's headers: beside the binary, or where node-gyp has put them. */
function nodeHeaders() {
  const candidates = [
    join(dirname(process.execPath), '..', 'include', 'node'),
    join(homedir(), '.cache', 'node-gyp', process.versions.node, 'include', 'node'),
  ]
  return candidates.find((directory) => existsSync(join(directory, 'node_api.h')))
}

function fail(reason) {
  console.error(`monosem: ${reason}`)
  process.exit(strict ? 1 : 0)
}

if (spawnSync(compiler, ['--version']).error) {
  if (strict)
    fail(
      `${compiler} was not found: install MPI (Debian: apt-get install libopenmpi-dev openmpi-bin) and run npm run build:mpi`,
    )
  process.exit(0)
}
const headers = nodeHeaders()
if (!headers)
  fail(
    'the headers of Node.js were not found, so the MPI addon could not be compiled: run npm run build:native first',
  )
const addonApi = createRequire(import.meta.url).resolve('node-addon-api/package.json')
mkdirSync(dirname(out), { recursive: true })
const defines = [
  'NAPI_VERSION=8',
  'NAPI_CPP_EXCEPTIONS',
  'NODE_ADDON_API_DISABLE_DEPRECATED',
  'NODE_GYP_MODULE_NAME=monosem_mpi',
  'BUILDING_NODE_EXTENSION',
]
const platform = process.platform === 'darwin' ? ['-undefined', 'dynamic_lookup'] : []
const { status, stderr } = spawnSync(
  compiler,
  [
    ...['-std=c++20', '-O3', '-Wall', '-fexceptions', '-fvisibility=hidden', '-shared', '-fPIC', ...platform],
    ...defines.map((name) => `-D${name}`),
    ...['-isystem', headers, '-isystem', dirname(addonApi)],
    ...[join(root, 'native', 'addon_mpi.cc'), '-o', out, '-pthread'],
  ],
  { encoding: 'utf8' },
)
if (status !== 0)
  fail(`the MPI addon could not be compiled with ${compiler}:\n${stderr.split('\n').slice(-20).join('\n')}`)
console.log('monosem: MPI addon compiled')
