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
const skipped = files.filter((file) => relative(compiled, file).startsWith('web'))
if (skipped.length > 0) {
  const { browserPath } = await import(pathToFileURL(join(compiled, 'web', 'find-browser.js')))
  if (browserPath === undefined)
    console.error(
      `\n*** No Chromium was found: the browser tests (${skipped.length} files) were SKIPPED. ` +
        'Install one (Debian: apt-get install chromium) or set CHROMIUM_PATH. ***\n',
    )
}
if (files.some((file) => relative(compiled, file).startsWith('distributed'))) {
  const { noMpi } = await import(pathToFileURL(join(compiled, 'distributed', 'find-mpi.js')))
  const { noHosts } = await import(pathToFileURL(join(compiled, 'distributed', 'hosts.js')))
  if (noMpi !== null)
    console.error(
      `\n*** ${noMpi}: the tests of several ranks were SKIPPED. Install Open MPI (Debian: apt-get install libopenmpi-dev openmpi-bin) ` +
        'and run npm run build:mpi. ***\n',
    )
  else if (noHosts !== null)
    console.error(
      `\n*** ${noHosts}: the tests of several hosts were SKIPPED. Run them as root on Linux. ***\n`,
    )
}
process.exit(status ?? 1)
