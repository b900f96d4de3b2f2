import { createNativeKernels } from '../src/kernels/native.js'
import { Random } from '../src/random/random.js'
import { fastest, machine } from './machine.js'

export interface GemmResult {
  shape: string
  milliseconds: number
  gigaflops: number
  /** share of the fp32 peak that this machine reached in the same run */
  fractionOfPeak: number
}

/** [N, I] x [I, O]: the figure of the issue first, then the products of the demo's transformer and SAE. */
const SHAPES = [
  [4096, 512, 8192],
  [8192, 128, 4096],
  [8192, 128, 512],
  [4096, 37, 1000],
] as const

/** Matrix products beside the machine's own limit, measured in the same run. */
export async function benchGemm(threads?: number): Promise<GemmResult[]> {
  const kernels = createNativeKernels({ threads })
  const random = new Random(0)
  const noise = (count: number) => Float32Array.from({ length: count }, () => random.uniform() - 0.5)
  const results: GemmResult[] = []
  console.log(`matrix products, ${kernels.description}, ${machine()}`)
  for (const [n, i, o] of SHAPES) {
    const x = kernels.tensor(noise(n * i), [n, i])
    const w = kernels.tensor(noise(i * o), [i, o])
    const out = kernels.zeros([n, o])
    const peak = await kernels.measurePeak()
    const milliseconds = await fastest(7, () => {
      kernels.linearForward(out, x, w, null)
      return kernels.finish()
    })
    const flops = (2 * n * i * o * 1000) / milliseconds
    results.push({
      shape: `${n}x${i} @ ${i}x${o}`,
      milliseconds,
      gigaflops: flops / 1e9,
      fractionOfPeak: flops / peak,
    })
    console.log(
      `${`${n}x${i} @ ${i}x${o}`.padEnd(24)} ${milliseconds.toFixed(2).padStart(8)} ms ${(flops / 1e9).toFixed(1).padStart(7)} GFLOP/s of ${(peak / 1e9).toFixed(1)} peak: ${((100 * flops) / peak).toFixed(1)}%`,
    )
    for (const t of [x, w, out]) kernels.free(t)
  }
  return results
}
