import { MonosemError } from '../errors/monosem-error.js'
import { singleRank } from './communicator.js'
import { type MpiWorld, openMpi } from './mpi.js'

/** What the program that started this process says of its fellows, in the environment. */
export interface Launch {
  /** 0-based number of this process */
  rank: number
  /** how many processes were started together */
  size: number
  /** how many of them run on this machine */
  localSize: number
}

/**
 * Finds out whether mpirun or srun started this process together with others: Open MPI's variables, those of PMI (MPICH, Intel MPI, srun --mpi=pmi2), or
 * those of a step of Slurm. In this order, because Open MPI starts its own daemons by a step of Slurm, whose variables its processes inherit.
 *
 * SLURM_NTASKS does not count alone: a batch script has it too, and what runs there without srun is one process.
 */
export function readLaunch(env: NodeJS.ProcessEnv = process.env): Launch {
  const number = (name: string): number => Number.parseInt(env[name] ?? '', 10) || 0
  const launch = (rank: string, size: string, localSize: number): Launch => ({
    rank: number(rank),
    size: Math.max(1, number(size)),
    localSize: Math.max(1, localSize),
  })
  if (env.OMPI_COMM_WORLD_SIZE)
    return launch('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', number('OMPI_COMM_WORLD_LOCAL_SIZE'))
  const tasksHere = tasksOnNode(
    env.SLURM_STEP_TASKS_PER_NODE ?? env.SLURM_TASKS_PER_NODE ?? '',
    number('SLURM_NODEID'),
  )
  if (env.PMI_SIZE) return launch('PMI_RANK', 'PMI_SIZE', number('MPI_LOCALNRANKS') || tasksHere)
  if (env.SLURM_STEP_NUM_TASKS) return launch('SLURM_PROCID', 'SLURM_STEP_NUM_TASKS', tasksHere)
  if (env.PMIX_RANK) return launch('PMIX_RANK', 'SLURM_NTASKS', tasksHere)
  return { rank: 0, size: 1, localSize: 1 }
}

/** Reads Slurm's list of tasks on each node, "4(x2),3" for 4, 4 and 3. */
function tasksOnNode(list: string, node: number): number {
  let first = 0
  for (const [, tasks, nodes] of list.matchAll(/(\d+)(?:\(x(\d+)\))?/g)) {
    first += Number(nodes ?? 1)
    if (node < first) return Number(tasks)
  }
  return 0
}

/**
 * Joins the ranks that were started together; a process on its own goes on without MPI.
 *
 * A process that ends without `finalize` while others wait for it would leave them waiting for ever: it ends them all.
 * @throws MonosemError native (the MPI addon is missing or cannot be used), config (the ranks do not find each other)
 */
export function openRanks(launch: Launch): MpiWorld {
  if (launch.size === 1) return { communicator: singleRank, finalize: () => {} }
  const { communicator, finalize } = openMpi()
  const endAll = (code: number): void => communicator.abort(code || 1)
  process.once('exit', endAll)
  if (communicator.size !== launch.size)
    throw new MonosemError(
      'config',
      `expected ${launch.size} ranks, as many as were started, got ${communicator.size} that find each other`,
      {
        hint: 'start them with the launcher of the MPI library that the addon was compiled with: its mpirun, or srun --mpi=pmix',
      },
    )
  return {
    communicator,
    finalize() {
      process.off('exit', endAll)
      finalize()
    },
  }
}
