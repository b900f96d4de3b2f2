import { MonosemError } from '../errors/monosem-error.js'
import { checkSyntheticCreate, checkSyntheticFill } from './check-synthetic.js'
import type { Codes, SampleRange, SyntheticGenerator, SyntheticKernels, Tensor } from './kernels.js'
import { type Boundary, native } from './native-boundary.js'

/** A law whose tables the addon owns. */
class NativeGenerator implements SyntheticGenerator {
  constructor(
    readonly features: number,
    readonly d: number,
    /** directions and bias, which must not be freed before the last sample is asked for */
    readonly tensors: readonly Tensor[],
    readonly handle: unknown,
  ) {}
}

/** The operations on synthetic activations; see `SyntheticKernels`. */
export function synthetic(b: Boundary): SyntheticKernels {
  const cross = (x: Tensor, generator: SyntheticGenerator, range: SampleRange): unknown[] => {
    if (!(generator instanceof NativeGenerator))
      throw new MonosemError('shape', 'a generator of other kernels was given to the native kernels')
    checkSyntheticFill(x, generator, range)
    generator.tensors.forEach(native)
    const words = (value: number) => [value % 2 ** 32, Math.floor(value / 2 ** 32)]
    return [generator.handle, x, x.shape[0], ...words(range.seed), ...words(range.offset)]
  }
  return {
    syntheticCreate(law) {
      checkSyntheticCreate(law)
      const [features, d] = law.directions.shape
      const { directions, bias, childOffsets, childIds, loadings } = law
      const { residuals, thresholds, magnitudeMeans, magnitudeStds, exclusive, scaled } = law
      const handle = b.call(
        'syntheticCreate',
        ...[features, d, loadings.length / features, directions, bias, childOffsets, childIds, loadings],
        ...[residuals, thresholds, magnitudeMeans, magnitudeStds, exclusive, scaled],
      )
      return new NativeGenerator(features, d, [directions, bias], handle)
    },
    syntheticFill(x, generator, range) {
      b.call('syntheticFill', ...cross(x, generator, range))
    },
    syntheticSample: async (x, generator, range) =>
      b.promise<Codes>('syntheticSample', ...cross(x, generator, range)),
  }
}
