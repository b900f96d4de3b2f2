import { rowNorm, type SaeArrays } from './sae-params.js'

/**
 * Turns an autoencoder of scaled activations into the same one of raw activations. The input was multiplied by s, the target by t
 * (for an autoencoder t = s). For activations that are homogeneous (every one here is: pre-activations, thresholds and biases times
 * c give activations times c),
 *
 *   y_hat = (W_dec f(W_enc s x + b_enc) + b_dec + W_skip s x) / t
 *         = W_dec f(W_enc (s/t) x + b_enc / t) + b_dec / t + (s/t) W_skip x
 *
 * so biases and thresholds are divided by t, W_enc and W_skip are multiplied by s/t (an autoencoder's W_enc stays, and b_dec that is
 * subtracted from the input is right), decoder rows keep their norm, and features come in units of the raw target. The k largest are
 * the same features, because t > 0 keeps the order; so are those above a threshold.
 */
export function foldActivationScale(scaled: SaeArrays, s: number, t: number): SaeArrays {
  const divided = (values: Float32Array) => values.map((value) => value / t)
  const ratio = s / t
  const turned = (values: Float32Array) => (ratio === 1 ? values : values.map((value) => value * ratio))
  return {
    ...scaled,
    wEnc: turned(scaled.wEnc),
    bEnc: divided(scaled.bEnc),
    bDec: divided(scaled.bDec),
    ...(scaled.threshold && { threshold: divided(scaled.threshold) }),
    ...(scaled.bMag && { bMag: divided(scaled.bMag) }),
    ...(scaled.wSkip && { wSkip: turned(scaled.wSkip) }),
  }
}

/**
 * Brings decoder rows to norm 1 without changing the output: with n = ||W_dec row||, the activation n f decoded by row / n is f
 * decoded by the row, and activations become n times as large when what they are made of does (the gain exp(r_mag) stays). Rows of
 * norm 0 are left alone. In place.
 */
export function foldDecoderNorms(arrays: SaeArrays): void {
  const { wEnc, wDec, bDec } = arrays
  const features = arrays.bEnc.length
  const [d, dOut] = [wEnc.length / features, bDec.length]
  for (let j = 0; j < features; j++) {
    const norm = rowNorm(wDec.subarray(j * dOut, (j + 1) * dOut))
    if (norm === 0) continue
    for (const each of [arrays.bEnc, arrays.threshold, arrays.bMag]) if (each) each[j] *= norm
    for (let i = j * d; i < (j + 1) * d; i++) wEnc[i] *= norm
    for (let i = j * dOut; i < (j + 1) * dOut; i++) wDec[i] /= norm
  }
}

/** Brings decoder rows to norm 1 and changes nothing else. Rows of norm 0 are left alone. In place. */
export function normaliseDecoderRows({ wDec, bDec }: SaeArrays): void {
  for (let start = 0; start < wDec.length; start += bDec.length) {
    const row = wDec.subarray(start, start + bDec.length)
    const norm = rowNorm(row)
    if (norm > 0) for (let i = 0; i < row.length; i++) row[i] /= norm
  }
}

/**
 * Lets an autoencoder of scaled activations read raw ones, and leaves its features in scaled units: with the input multiplied by s and the
 * target by t, y_hat = (W_dec f(W_enc s x + b_enc) + b_dec + W_skip s x) / t, so W_enc and W_skip take s and everything after the features is
 * divided by t. An autoencoder that subtracts b_dec has t = s: s x - b_dec = s (x - b_dec / s). In place.
 */
export function foldInputScale({ wEnc, wDec, bDec, wSkip }: SaeArrays, s: number, t: number): void {
  const scale = (values: Float32Array, factor: number) => {
    for (let i = 0; i < values.length; i++) values[i] *= factor
  }
  scale(wEnc, s)
  for (const values of [wDec, bDec]) for (let i = 0; i < values.length; i++) values[i] /= t
  if (wSkip) scale(wSkip, s / t)
}
