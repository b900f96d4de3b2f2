/** The whole state of a generator: four unsigned 32-bit words, as plain numbers so that JSON keeps them exactly. */
export type RandomState = [number, number, number, number]

const rotl = (x: number, k: number): number => (x << k) | (x >>> (32 - k))

/** splitmix32: spreads a 32-bit seed over a sequence of well-mixed words. */
function splitmix32(seed: number): () => number {
  let a = seed | 0
  return () => {
    a = (a + 0x9e3779b9) | 0
    let t = a ^ (a >>> 16)
    t = Math.imul(t, 0x21f0aaad)
    t ^= t >>> 15
    t = Math.imul(t, 0x735a2d97)
    return (t ^ (t >>> 15)) >>> 0
  }
}

/** A matrix over bits times a state: column i is what becomes of bit i. */
function applied(columns: readonly RandomState[], state: RandomState): RandomState {
  const result: RandomState = [0, 0, 0, 0]
  for (let bit = 0; bit < 128; bit++)
    if ((state[bit >> 5] >>> (bit & 31)) & 1) for (let w = 0; w < 4; w++) result[w] ^= columns[bit][w]
  return result
}

/**
 * A seeded pseudo-random generator, xoshiro128** (Blackman & Vigna 2018): the same seed gives the same
 * sequence on every machine, and `state` can be stored and restored for exact resume.
 */
export class Random {
  state: RandomState

  constructor(seed: number | RandomState) {
    if (typeof seed === 'number') {
      const next = splitmix32(seed)
      this.state = [next(), next(), next(), next()]
    } else this.state = [...seed]
  }

  /** An independent generator for a named purpose: adding one never shifts the numbers of another. */
  static named(seed: number, name: string): Random {
    let hash = splitmix32(seed)()
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
    return new Random(hash)
  }

  /** Uniform unsigned 32-bit integer. */
  uint32(): number {
    const s = this.state
    const result = Math.imul(rotl(Math.imul(s[1], 5), 7), 9) >>> 0
    const t = s[1] << 9
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = rotl(s[3], 11)
    return result
  }

  /**
   * Leaves out `count` numbers of `uint32`, in no time however many: what a step does to the state is linear in its bits, a matrix, and powers of a matrix
   * are squares of squares.
   */
  skip(count: number): void {
    let step = Array.from({ length: 128 }, (_, bit) => {
      const single = new Random([0, 0, 0, 0])
      single.state[bit >> 5] = 1 << (bit & 31)
      single.uint32()
      return single.state
    })
    for (let left = count; left > 0; left = Math.floor(left / 2)) {
      if (left % 2 === 1) this.state = applied(step, this.state)
      step = step.map((column) => applied(step, column))
    }
  }

  /** Uniform in [0, 1), 32 bits of resolution. */
  uniform(): number {
    return this.uint32() / 4294967296
  }

  /** Uniform integer in [0, n). */
  int(n: number): number {
    return Math.floor(this.uniform() * n)
  }

  /** Standard normal (Box-Muller; the second value is not kept, so the state stays four words). */
  normal(): number {
    const u = (this.uint32() + 1) / 4294967297
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * this.uniform())
  }

  /** One element of a list. */
  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)] as T
  }

  /** Fisher-Yates shuffle in place. */
  shuffle<T extends { length: number; [i: number]: unknown }>(list: T): T {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.int(i + 1)
      const swap = list[i]
      list[i] = list[j]
      list[j] = swap
    }
    return list
  }

  /** The numbers 0 .. n-1 in random order. */
  permutation(n: number): Int32Array<ArrayBuffer> {
    return this.shuffle(Int32Array.from({ length: n }, (_, i) => i))
  }
}
