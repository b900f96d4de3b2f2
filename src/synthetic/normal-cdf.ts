/**
 * Probability that a standard normal variable is below x, by the continued fraction of Mills' ratio in the tails and the series of Marsaglia (2004,
 * "Evaluating the normal distribution") in the middle; about 15 digits.
 */
export function normalCdf(x: number): number {
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)
  if (Math.abs(x) > 6) return x < 0 ? density * millsRatio(-x) : 1 - density * millsRatio(x)
  let term = x
  let sum = x
  for (let k = 3; Math.abs(term) > 1e-17; k += 2) {
    term *= (x * x) / k
    sum += term
  }
  return 0.5 + sum * density
}

/** (1 - Phi(x)) / phi(x) for large x */
function millsRatio(x: number): number {
  let fraction = x
  for (let k = 40; k >= 1; k--) fraction = x + k / fraction
  return 1 / fraction
}
