import assert from 'node:assert/strict'
import { test } from 'node:test'
import { singleRank } from '../../src/distributed/communicator.js'
import { openRanks, readLaunch } from '../../src/distributed/launch.js'

const alone = { rank: 0, size: 1, localSize: 1 }

test('a process that nobody started with others is alone', () => {
  assert.deepEqual(readLaunch({}), alone)
  assert.deepEqual(readLaunch({ OMPI_COMM_WORLD_SIZE: '1', OMPI_COMM_WORLD_RANK: '0' }), alone)
})

test('a batch script of Slurm runs one process, however many tasks its job has', () => {
  assert.deepEqual(readLaunch({ SLURM_NTASKS: '8', SLURM_PROCID: '0', SLURM_TASKS_PER_NODE: '8' }), alone)
})

test('mpirun of Open MPI, also where its daemons are a step of Slurm', () => {
  const env = {
    OMPI_COMM_WORLD_RANK: '5',
    OMPI_COMM_WORLD_SIZE: '8',
    OMPI_COMM_WORLD_LOCAL_SIZE: '4',
    SLURM_STEP_NUM_TASKS: '2',
    SLURM_PROCID: '1',
  }
  assert.deepEqual(readLaunch(env), { rank: 5, size: 8, localSize: 4 })
})

test('mpiexec of MPICH', () => {
  const env = { PMI_RANK: '1', PMI_SIZE: '4', MPI_LOCALNRANKS: '2' }
  assert.deepEqual(readLaunch(env), { rank: 1, size: 4, localSize: 2 })
})

test('srun says for each node how many tasks it has', () => {
  const step = (node: number, rank: number) =>
    readLaunch({
      ...{ SLURM_STEP_NUM_TASKS: '11', SLURM_PROCID: String(rank), SLURM_NODEID: String(node) },
      SLURM_STEP_TASKS_PER_NODE: '4(x2),3',
    })
  assert.deepEqual(step(0, 0), { rank: 0, size: 11, localSize: 4 })
  assert.deepEqual(step(1, 4), { rank: 4, size: 11, localSize: 4 })
  assert.deepEqual(step(2, 10), { rank: 10, size: 11, localSize: 3 })
})

test('one rank needs no MPI', () => {
  assert.equal(openRanks(alone).communicator, singleRank)
})
