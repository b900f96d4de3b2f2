import { MonosemError } from '../errors/monosem-error.js'
import { Random } from '../random/random.js'

/**
 * The order in which training meets the windows of a split: every epoch is a new seeded permutation of all
 * windows. The order depends on the seed and the position only, so training can go on at any sample without
 * stored state.
 * @returns window indices of samples first .. first + count - 1, counted from the start of the training
 * @throws MonosemError config (no windows)
 */
export function createWindowOrder(
  windows: number,
  seed: number,
): (first: number, count: number) => Int32Array {
  if (windows < 1)
    throw new MonosemError('config', 'model/train: the training split is shorter than one window', {
      hint: 'give the corpus more text, or train with a smaller --context',
    })
  let current = { epoch: -1, order: new Int32Array(0) }
  const epochOrder = (epoch: number): Int32Array => {
    if (current.epoch !== epoch)
      current = { epoch, order: Random.named(seed, `training order of epoch ${epoch}`).permutation(windows) }
    return current.order
  }
  return (first, count) =>
    Int32Array.from({ length: count }, (_, i) => {
      const sample = first + i
      return epochOrder(Math.floor(sample / windows))[sample % windows]
    })
}
