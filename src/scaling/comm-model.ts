import { z } from 'zod'
import { MonosemError } from '../errors/monosem-error.js'
import { readJson } from '../formats/json-file.js'

/** What ranks do together while they train: exchanges of the kernels, and two of the command line's own. */
export const commKinds = ['sum', 'sumInBf16', 'allToAll', 'allGather', 'broadcast', 'gather'] as const

export type CommKind = (typeof commKinds)[number]

/** One measured size of one exchange. */
export interface CommPoint {
  /** of the vector that is summed (as it crosses), of what a rank sends to all, or of what is gathered or broadcast */
  bytes: number
  /** until the slowest rank is done */
  seconds: number
}

/** t = secondsPerRound rounds + secondsPerByte sent */
export interface CommLine {
  secondsPerRound: number
  secondsPerByte: number
}

const positive = z.number().positive()
const point = z.object({ bytes: positive, seconds: positive })
const line = z.object({
  secondsPerRound: z.number().nonnegative(),
  secondsPerByte: z.number().nonnegative(),
  /** largest relative difference between the line and what was measured */
  worst: z.number().nonnegative(),
  points: z.array(point),
})

/** The file that `monosem bench comm` writes and `monosem scaling plan` reads. */
export const commReportSchema = z.object({
  kind: z.literal('monosem bench comm'),
  machine: z.string(),
  /** of the MPI library */
  library: z.string(),
  ranks: z.int().min(2),
  /** the most ranks that one machine had */
  ranksPerNode: z.int().min(1),
  exchanges: z.object(
    Object.fromEntries(commKinds.map((kind) => [kind, line])) as Record<CommKind, typeof line>,
  ),
})

export type CommReport = z.infer<typeof commReportSchema>

/** @throws MonosemError missing, io, format */
export async function readCommReport(path: string): Promise<CommReport> {
  const found = commReportSchema.safeParse(await readJson(path))
  if (found.success) return found.data
  const [issue] = found.error.issues
  throw new MonosemError(
    'format',
    `${path}: expected a file of monosem bench comm, got one where ${issue?.path.join('.') || 'the whole'} is wrong: ${issue?.message}`,
    { hint: 'measure again: mpirun -n 2 monosem bench comm --out comm.json' },
  )
}

/**
 * How many messages follow each other in an exchange, and how many bytes one rank sends. A sum is an exchange with all (everyone sums one part) and a gather of
 * the sums. Short gathers and broadcasts go along a tree, long ones around a ring: rounds are those of the ring for what the kernels do, so that for many
 * ranks and short messages the model says too much rather than too little.
 */
export function roundsAndBytes(
  kind: CommKind,
  ranks: number,
  bytes: number,
): { rounds: number; sent: number } {
  const others = ranks - 1
  const share = (bytes * others) / ranks
  if (kind === 'broadcast') return { rounds: Math.ceil(Math.log2(ranks)), sent: others > 0 ? bytes : 0 }
  const twice = kind === 'sum' || kind === 'sumInBf16' ? 2 : 1
  return { rounds: twice * others, sent: twice * share }
}

/** Seconds of one exchange of `ranks` ranks, by the model. */
export function exchangeSeconds(line: CommLine, kind: CommKind, ranks: number, bytes: number): number {
  const { rounds, sent } = roundsAndBytes(kind, ranks, bytes)
  return line.secondsPerRound * rounds + line.secondsPerByte * sent
}

/**
 * The line through measured sizes with the least sum of squared relative errors: 8 bytes weigh as much as 64 MiB. Neither part is below 0.
 * @param points two sizes at least
 */
export function fitComm(kind: CommKind, ranks: number, points: readonly CommPoint[]): CommLine {
  // t = a r + b s for every point; divided by t: 1 = a (r / t) + b (s / t)
  const rows = points.map(({ bytes, seconds }) => {
    const { rounds, sent } = roundsAndBytes(kind, ranks, bytes)
    return { r: rounds / seconds, s: sent / seconds }
  })
  const total = (of: (row: { r: number; s: number }) => number): number =>
    rows.reduce((sum, row) => sum + of(row), 0)
  const [rr, rs, ss] = [total(({ r }) => r * r), total(({ r, s }) => r * s), total(({ s }) => s * s)]
  const [r1, s1] = [total(({ r }) => r), total(({ s }) => s)]
  const determinant = rr * ss - rs * rs
  const a = (r1 * ss - s1 * rs) / determinant
  const b = (s1 * rr - r1 * rs) / determinant
  if (a >= 0 && b >= 0) return { secondsPerRound: a, secondsPerByte: b }
  // one of them alone
  return a < 0
    ? { secondsPerRound: 0, secondsPerByte: s1 / ss }
    : { secondsPerRound: r1 / rr, secondsPerByte: 0 }
}

/** The largest relative difference between the line and what was measured. */
export function worstError(
  fitted: CommLine,
  kind: CommKind,
  ranks: number,
  points: readonly CommPoint[],
): number {
  return Math.max(
    ...points.map(({ bytes, seconds }) =>
      Math.abs(exchangeSeconds(fitted, kind, ranks, bytes) / seconds - 1),
    ),
  )
}
