import { availableParallelism, cpus, totalmem } from 'node:os'

/** The machine, as every benchmark prints it. */
export function machine(): string {
  return `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} processors, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, node ${process.version}`
}

/** Milliseconds of the fastest of `repetitions` runs after one warm-up: on a shared machine the minimum disturbs least. */
export async function fastest(repetitions: number, body: () => Promise<void>): Promise<number> {
  await body()
  let best = Infinity
  for (let i = 0; i < repetitions; i++) {
    const start = performance.now()
    await body()
    best = Math.min(best, performance.now() - start)
  }
  return best
}
