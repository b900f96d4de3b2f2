// Runs the compiled tests: `node scripts/run-tests.mjs [part of a path ...]`, e.g. `node scripts/run-tests.mjs storage e2e`.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const compiled = join(root, 'dist', 'test')
const wanted = process.argv.slice(2)

/** A compiled test whose source is gone is left over from an earlier build. */
const hasSource = (file) => existsSync(join(root, relative(join(root, 'dist'), file).replace(/\.js$/, '.ts')))

const files = readdirSync(compiled, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.js'))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .map((name) => join(compiled, name))
  .filter((file) => statSync(file).isFile() && hasSource(file))
  .sort()

if (files.length === 0) {
  console.error(`no tests found in ${compiled}${wanted.length > 0 ? ` for ${wanted.join(' ')}` : ''}`)
  process.exit(1)
}

// Tests measure no time, but some of them run programs with several threads: two at once is what small machines bear.
const concurrency = Math.min(2, availableParallelism())
const { status } = spawnSync(
  process.execPath,
  ['--test', '--test-reporter=spec', `--test-concurrency=${concurrency}`, ...files],
  { stdio: 'inherit', cwd: root },
)

// Last, where it is seen.
for (const skipped of await whatWasSkipped()) console.error(`\n*** ${skipped} ***\n`)
process.exit(status ?? 1)

/** Tests that need programs or rights which are not there. */
async function whatWasSkipped() {
  const below = (folder) => files.filter((file) => relative(compiled, file).startsWith(folder))
  const load = (...path) => import(pathToFileURL(join(compiled, ...path)))
  const skipped = []
  const browserTests = below('web')
  if (browserTests.length > 0 && (await load('web', 'find-browser.js')).browserPath === undefined)
    skipped.push(
      `No Chromium was found: the browser tests (${browserTests.length} files) were SKIPPED. Install one (Debian: apt-get install chromium) or set CHROMIUM_PATH.`,
    )
  if (below('distributed').length === 0) return skipped
  const { noMpi } = await load('distributed', 'find-mpi.js')
  if (noMpi !== null)
    return [
      ...skipped,
      `${noMpi}: the tests of several ranks were SKIPPED. Install Open MPI (Debian: apt-get install libopenmpi-dev openmpi-bin) and run npm run build:mpi.`,
    ]
  const { noHosts } = await load('distributed', 'hosts.js')
  if (noHosts !== null)
    skipped.push(
      `${noHosts}: the tests of several hosts were SKIPPED. They need root on Linux, and iproute2 (Debian: apt-get install iproute2).`,
    )
  const { noSlurm } = await load('distributed', 'find-slurm.js')
  if (noSlurm !== null)
    skipped.push(
      `${noSlurm}: the test of Slurm was SKIPPED. It needs root, and Slurm (Debian: apt-get install slurm-wlm munge).`,
    )
  return skipped
}
