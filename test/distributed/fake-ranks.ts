import type { Communicator } from '../../src/distributed/communicator.js'

/** Ranks within one process, for what they tell each other: no kernels meet. All have to call the same collectives. */
export function fakeRanks(size: number): Communicator[] {
  /** what was given to the n-th collective, by rank */
  const calls: { given: Uint8Array[]; all: Promise<Uint8Array[]>; resolve(all: Uint8Array[]): void }[] = []
  const meet = (n: number, rank: number, bytes: Uint8Array): Promise<Uint8Array[]> => {
    if (!calls[n]) {
      let resolve: (all: Uint8Array[]) => void = () => {}
      const all = new Promise<Uint8Array[]>((settle) => {
        resolve = settle
      })
      calls[n] = { given: [], all, resolve }
    }
    const { given, all, resolve } = calls[n]
    given[rank] = bytes
    if (Object.keys(given).length === size) resolve(given)
    return all
  }
  const reduced = (all: Uint8Array[], pick: (a: number, b: number) => number): Float64Array =>
    all
      .map((bytes) => new Float64Array(bytes.slice().buffer))
      .reduce((a, b) => a.map((x, i) => pick(x, b[i])))
  return Array.from({ length: size }, (_, rank) => {
    let n = 0
    const allGather = (bytes: Uint8Array) => meet(n++, rank, bytes)
    const bytesOf = (values: readonly number[] | Float64Array) =>
      new Uint8Array(Float64Array.from(values).buffer)
    const communicator: Communicator = {
      rank,
      size,
      exchange: null,
      allGather,
      barrier: async () => void (await allGather(new Uint8Array(0))),
      broadcast: async (bytes, root = 0) => (await allGather(bytes))[root],
      gather: async (bytes, root = 0) => {
        const all = await allGather(bytes)
        return rank === root ? all : null
      },
      sum: async (values) => reduced(await allGather(bytesOf(values)), (a, b) => a + b),
      max: async (values) => reduced(await allGather(bytesOf(values)), Math.max),
      split: async () => communicator,
      traffic: () => ({ bytes: 0, seconds: 0 }),
      timeExchange: async () => 0,
      library: 'no messages',
      abort: (code) => process.exit(code),
    }
    return communicator
  })
}
