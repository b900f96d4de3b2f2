import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type Lifetime, temporaryDirectory } from '../temporary-directory.js'

export interface Slurm {
  /** where jobs may work, and find what `environment` says */
  directory: string
  /** what makes sbatch, srun and squeue talk to this Slurm */
  environment: NodeJS.ProcessEnv
}

/**
 * A Slurm of one node, this machine, with files and ports of its own: munged, slurmctld and slurmd, which end with the test. Needs root.
 * @param cpus what the node says it has, whatever the machine has
 */
export async function startSlurm(t: Lifetime, cpus: number): Promise<Slurm> {
  const directory = await temporaryDirectory(t)
  // what munged asks of the directory of its socket
  await chmod(directory, 0o755)
  for (const name of ['state', 'spool', 'log']) await mkdir(join(directory, name))
  const key = join(directory, 'munge.key')
  await writeFile(key, randomBytes(128), { mode: 0o400 })
  const config = join(directory, 'slurm.conf')
  await writeFile(config, slurmConfig(directory, cpus, [await freePort(), await freePort()]))
  const environment = { ...withoutSlurm(process.env), SLURM_CONF: config }

  const start = (program: string, args: string[]): void => {
    const daemon = spawn(program, args, { env: environment, stdio: 'ignore' })
    t.after(() => stop(daemon))
  }
  const munge = (name: string) => join(directory, `munge.${name}`)
  start('munged', [
    '--foreground',
    ...[`--socket=${munge('socket')}`, `--key-file=${key}`, `--pid-file=${munge('pid')}`],
    ...[`--log-file=${munge('log')}`, `--seed-file=${munge('seed')}`],
  ])
  start('slurmctld', ['-D', '-c', '-f', config])
  start('slurmd', ['-D', '-f', config])
  await untilIdle(directory, environment)
  return { directory, environment }
}

function slurmConfig(directory: string, cpus: number, [controller, node]: number[]): string {
  const name = hostname().split('.')[0]
  return `ClusterName=test
SlurmctldHost=${name}(127.0.0.1)
SlurmUser=root
SlurmctldPort=${controller}
SlurmdPort=${node}
AuthType=auth/munge
AuthInfo=socket=${directory}/munge.socket
StateSaveLocation=${directory}/state
SlurmdSpoolDir=${directory}/spool
SlurmctldPidFile=${directory}/slurmctld.pid
SlurmdPidFile=${directory}/slurmd.pid
SlurmctldLogFile=${directory}/log/slurmctld
SlurmdLogFile=${directory}/log/slurmd
SlurmdParameters=config_overrides
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
NodeName=${name} NodeAddr=127.0.0.1 CPUs=${cpus} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
`
}

/** A test that itself runs in a job of some Slurm is not to talk to that one. */
const withoutSlurm = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !/^(SLURM|SBATCH|SRUN)_/.test(name)))

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function untilIdle(directory: string, env: NodeJS.ProcessEnv): Promise<void> {
  for (let i = 0; i < 60; i++) {
    const { stdout } = spawnSync('sinfo', ['--noheader', '--format=%T'], {
      env,
      encoding: 'utf8',
      timeout: 10_000,
    })
    if (stdout?.trim() === 'idle') return
    await setTimeout(500)
  }
  const logs = ['munge.log', 'log/slurmctld', 'log/slurmd'].map(async (name) => {
    const text = await readFile(join(directory, name), 'utf8').catch(() => 'none')
    return `${name}:\n${text.split('\n').slice(-10).join('\n')}`
  })
  throw new Error(`Slurm did not come up.\n${(await Promise.all(logs)).join('\n')}`)
}

/** SIGKILL for a daemon that has not ended after 10 seconds. */
async function stop(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return
  const ended = once(daemon, 'exit')
  daemon.kill('SIGTERM')
  await Promise.race([ended, setTimeout(10_000, null, { ref: false })])
  daemon.kill('SIGKILL')
}
