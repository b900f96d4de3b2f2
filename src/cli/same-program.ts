import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { commandLine } from './command-line.js'

const addons = ['monosem.node', 'monosem_mpi.node']

/** What has to be the same on all ranks of a job before they work together, by name. @param args the arguments after the program's name */
export function describeProgram(args: readonly string[]): Record<string, string> {
  const { version } = JSON.parse(fromRoot('package.json')!.toString()) as { version: string }
  const built = addons.map((name) => fromRoot(`build/Release/${name}`)).filter((file) => file !== null)
  return {
    'version of Monosem': version,
    'version of Node.js': `v${process.versions.node.split('.')[0]}`,
    'compiled addons': built.map((file) => createHash('sha256').update(file).digest('hex')).join(' '),
    command: commandLine(args, {}),
  }
}

function fromRoot(path: string): Buffer | null {
  const url = new URL(`../../../${path}`, import.meta.url)
  return existsSync(url) ? readFileSync(url) : null
}
