import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SaeActivation, SaeSparsity, SaeStepOptions, SaeStepStats } from '../../src/kernels/kernels.js'
import { createReferenceKernels } from '../../src/kernels/reference.js'
import { expectClose, finiteDifferences } from './gradient-check.js'
import {
  normsOf,
  type PlainForward,
  type PlainLoss,
  type PlainSae,
  plainForward,
  plainSaeLoss,
  rowsOf,
} from './plain-sae.js'
import { AUX, F, GRADIENT_ONLY, plain, RELU, setup, TOPK } from './sae-setup.js'

const k = createReferenceKernels()

const L1: SaeSparsity = { kind: 'l1', coefficient: 0.7, byDecoderNorm: false }
const BY_NORM: SaeSparsity = { ...L1, byDecoderNorm: true }
const L0: SaeSparsity = { kind: 'l0', coefficient: 0.6, bandwidth: 1.3 }
const TANH: SaeSparsity = { kind: 'tanh', coefficient: 0.5, scale: 1.5, bandwidth: 1.1, preAct: 0.3 }
const LOG = { kind: 'jumprelu', logThreshold: true } as const

const options = (
  activation: SaeActivation,
  sparsity: SaeSparsity,
  more: Partial<SaeStepOptions> & { subtract?: boolean } = {},
): SaeStepOptions => {
  const { subtract = true, ...others } = more
  const form = { activation, subtractDecoderBias: subtract }
  return { form, sparsity, adam: GRADIENT_ONLY, unitNormDecoder: false, ...others }
}

interface Case {
  options: SaeStepOptions
  dOut?: number
  skip?: boolean
}

const NONE: SaeSparsity = { kind: 'none' }
const batchTopK = { kind: 'batchtopk', k: 2 } as const
const NESTED = { prefixes: [1, 4, F] }
const APART = { subtract: false }

const CASES: Record<string, Case> = {
  relu: { options: RELU },
  'relu without a penalty': { options: options({ kind: 'relu' }, NONE) },
  'relu, bias not subtracted': { options: options({ kind: 'relu' }, L1, APART) },
  'relu by norm': { options: options({ kind: 'relu' }, BY_NORM, APART) },
  'relu by norm, bias subtracted': { options: options({ kind: 'relu' }, BY_NORM) },
  'relu with prefixes': { options: options({ kind: 'relu' }, L1, NESTED) },
  'relu with auxK': { options: { ...RELU, auxK: AUX } },
  topk: { options: TOPK },
  'topk with L1': { options: options({ kind: 'topk', k: 3 }, L1) },
  'topk with as many as there are': { options: options({ kind: 'topk', k: F }, NONE) },
  'topk with auxK': { options: { ...TOPK, auxK: AUX } },
  'topk with auxK, bias not subtracted': {
    options: options({ kind: 'topk', k: 2 }, NONE, { ...APART, auxK: AUX }),
  },
  'topk with auxK of every dead feature': { options: { ...TOPK, auxK: { ...AUX, k: 99 } } },
  'topk with auxK but nothing dead': { options: { ...TOPK, auxK: { ...AUX, deadAfterTokens: 5000 } } },
  batchtopk: { options: options(batchTopK, NONE) },
  'batchtopk with auxK': { options: options(batchTopK, NONE, { auxK: AUX }) },
  matryoshka: { options: options(batchTopK, NONE, { ...NESTED, auxK: AUX }) },
  'matryoshka of a single prefix': { options: options(batchTopK, NONE, { prefixes: [F] }) },
  gated: { options: options({ kind: 'gated' }, L1) },
  'gated, bias not subtracted': { options: options({ kind: 'gated' }, L1, APART) },
  jumprelu: { options: options({ kind: 'jumprelu' }, L0, APART) },
  'jumprelu, bias subtracted': { options: options({ kind: 'jumprelu' }, L0) },
  'jumprelu with log thresholds and prefixes': { options: options(LOG, L0, { ...APART, ...NESTED }) },
  'jumprelu with L1': { options: options({ kind: 'jumprelu' }, L1) },
  'jumprelu-tanh': { options: options(LOG, TANH, APART) },
  'jumprelu-tanh, bias subtracted': { options: options({ kind: 'jumprelu' }, TANH) },
  'transcoder relu by norm': { options: options({ kind: 'relu' }, BY_NORM, APART), dOut: 3 },
  'transcoder topk with skip and auxK': {
    options: options({ kind: 'topk', k: 2 }, NONE, { ...APART, auxK: AUX }),
    dOut: 5,
    skip: true,
  },
  'transcoder matryoshka with skip': {
    options: options(batchTopK, NONE, { ...APART, ...NESTED }),
    dOut: 3,
    skip: true,
  },
  'transcoder gated with skip': { options: options({ kind: 'gated' }, L1, APART), dOut: 3, skip: true },
  'transcoder jumprelu-tanh': { options: options(LOG, TANH, APART), dOut: 3 },
  'skip, bias subtracted': { options: options({ kind: 'relu' }, L1), skip: true },
}

