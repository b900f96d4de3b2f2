import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from './project-root.js'

const works = (command: string): boolean => spawnSync(command, ['--version']).status === 0

/** Why the tests of several ranks cannot run here, or null when they can. scripts/run-tests.mjs prints it last, where it is seen. */
export const noMpi: string | null = !works('mpirun')
  ? 'mpirun was not found'
  : !existsSync(join(projectRoot, 'build', 'Release', 'monosem_mpi.node'))
    ? 'the MPI addon is not compiled (npm run build:mpi)'
    : null
