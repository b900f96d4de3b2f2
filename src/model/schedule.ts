/** Numbers that a learning-rate schedule depends on. */
export interface ScheduleOptions {
  /** peak learning rate */
  learningRate: number
  /** steps of linear warm-up; the peak is reached at this step */
  warmupSteps: number
  /** steps of the whole training */
  totalSteps: number
  /** learning rate of the last step, as a fraction of the peak */
  minLearningRateFraction: number
}

/**
 * Learning rate of a step: linear warm-up, then half a cosine down to the minimum (Loshchilov & Hutter 2017,
 * equation 5, without restarts). A warm-up longer than a tenth of the training is cut to that.
 * @param step 1-based, up to totalSteps
 */
export function learningRateAt(step: number, options: ScheduleOptions): number {
  const { learningRate, totalSteps, minLearningRateFraction } = options
  const warmup = Math.min(options.warmupSteps, Math.floor(totalSteps / 10))
  if (step <= warmup) return (learningRate * step) / warmup
  const progress = totalSteps > warmup ? (step - warmup) / (totalSteps - warmup) : 1
  const cosine = 0.5 * (1 + Math.cos(Math.PI * progress))
  return learningRate * (minLearningRateFraction + (1 - minLearningRateFraction) * cosine)
}
