import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { projectRoot } from './project-root.js'

export interface RanksResult {
  /** exit code of mpirun */
  code: number | null
  stdout: string
  stderr: string
}

export interface RanksOptions {
  /** seconds after which mpirun and its ranks are killed: a collective that not all ranks call waits forever. Default 120 */
  timeout?: number
  env?: Record<string, string>
}

/** More ranks than cores, and any user: what a test machine needs of Open MPI. Ranks that wait let others run. */
export const mpirunFlags: readonly string[] = [
  ...['--allow-run-as-root', '--oversubscribe', '--bind-to', 'none'],
  ...['--mca', 'btl_vader_single_copy_mechanism', 'none', '--mca', 'mpi_yield_when_idle', '1'],
]

/** Runs a compiled program, a path below dist/, on several ranks of this machine. */
export function runRanks(
  ranks: number,
  program: string,
  args: readonly string[] = [],
  { timeout = 120, env = {} }: RanksOptions = {},
): Promise<RanksResult> {
  const command = [
    ...mpirunFlags,
    '-n',
    String(ranks),
    process.execPath,
    join(projectRoot, 'dist', program),
    ...args,
  ]
  return new Promise((resolve, reject) => {
    const child = spawn('mpirun', command, {
      cwd: projectRoot,
      env: { ...process.env, ...env },
      timeout: timeout * 1000,
      killSignal: 'SIGKILL',
    })
    let [stdout, stderr] = ['', '']
    // a character may arrive in two parts
    child.stdout.setEncoding('utf8')
    child.stderr.setEncoding('utf8')
    child.stdout.on('data', (data) => {
      stdout += data
    })
    child.stderr.on('data', (data) => {
      stderr += data
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}
