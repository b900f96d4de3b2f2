import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type Lifetime, temporaryDirectory } from '../temporary-directory.js'
import { noMpi } from './find-mpi.js'
import { projectRoot } from './project-root.js'
import { mpirunFlags, type RanksResult } from './run-ranks.js'

/** Machines of a network of their own: namespaces of Linux, each with its network interface and its host name, and one file system. */
export interface Hosts {
  /** Starts mpirun on the first host, with one rank of a compiled program (a path below dist/) on every host. */
  start(program: string, args: readonly string[]): Job
}

/** A run of mpirun. */
export interface Job {
  finished: Promise<RanksResult>
  /** what standard error says so far */
  stderr(): string
  /** process of the rank on a host; undefined where it does not run */
  rankOn(host: number): number | undefined
}

/** Why hosts cannot be made here, or null. */
export const noHosts: string | null =
  noMpi ??
  (process.getuid?.() !== 0
    ? 'network namespaces need root'
    : spawnSync('ip', ['netns', 'list']).status !== 0
      ? 'ip (iproute2) was not found'
      : namespacesRefused())

function namespacesRefused(): string | null {
  const name = `monosem-try-${process.pid}`
  const { status, stderr } = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' })
  if (status !== 0) return `network namespaces cannot be made here (${stderr.trim()})`
  spawnSync('ip', ['netns', 'del', name])
  return null
}

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8', stdio: 'pipe' })

/** Makes `count` hosts that reach each other through a bridge, and nothing else; they are gone when the test ends, with whatever runs on them. */
export async function createHosts(t: Lifetime, count: number): Promise<Hosts> {
  await removeNamespaces(leftOver())
  const name = (host: number | string): string => `monosem-${process.pid}-${host}`
  const address = (host: number): string => `10.213.0.${host + 1}`
  const numbers = Array.from({ length: count }, (_, host) => host)
  t.after(() => removeNamespaces([...numbers.map(name), name('bridge')]))
  ip('netns', 'add', name('bridge'))
  ip('-n', name('bridge'), 'link', 'add', 'bridge', 'type', 'bridge')
  ip('-n', name('bridge'), 'link', 'set', 'bridge', 'up')
  for (const host of numbers) plugIn(name(host), `port${host}`, name('bridge'), `${address(host)}/24`)
  const login = await loginScript(t, name, numbers.map(address))
  const flags = [
    ...mpirunFlags,
    ...['--host', numbers.map(address).join(','), '-n', String(count)],
    ...['--mca', 'plm', 'rsh', '--mca', 'plm_rsh_agent', login, '--mca', 'plm_rsh_no_tree_spawn', '1'],
    ...[
      '--mca',
      'btl',
      'tcp,self',
      '--mca',
      'btl_tcp_if_include',
      'eth0',
      '--mca',
      'oob_tcp_if_include',
      'eth0',
    ],
  ]
  return {
    start(program, args) {
      const command = ['mpirun', ...flags, process.execPath, join(projectRoot, 'dist', program), ...args]
      const child = spawn(login, [address(0), ...command.map((word) => `'${word}'`)], { cwd: projectRoot })
      let [stdout, stderr] = ['', '']
      child.stdout.on('data', (data) => {
        stdout += data
      })
      child.stderr.on('data', (data) => {
        stderr += data
      })
      return {
        finished: new Promise((resolve, reject) => {
          child.on('error', reject)
          child.on('close', (code) => resolve({ code, stdout, stderr }))
        }),
        stderr: () => stderr,
        rankOn: (host) =>
          processesIn(name(host)).find((pid) => commandOf(pid).startsWith(`${process.execPath}\0`)),
      }
    },
  }
}

/** Gives a new namespace an interface eth0 whose other end is in the bridge. */
function plugIn(host: string, port: string, bridge: string, address: string): void {
  ip('netns', 'add', host)
  ip('-n', bridge, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host)
  ip('-n', bridge, 'link', 'set', port, 'master', 'bridge', 'up')
  ip('-n', host, 'address', 'add', address, 'dev', 'eth0')
  for (const device of ['lo', 'eth0']) ip('-n', host, 'link', 'set', device, 'up')
}

/** What mpirun has instead of ssh: a script that runs a command on the host of an address. */
async function loginScript(
  t: Lifetime,
  name: (host: number) => string,
  addresses: readonly string[],
): Promise<string> {
  const path = join(await temporaryDirectory(t), 'login')
  const cases = addresses.map((address, host) => `${address}) namespace=${name(host)}; name=host${host} ;;`)
  const lines = [
    '#!/bin/sh',
    'case "$1" in',
    ...cases,
    'esac',
    'shift',
    `exec ip netns exec "$namespace" unshare --uts sh -c "hostname $name; $*"`,
  ]
  await writeFile(path, `${lines.join('\n')}\n`)
  await chmod(path, 0o755)
  return path
}

const processesIn = (namespace: string): number[] => {
  const { stdout } = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' })
  return stdout.split('\n').filter(Boolean).map(Number)
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

/** Namespaces of tests that were killed before they could remove them. */
const leftOver = (): string[] =>
  ip('netns', 'list')
    .split('\n')
    .flatMap((line) => /^monosem-(\d+)-\w+/.exec(line) ?? [])
    .filter((name) => /^monosem-/.test(name) && commandOf(Number(name.split('-')[1])) === '')

async function removeNamespaces(names: readonly string[]): Promise<void> {
  for (const name of names) {
    for (const pid of processesIn(name)) spawnSync('kill', ['-9', String(pid)])
    spawnSync('ip', ['netns', 'del', name])
  }
}

/** Waits until a condition holds or the job has ended. */
export async function until(condition: () => boolean, job: Job): Promise<void> {
  let ended = false
  job.finished.finally(() => {
    ended = true
  })
  while (!ended && !condition()) await setTimeout(20)
}
