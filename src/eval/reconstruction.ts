/** How far reconstructions xHat [n, D] are from activations x [n, D], token by token. */
export interface ReconstructionErrors {
  /** [n] ||x - xHat||^2 */
  squaredErrors: Float64Array
  /** [n] cosine of the angle between x and xHat; 0 where either is the zero vector */
  cosines: Float64Array
}

/** Squared error and cosine similarity of each of n tokens, in float64. x, xHat [n, D] */
export function reconstructionErrors(x: Float32Array, xHat: Float32Array, d: number): ReconstructionErrors {
  const n = x.length / d
  const squaredErrors = new Float64Array(n)
  const cosines = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    let error = 0
    let dot = 0
    let normX = 0
    let normHat = 0
    for (let j = i * d; j < (i + 1) * d; j++) {
      const a = x[j]
      const b = xHat[j]
      error += (a - b) * (a - b)
      dot += a * b
      normX += a * a
      normHat += b * b
    }
    squaredErrors[i] = error
    cosines[i] = normX > 0 && normHat > 0 ? dot / Math.sqrt(normX * normHat) : 0
  }
  return { squaredErrors, cosines }
}
