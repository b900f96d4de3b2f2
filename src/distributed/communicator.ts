/** What the kernels of a group of ranks meet with. Made by the MPI addon, handed to the kernels; nobody else looks inside. */
export type Exchange = unknown

/** What the kernels of this rank sent to others, and how long they waited for it, since the group began. */
export interface Traffic {
  bytes: number
  seconds: number
}

/** The kernels' exchanges that can be timed, as native/addon_mpi.cc numbers them. */
export const exchangeKinds = ['sum', 'sumInBf16', 'allToAll', 'allGather'] as const

export type ExchangeKind = (typeof exchangeKinds)[number]

/**
 * The ranks that work on one job: processes with the same program, started together by mpirun or srun. Every method but `abort` and `traffic` is a
 * collective: all ranks of the group call the same ones in the same order. None blocks Node's event loop.
 */
export interface Communicator {
  /** 0-based number of this process */
  readonly rank: number
  /** how many ranks there are */
  readonly size: number
  /** null where there is only one rank */
  readonly exchange: Exchange | null
  /** Waits until all ranks have come here. */
  barrier(): Promise<void>
  /** The bytes of rank `root` (default 0), on every rank. The others may give an empty array. */
  broadcast(bytes: Uint8Array, root?: number): Promise<Uint8Array>
  /** The bytes of every rank in the order of the ranks, on rank `root` (default 0); null on the others. Lengths may differ. */
  gather(bytes: Uint8Array, root?: number): Promise<Uint8Array[] | null>
  /** The bytes of every rank in the order of the ranks, on every rank. */
  allGather(bytes: Uint8Array): Promise<Uint8Array[]>
  /** Sums over the ranks, element by element and in the order of the ranks: the same bits everywhere. */
  sum(values: readonly number[] | Float64Array): Promise<Float64Array>
  /** Maxima over the ranks. */
  max(values: readonly number[] | Float64Array): Promise<Float64Array>
  /** The ranks that give the same colour, as a group of their own, in the order of their ranks here. */
  split(color: number): Promise<Communicator>
  traffic(): Traffic
  /**
   * Seconds that one of the kernels' exchanges takes, while no kernels run: the mean of `repeats`, as this rank sees it.
   * @param bytes size of the vector that is summed (as it crosses: 2 or 4 bytes a number), of what a rank sends to all, or of what is gathered
   */
  timeExchange(kind: ExchangeKind, bytes: number, repeats: number): Promise<number>
  /** name and version of the library that carries the messages */
  readonly library: string
  /** Ends the processes of all ranks at once, wherever they are. */
  abort(exitCode: number): never
}

/** One process on its own: every collective is the identity. */
export const singleRank: Communicator = {
  rank: 0,
  size: 1,
  exchange: null,
  barrier: async () => {},
  broadcast: async (bytes) => bytes,
  gather: async (bytes) => [bytes],
  allGather: async (bytes) => [bytes],
  sum: async (values) => Float64Array.from(values),
  max: async (values) => Float64Array.from(values),
  split: async () => singleRank,
  traffic: () => ({ bytes: 0, seconds: 0 }),
  timeExchange: async () => 0,
  library: 'one process',
  abort: (exitCode) => process.exit(exitCode),
}
