import { MonosemError } from '../errors/monosem-error.js'

/** Eigenvalues of a symmetric matrix, largest first, and its eigenvectors. */
export interface SymmetricEigen {
  /** [n] */
  values: Float64Array
  /** [n, n] row i has norm 1 and belongs to values[i] */
  vectors: Float64Array
}

/** A = Q T Q^T. Off-diagonal element i of T joins i and i + 1; the last is 0. */
interface Tridiagonal {
  /** [n] */
  diagonal: Float64Array
  /** [n] */
  offDiagonal: Float64Array
  /** [n, n] Q^T */
  rows: Float64Array
}

/** The reflection I - beta v v^T. v [n] is 0 before `start`. */
interface Reflection {
  start: number
  v: Float64Array
  beta: number
}

/**
 * All eigenvalues and eigenvectors of a symmetric matrix in double precision: Householder's reduction to a tridiagonal matrix, then QL with
 * implicit shifts (Golub & Van Loan 2013, sections 8.3.1 to 8.3.5; EISPACK's tred2 and tql2). About 9 n^3 operations: seconds for n = 512,
 * minutes for n = 2,304. Vectors are rows, so that inner loops run over neighbours in memory.
 * @param matrix [n, n]; it is not changed
 * @throws MonosemError diverged (elements that are not finite)
 */
export function symmetricEigen(matrix: Float64Array, n: number): SymmetricEigen {
  if (!matrix.every(Number.isFinite))
    throw new MonosemError(
      'diverged',
      'eigenvalues: expected a matrix of finite numbers, got NaN or infinity',
    )
  const { diagonal, offDiagonal, rows } = tridiagonal(matrix.slice(), n)
  diagonalise(diagonal, offDiagonal, rows)
  const order = [...diagonal.keys()].sort((a, b) => diagonal[b] - diagonal[a])
  const vectors = new Float64Array(n * n)
  order.forEach((from, to) => {
    vectors.set(rows.subarray(from * n, (from + 1) * n), to * n)
  })
  return { values: Float64Array.from(order, (i) => diagonal[i]), vectors }
}

function tridiagonal(a: Float64Array, n: number): Tridiagonal {
  const reflections: Reflection[] = []
  for (let k = 0; k + 2 < n; k++) {
    const reflection = reflectionOf(a.subarray(k * n, (k + 1) * n), k + 1)
    if (reflection === null) continue
    reflections.push(reflection)
    applyOnBothSides(a, n, reflection)
  }
  return {
    diagonal: Float64Array.from({ length: n }, (_, i) => a[i * n + i]),
    offDiagonal: Float64Array.from({ length: n }, (_, i) => (i + 1 < n ? a[i * n + i + 1] : 0)),
    rows: productOf(reflections, n),
  }
}

/** The reflection that leaves of a row's elements from `start` on only the first; null where that is so already. */
function reflectionOf(row: Float64Array, start: number): Reflection | null {
  const v = row.slice()
  v.fill(0, 0, start)
  if (v.subarray(start + 1).every((value) => value === 0)) return null
  const norm = Math.sqrt(dot(v, v, start))
  v[start] += v[start] >= 0 ? norm : -norm
  return { start, v, beta: 2 / dot(v, v, start) }
}

/** A = H A H, in the rows and columns that are not tridiagonal yet: A - v w^T - w v^T with p = beta A v, w = p - beta/2 (p . v) v. */
function applyOnBothSides(a: Float64Array, n: number, { start, v, beta }: Reflection): void {
  const first = start - 1
  const rowOf = (i: number): Float64Array => a.subarray(i * n, (i + 1) * n)
  const w = new Float64Array(n)
  for (let i = first; i < n; i++) w[i] = beta * dot(rowOf(i), v, start)
  addScaled(w, v, (-beta / 2) * dot(w, v, start), start)
  for (let i = first; i < n; i++) {
    const row = rowOf(i)
    const [vi, wi] = [v[i], w[i]]
    for (let j = first; j < n; j++) row[j] -= vi * w[j] + wi * v[j]
  }
}

/** Q^T, the reflections' product with the last one first. */
function productOf(reflections: readonly Reflection[], n: number): Float64Array {
  const product = new Float64Array(n * n)
  for (let i = 0; i < n; i++) product[i * n + i] = 1
  for (const { start, v, beta } of [...reflections].reverse())
    for (let i = start; i < n; i++) {
      const row = product.subarray(i * n, (i + 1) * n)
      addScaled(row, v, -beta * dot(row, v, start), start)
    }
  return product
}

/** QL steps until nothing is left off the diagonal d; e is used up, and the rows [n, n] take part in every rotation. */
function diagonalise(d: Float64Array, e: Float64Array, rows: Float64Array): void {
  const n = d.length
  const scale = d.reduce((largest, value, i) => Math.max(largest, Math.abs(value) + Math.abs(e[i])), 0)
  const negligible = scale * Number.EPSILON
  for (let l = 0; l < n; l++)
    for (let m = blockEnd(e, l, negligible); m > l; m = blockEnd(e, l, negligible)) stepQl(d, e, rows, l, m)
}

/** The last index of the block that begins at l: up to the first negligible element off the diagonal. */
function blockEnd(e: Float64Array, l: number, negligible: number): number {
  let m = l
  while (m + 1 < e.length && Math.abs(e[m]) > negligible) m++
  return m
}

/** One implicit QL step on the block l .. m, which chases a bulge from its end to its beginning. */
function stepQl(d: Float64Array, e: Float64Array, rows: Float64Array, l: number, m: number): void {
  const q = (d[l + 1] - d[l]) / (2 * e[l])
  const root = Math.sqrt(q * q + 1)
  let g = d[m] - d[l] + e[l] / (q + (q >= 0 ? root : -root))
  let [sine, cosine, shift] = [1, 1, 0]
  for (let i = m - 1; i >= l; i--) {
    const [f, b] = [sine * e[i], cosine * e[i]]
    const r = Math.sqrt(f * f + g * g)
    e[i + 1] = r
    if (r === 0) {
      // the block falls apart here
      d[i + 1] -= shift
      e[m] = 0
      return
    }
    sine = f / r
    cosine = g / r
    g = d[i + 1] - shift
    const t = (d[i] - g) * sine + 2 * cosine * b
    shift = sine * t
    d[i + 1] = g + shift
    g = cosine * t - b
    rotate(rows, d.length, i, sine, cosine)
  }
  d[l] -= shift
  e[l] = g
  e[m] = 0
}

/** Turns rows i and i + 1 in their plane. */
function rotate(rows: Float64Array, n: number, i: number, sine: number, cosine: number): void {
  const upper = rows.subarray(i * n, (i + 1) * n)
  const lower = rows.subarray((i + 1) * n, (i + 2) * n)
  for (let c = 0; c < n; c++) {
    const a = upper[c]
    const b = lower[c]
    lower[c] = sine * a + cosine * b
    upper[c] = cosine * a - sine * b
  }
}

function dot(a: Float64Array, b: Float64Array, start: number): number {
  let sum = 0
  for (let i = start; i < a.length; i++) sum += a[i] * b[i]
  return sum
}

function addScaled(to: Float64Array, row: Float64Array, factor: number, start: number): void {
  for (let i = start; i < to.length; i++) to[i] += factor * row[i]
}
