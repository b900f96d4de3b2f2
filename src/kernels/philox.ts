const M0 = 0xd2511f53
const M1 = 0xcd9e8d57

/** Upper 32 bits of the product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const [aLow, aHigh] = [a & 0xffff, a >>> 16]
  const [bLow, bHigh] = [b & 0xffff, b >>> 16]
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const rest = aLow * bHigh + (middle & 0xffff)
  return (aHigh * bHigh + (middle - (middle & 0xffff)) / 65536 + Math.floor(rest / 65536)) >>> 0
}

/**
 * Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"): four random words for each counter, without state.
 * @param counter four unsigned 32-bit integers
 * @param key two of them
 */
export function philox(counter: readonly number[], key: readonly number[]): number[] {
  let [c0, c1, c2, c3] = counter
  let [k0, k1] = key
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = [multiplyHigh(M0, c0), Math.imul(M0, c0)]
    const [high1, low1] = [multiplyHigh(M1, c2), Math.imul(M1, c2)]
    ;[c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1 >>> 0, (high0 ^ c3 ^ k1) >>> 0, low0 >>> 0]
    k0 = (k0 + 0x9e3779b9) >>> 0
    k1 = (k1 + 0xbb67ae85) >>> 0
  }
  return [c0, c1, c2, c3]
}
