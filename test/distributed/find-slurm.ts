import { spawnSync } from 'node:child_process'

const missing = ['munged', 'slurmctld', 'slurmd', 'sbatch', 'srun'].filter(
  (program) => spawnSync(program, ['--version']).error,
)

/** Why a Slurm of the tests' own cannot be started here, or null when it can. scripts/run-tests.mjs prints it last, where it is seen. */
export const noSlurm: string | null =
  missing.length > 0
    ? `${missing.join(', ')} ${missing.length > 1 ? 'were' : 'was'} not found`
    : process.getuid?.() !== 0
      ? 'only root can start slurmd'
      : null
