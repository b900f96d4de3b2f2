import type { AttentionOptions, Tensor } from '../../src/kernels/kernels.js'
import { type ParityCase, parityCase } from './parity-case.js'
import type { RandomTensors } from './random-tensors.js'

/** Attention over sequences, forward and backward, over a cache, and the rotation of queries and keys. */
export function attentionCases(): ParityCase[] {
  return [...sequenceCases(), ...cachedCases(), ...rotaryCases()]
}

/** B, H, G, T, head width */
const SEQUENCES = [
  [1, 1, 1, 1, 1],
  [3, 2, 2, 1, 5],
  [1, 1, 1, 7, 5],
  [2, 4, 4, 7, 1],
  [2, 2, 1, 7, 5],
  [3, 4, 4, 7, 32],
  [1, 2, 2, 33, 64],
  [2, 6, 2, 45, 14],
  [2, 4, 4, 128, 32],
  [1, 3, 3, 150, 80],
] as const

/** Choices beside plain attention. */
const CHOICES: Record<string, Partial<AttentionOptions>> = {
  plain: {},
  'soft cap': { softCap: 3, scale: 1.5 },
  'window of 1': { window: 1 },
  'window of 20, soft cap': { window: 20, softCap: 2, scale: 0.7 },
}

function sequenceCases(): ParityCase[] {
  return SEQUENCES.flatMap(([b, heads, keyValueHeads, t, width]) =>
    Object.entries(CHOICES).flatMap(([choice, choices]) =>
      [true, false].map((packed) =>
        parityCase(
          `attention B ${b}, H ${heads}, G ${keyValueHeads}, T ${t}, width ${width}, ${choice}${packed ? ', packed documents' : ''}`,
          (k, random) => {
            const options = { ...plainOptions(heads, keyValueHeads, width), ...choices }
            const [wide, narrow] = [
              [b * t, heads * width],
              [b * t, keyValueHeads * width],
            ]
            const starts = packed ? random.starts(b, t) : null
            const [q, key, v] = [random.signed(wide, 2), random.signed(narrow, 2), random.signed(narrow)]
            const [z, alone] = [random.signed(wide), random.signed(wide)]
            const pattern = random.signed([b, heads, t, t])
            k.attentionForward(z, pattern, q, key, v, starts, t, options)
            k.attentionForward(alone, null, q, key, v, starts, t, options)
            const [dq, dk, dv] = [random.signed(wide), random.signed(narrow), random.signed(narrow)]
            k.attentionBackward(dq, dk, dv, random.signed(wide), pattern, q, key, v, starts, options)
            return { z, alone, pattern, dq, dk, dv }
          },
        ),
      ),
    ),
  )
}

const plainOptions = (heads: number, keyValueHeads: number, width: number): AttentionOptions => ({
  heads,
  keyValueHeads,
  scale: 1 / Math.sqrt(width),
  softCap: null,
  window: null,
})

/** N rows, B sequences, S cached positions, H, G, head width */
const CACHED = [
  [1, 1, 1, 1, 1, 1],
  [3, 2, 5, 2, 2, 5],
  [7, 3, 33, 4, 2, 32],
  [5, 2, 128, 2, 1, 7],
  [40, 9, 64, 1, 1, 64],
] as const

function cachedCases(): ParityCase[] {
  return CACHED.flatMap(([n, b, s, heads, keyValueHeads, width]) =>
    Object.entries(CHOICES).map(([choice, choices]) =>
      parityCase(
        `cached attention N ${n}, B ${b}, S ${s}, H ${heads}, G ${keyValueHeads}, width ${width}, ${choice}`,
        (k, random) => {
          const options = { ...plainOptions(heads, keyValueHeads, width), ...choices }
          const wide = [n, heads * width]
          const [q, z, alone] = [random.signed(wide, 2), random.signed(wide), random.signed(wide)]
          const cache = [b, s, keyValueHeads * width]
          const [keys, values] = [random.signed(cache, 2), random.signed(cache)]
          const pattern = random.signed([n, heads, s])
          const [sequences, lengths] = [random.ints([n], 0, b), random.ints([n], 1, s + 1)]
          k.attentionCachedForward(z, pattern, q, keys, values, sequences, lengths, options)
          k.attentionCachedForward(alone, null, q, keys, values, sequences, lengths, options)
          return { z, alone, pattern }
        },
      ),
    ),
  )
}

/** N, heads, head width, R */
const ROTARY = [
  [1, 1, 2, 2],
  [5, 3, 8, 8],
  [5, 3, 9, 4],
  [70, 4, 64, 64],
  [70, 2, 80, 20],
  [3, 2, 5, 0],
] as const

function rotaryCases(): ParityCase[] {
  return ROTARY.map(([n, heads, width, r]) =>
    parityCase(`rotary N ${n}, ${heads} heads of ${width}, ${r} dimensions turn`, (k, random) => {
      const rows = 11
      const [x, out, dx] = [0, 1, 2].map(() => random.signed([n, heads * width]))
      const positions = random.ints([n], 0, rows)
      const [cos, sin] = angleTables(random, rows, r / 2)
      k.rotaryForward(out, x, positions, cos, sin, heads)
      k.rotaryBackward(dx, x, positions, cos, sin, heads)
      const inPlace = k.zeros([n, heads * width])
      k.copy(inPlace, x)
      k.rotaryForward(inPlace, inPlace, positions, cos, sin, heads)
      k.rotaryBackward(x, x, positions, cos, sin, heads)
      return { out, dx, inPlace, x }
    }),
  )
}

const angleTables = (random: RandomTensors, rows: number, half: number): [Tensor, Tensor] => [
  random.signed([rows, half]),
  random.signed([rows, half]),
]
