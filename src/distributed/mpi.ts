import { loadAddon } from '../addons/load-addon.js'
import { MonosemError } from '../errors/monosem-error.js'
import { type Communicator, type Exchange, exchangeKinds, type Traffic } from './communicator.js'

/** A group of ranks as the addon (native/addon_mpi.cc) hands it out. */
interface Group {
  rank: number
  size: number
  handle: unknown
  exchange: Exchange
}

interface MpiAddon {
  init(): Group
  finalize(): void
  abort(exitCode: number): void
  split(handle: unknown, color: number): Promise<Group>
  barrier(handle: unknown): Promise<void>
  broadcast(handle: unknown, bytes: Uint8Array, root: number): Promise<Uint8Array>
  gather(handle: unknown, bytes: Uint8Array, root: number): Promise<Uint8Array[] | null>
  reduce(handle: unknown, values: Float64Array, maximum: boolean): Promise<void>
  traffic(handle: unknown): Traffic
  timeExchange(handle: unknown, kind: number, bytes: number, repeats: number): Promise<number>
  library(): string
}

/** All ranks that were started together. */
export interface MpiWorld {
  communicator: Communicator
  /** Leaves MPI; the last collective of every rank. */
  finalize(): void
}

/**
 * Joins the ranks that mpirun or srun started with this one.
 * @throws MonosemError native: the addon is not compiled, or its MPI library cannot be used
 */
export function openMpi(): MpiWorld {
  const addon = mpiAddon()
  let world: Group
  try {
    world = addon.init()
  } catch (cause) {
    throw new MonosemError('native', (cause as Error).message, { cause, hint: 'use Open MPI 4 or MPICH 4' })
  }
  return { communicator: communicatorOf(addon, world), finalize: () => addon.finalize() }
}

const mpiAddon = (): MpiAddon =>
  loadAddon<MpiAddon>(
    'monosem_mpi.node',
    'the MPI addon is',
    'install MPI with its compiler (Debian: apt-get install libopenmpi-dev openmpi-bin), then compile the addon: npm run build:mpi',
  )

const everyRank = -1

function communicatorOf(addon: MpiAddon, { rank, size, handle, exchange }: Group): Communicator {
  const reduce = async (
    values: readonly number[] | Float64Array,
    maximum: boolean,
  ): Promise<Float64Array> => {
    const result = Float64Array.from(values)
    await addon.reduce(handle, result, maximum)
    return result
  }
  return {
    rank,
    size,
    exchange: size > 1 ? exchange : null,
    barrier: () => addon.barrier(handle),
    broadcast: (bytes, root = 0) => addon.broadcast(handle, bytes, root),
    gather: (bytes, root = 0) => addon.gather(handle, bytes, root),
    allGather: async (bytes) => (await addon.gather(handle, bytes, everyRank)) as Uint8Array[],
    sum: (values) => reduce(values, false),
    max: (values) => reduce(values, true),
    split: async (color) => communicatorOf(addon, await addon.split(handle, color)),
    traffic: () => addon.traffic(handle),
    timeExchange: (kind, bytes, repeats) =>
      addon.timeExchange(handle, exchangeKinds.indexOf(kind), bytes, repeats),
    library: addon.library(),
    abort: (exitCode) => {
      addon.abort(exitCode)
      process.exit(exitCode)
    },
  }
}