for (const [name, one] of Object.entries(CASES)) {
  test(`saeStep's gradients and statistics are those of the loss written down plainly: ${name}`, () =>
    checkGradients(one))
}

async function checkGradients({ options, ...layout }: Case): Promise<void> {
  const { training, x, y } = setup(k, 11, options, layout)
  const sae = await plain(k, training.params)
  const [xs, ys] = [await k.readF32(x), await k.readF32(y)]
  const before = Array.from(await k.read(training.tokensSinceFired))
  const dead = before.map((tokens) => options.auxK !== undefined && tokens >= options.auxK.deadAfterTokens)
  const loss = plainSaeLoss(sae, xs, ys, options, dead)
  const forward = plainForward(sae, xs, ys, options)
  const stats = await k.saeStep(training, x, y, options)
  expectStatistics(stats, loss, forward)
  assert.equal(stats.dead, dead.filter(Boolean).length)

  const [params, m] = [await plain(k, training.params), await plain(k, training.m)]
  const frozen = { residuals: loss.residuals, sae: params }
  for (const [key, values] of Object.entries(sae) as [keyof PlainSae, Float64Array][]) {
    const total = (): number => plainSaeLoss(sae, xs, ys, options, dead, frozen).total
    const expected = await finiteDifferences(values, total, 1e-5)
    if (key === 'threshold') {
      const estimated = straightThrough(sae, forward, options)
      for (let j = 0; j < F; j++) expected[j] += estimated[j]
    }
    expectClose(`gradient of ${key}`, m[key]!, expected, 1e-4)
    expectClose(`unchanged ${key}`, params[key]!, values, 0)
  }
}

function expectStatistics(stats: SaeStepStats, loss: PlainLoss, { f }: PlainForward): void {
  const active = f.flat().filter((value) => value > 0).length
  const byFeature = f[0].map((_, j) => f.filter((row) => row[j] > 0).length)
  const expected = {
    squaredError: loss.squaredError,
    prefixError: loss.prefixError,
    sparsity: loss.sparsity,
    preActLoss: loss.preAct,
    auxLoss: loss.aux,
    l0: active / f.length,
    maxDensity: Math.max(...byFeature) / f.length,
    gradientNorm: 0,
    badRow: -1,
    skippedRows: 0,
  }
  for (const [key, value] of Object.entries(expected))
    expectClose(key, [stats[key as keyof typeof expected]], [value], 1e-5)
  assert.equal(stats.precision, 'fp32')
  assert.ok(active > 0, 'the case is without interest when nothing is active')
}

/** What the estimators add to the gradient of the thresholds, which the loss itself does not have: sums over near pairs. */
function straightThrough(
  sae: PlainSae,
  { pre, f, theta, y, xHats }: PlainForward,
  { sparsity, form, prefixes = [F] }: SaeStepOptions,
): number[] {
  if (!('bandwidth' in sparsity)) return theta.map(() => 0)
  const { bandwidth, coefficient: lambda } = sparsity
  const decoder = rowsOf(sae.wDec, sae.bDec.length)
  return theta.map((threshold, j) => {
    let gradient = 0
    pre.forEach((row, n) => {
      if (Math.abs(row[j] - threshold) >= bandwidth / 2) return
      let df = 0
      const felt = xHats.filter((_, p) => j < prefixes[p])
      for (const xHat of felt)
        decoder[j].forEach((w, c) => {
          df += (2 * (xHat[n][c] - y[n][c]) * w) / pre.length
        })
      if (sparsity.kind === 'tanh') {
        const scaled = sparsity.scale * normsOf(sae)[j]
        df += (lambda / pre.length) * scaled * (1 - Math.tanh(scaled * f[n][j]) ** 2)
      }
      gradient -= (threshold / bandwidth) * df
      if (sparsity.kind === 'l0') gradient -= lambda / (pre.length * bandwidth)
    })
    return form.activation.kind === 'jumprelu' && form.activation.logThreshold
      ? threshold * gradient
      : gradient
  })
}
