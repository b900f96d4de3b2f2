import type { SaeActivation, SaeStepOptions } from '../../src/kernels/kernels.js'

/** An autoencoder as arrays of float64, laid out as in kernels.ts. */
export interface PlainSae {
  wEnc: Float64Array
  bEnc: Float64Array
  wDec: Float64Array
  bDec: Float64Array
}

export interface PlainLoss {
  total: number
  /** x - xHat of every token, one after the other */
  residuals: Float64Array
  /** the active features of every token */
  active: number[][]
}

/**
 * The loss of a training step written down a second time, without gradients, for checking those of the kernels.
 * AuxK explains `frozenResiduals` (default: this forward pass's own), which is how a test holds them constant.
 */
export function plainSaeLoss(
  sae: PlainSae,
  x: ArrayLike<number>,
  options: SaeStepOptions,
  dead: readonly boolean[],
  frozenResiduals?: Float64Array,
): PlainLoss {
  const d = sae.bDec.length
  const count = x.length / d
  const result: PlainLoss = { total: 0, residuals: new Float64Array(x.length), active: [] }
  const auxOutputs = new Float64Array(x.length)
  const deadCount = dead.filter(Boolean).length
  for (let n = 0; n < count; n++) {
    const pre = preActivations(sae, x, n)
    const active = choose(pre, options.activation, () => true)
    result.active.push(active)
    for (let c = 0; c < d; c++) {
      const xHat = sae.bDec[c] + decode(sae, pre, active, c)
      result.residuals[n * d + c] = x[n * d + c] - xHat
      result.total += (x[n * d + c] - xHat) ** 2 / count
    }
    result.total += (options.l1Coefficient * active.reduce((sum, j) => sum + pre[j], 0)) / count
    if (options.auxK === undefined) continue
    const auxActive = choose(pre, { kind: 'topk', k: Math.min(options.auxK.k, deadCount) }, (j) => dead[j])
    for (let c = 0; c < d; c++) auxOutputs[n * d + c] = decode(sae, pre, auxActive, c)
  }
  if (options.auxK !== undefined && deadCount > 0) {
    const target = frozenResiduals ?? result.residuals
    result.total += options.auxK.coefficient * unexplained(target, auxOutputs, d)
  }
  return result
}

function preActivations(sae: PlainSae, x: ArrayLike<number>, n: number): number[] {
  const d = sae.bDec.length
  return Array.from(sae.bEnc, (bias, j) => {
    let sum = bias
    for (let c = 0; c < d; c++) sum += sae.wEnc[j * d + c] * (x[n * d + c] - sae.bDec[c])
    return sum
  })
}

/** A feature is chosen when fewer than k candidates beat it. */
function choose(pre: number[], activation: SaeActivation, candidate: (j: number) => boolean): number[] {
  const all = pre.map((_, j) => j).filter((j) => pre[j] > 0 && candidate(j))
  if (activation.kind === 'relu') return all
  return all.filter(
    (j) => all.filter((o) => pre[o] > pre[j] || (pre[o] === pre[j] && o < j)).length < activation.k,
  )
}

function decode(sae: PlainSae, pre: number[], active: number[], c: number): number {
  const d = sae.bDec.length
  return active.reduce((sum, j) => sum + pre[j] * sae.wDec[j * d + c], 0)
}

/** sum ||r - rHat||^2 / sum ||r - mean r||^2 */
function unexplained(r: Float64Array, rHat: Float64Array, d: number): number {
  const count = r.length / d
  let [above, below] = [0, 0]
  for (let c = 0; c < d; c++) {
    let mean = 0
    for (let n = 0; n < count; n++) mean += r[n * d + c] / count
    for (let n = 0; n < count; n++) {
      above += (r[n * d + c] - rHat[n * d + c]) ** 2
      below += (r[n * d + c] - mean) ** 2
    }
  }
  return below === 0 ? 0 : above / below
}
