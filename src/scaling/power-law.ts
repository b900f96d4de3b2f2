import { mean } from '../eval/mean.js'

/** A positive quantity measured at a positive x: a loss at a compute budget, the best size at one. */
export interface Point {
  x: number
  y: number
}

/** y = irreducible + coefficient (x / reference)^-exponent. Loss against compute or size: it falls towards the irreducible term. */
export interface PowerLaw {
  /** >= 0, in units of y */
  irreducible: number
  /** >= 0, in units of y: what can still be gained at x = reference */
  coefficient: number
  /** b > 0 */
  exponent: number
  /** geometric mean of the x that were fitted, so that the coefficient is a number of ordinary size */
  reference: number
  /** root of the mean squared relative difference of points and law */
  relativeError: number
}

/** Exponents that are looked at: flatter or steeper ones cannot be told from a constant or a step. */
const exponents = { from: 0.005, to: 8, grid: 160 }

/**
 * Least squares of relative differences, sum ((y - law(x)) / y)^2: to first order those of log y, whatever the irreducible term. For a given
 * exponent the law is linear in the other two, which are solved for exactly (both >= 0); so only the exponent is searched (variable projection,
 * Golub & Pereyra 1973), on a grid and then by golden sections.
 * @param points at least 3, at different x
 */
export function fitPowerLaw(points: readonly Point[]): PowerLaw {
  const reference = Math.exp(mean(points.map(({ x }) => Math.log(x))))
  const fit = (logExponent: number) => linearPart(points, reference, Math.exp(logExponent))
  const [from, to] = [Math.log(exponents.from), Math.log(exponents.to)]
  const step = (to - from) / exponents.grid
  const grid = Array.from({ length: exponents.grid + 1 }, (_, i) => from + i * step)
  const errors = grid.map((logExponent) => fit(logExponent).squares)
  const best = grid[errors.indexOf(Math.min(...errors))]
  const found = goldenSection((logExponent) => fit(logExponent).squares, best - step, best + step)
  const { irreducible, coefficient, squares } = fit(found)
  const relativeError = Math.sqrt(squares / points.length)
  return { irreducible, coefficient, exponent: Math.exp(found), reference, relativeError }
}

/** The law at x. */
export function powerLawAt(law: PowerLaw, x: number): number {
  return law.irreducible + law.coefficient * (x / law.reference) ** -law.exponent
}

/** The two terms that the law is linear in, by least squares with weights 1 / y^2, neither below 0. */
function linearPart(
  points: readonly Point[],
  reference: number,
  exponent: number,
): { irreducible: number; coefficient: number; squares: number } {
  // in units of y: 1 = irreducible p + coefficient q, with p = 1 / y and q = (x / reference)^-b / y
  let [pp, pq, qq, p1, q1] = [0, 0, 0, 0, 0]
  for (const { x, y } of points) {
    const p = 1 / y
    const q = (x / reference) ** -exponent / y
    pp += p * p
    pq += p * q
    qq += q * q
    p1 += p
    q1 += q
  }
  const determinant = pp * qq - pq * pq
  let irreducible = (p1 * qq - q1 * pq) / determinant
  let coefficient = (q1 * pp - p1 * pq) / determinant
  if (!(irreducible >= 0)) [irreducible, coefficient] = [0, q1 / qq]
  else if (!(coefficient >= 0)) [irreducible, coefficient] = [p1 / pp, 0]
  let squares = 0
  for (const { x, y } of points) {
    const law = irreducible + coefficient * (x / reference) ** -exponent
    squares += ((y - law) / y) ** 2
  }
  return { irreducible, coefficient, squares }
}

/** y = coefficient (x / reference)^exponent: a straight line in logarithms. The best size and steps against compute. */
export interface LogLine {
  coefficient: number
  exponent: number
  reference: number
  /** root of the mean squared difference in log y */
  relativeError: number
}

/** Ordinary least squares of log y on log x. @param points at least 2, at different x */
export function fitLogLine(points: readonly Point[]): LogLine {
  const xs = points.map(({ x }) => Math.log(x))
  const ys = points.map(({ y }) => Math.log(y))
  const [meanX, meanY] = [mean(xs), mean(ys)]
  const covariance = xs.reduce((sum, x, i) => sum + (x - meanX) * (ys[i] - meanY), 0)
  const exponent = covariance / xs.reduce((sum, x) => sum + (x - meanX) ** 2, 0)
  const squares = xs.reduce((sum, x, i) => sum + (ys[i] - meanY - exponent * (x - meanX)) ** 2, 0)
  return {
    coefficient: Math.exp(meanY),
    exponent,
    reference: Math.exp(meanX),
    relativeError: Math.sqrt(squares / points.length),
  }
}

/** The line at x. */
export function logLineAt(line: LogLine, x: number): number {
  return line.coefficient * (x / line.reference) ** line.exponent
}

/** Where a function that falls and then rises between two places is smallest. */
function goldenSection(f: (x: number) => number, from: number, to: number): number {
  const ratio = (Math.sqrt(5) - 1) / 2
  let [a, b] = [from, to]
  let [c, d] = [b - ratio * (b - a), a + ratio * (b - a)]
  let [fc, fd] = [f(c), f(d)]
  while (b - a > 1e-9 * Math.max(1, Math.abs(a))) {
    if (fc <= fd) {
      ;[b, d, fd] = [d, c, fc]
      c = b - ratio * (b - a)
      fc = f(c)
    } else {
      ;[a, c, fc] = [c, d, fd]
      d = a + ratio * (b - a)
      fd = f(d)
    }
  }
  return (a + b) / 2
}
