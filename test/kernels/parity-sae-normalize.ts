import { type ParityCase, parityCase } from './parity-case.js'

/** N, D */
const SIZES = [
  [1, 1],
  [1, 2],
  [37, 17],
  [130, 96],
  [5, 1027],
] as const

/** The operations around autoencoders of normalised inputs. */
export function saeNormalizeCases(): ParityCase[] {
  return SIZES.flatMap(([n, d]) => [
    ...(['layer_norm', 'constant_norm_rescale'] as const).map((norm) =>
      parityCase(`saeNormalize ${norm} n:${n} d:${d}`, (k, random) => {
        const [x, out] = [random.signed([n, d], 3), random.signed([n, d])]
        const [offsets, scales] = [random.signed([n]), random.signed([n])]
        k.fill(k.rows(x, n - 1, 1), 0)
        k.saeNormalize(out, offsets, scales, x, norm)
        const [alone, without] = [random.signed([n]), random.signed([n])]
        k.saeNormalize(null, without, alone, x, norm)
        return { out, offsets, scales, alone }
      }),
    ),
    ...[true, false].map((offset) =>
      parityCase(
        `saeDenormalizeInPlace ${offset ? 'with' : 'without'} offsets n:${n} d:${d}`,
        (k, random) => {
          const y = random.signed([n, d], 3)
          k.saeDenormalizeInPlace(y, offset ? random.signed([n]) : null, random.signed([n]))
          return { y }
        },
      ),
    ),
    parityCase(`saeSquaredErrors n:${n} d:${d}`, (k, random) => {
      const losses = random.signed([n])
      k.saeSquaredErrors(losses, random.signed([n, d]), random.signed([n, d]))
      return { losses }
    }),
    parityCase(`saeCompare n:${n} d:${d}`, (k, random) => {
      const [sums, shift] = [random.signed([n, 5]), random.signed([d])]
      const [y, xHat] = [random.signed([n, d]), random.signed([n, d])]
      k.saeCompare(sums, shift, y, xHat, random.signed([d]))
      return { sums, shift }
    }),
  ])
}
