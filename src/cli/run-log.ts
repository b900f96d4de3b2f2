import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { storageError, writeFileAtomic } from '../storage/atomic-file.js'
import type { StageResult } from '../storage/stage.js'

/** What a run has cost so far, over all processes that worked on it: the content of timings.json. */
interface RunCosts {
  /** by stage, wall clock */
  seconds: Record<string, number>
  /** largest resident memory of any of the processes, MiB */
  peakRssMiB: number
}

export interface RunLog {
  /** Runs a stage and adds what it takes to its seconds; a stage that was there already costs nothing. */
  measure(stage: string, run: () => Promise<StageResult>): Promise<StageResult>
  /** all stages together */
  stageSeconds(): number
  peakRssMiB(): number
}

// A killed process loses at most this much of its time from the record.
const heartbeat = 5000

const ownPeakRssMiB = (): number => process.resourceUsage().maxRSS / 1024

/**
 * Opens (or starts) the record of what the stages of a run directory took, so that a run that was stopped and resumed
 * reports its whole time and its highest memory.
 * @throws MonosemError io
 */
export async function openRunLog(directory: string): Promise<RunLog> {
  const path = join(directory, 'timings.json')
  try {
    await mkdir(directory, { recursive: true })
  } catch (cause) {
    throw storageError('create', directory, cause)
  }
  const costs = await readCosts(path)
  const save = async (stage: string, seconds: number): Promise<void> => {
    costs.seconds[stage] = seconds
    costs.peakRssMiB = Math.max(costs.peakRssMiB, ownPeakRssMiB())
    await writeFileAtomic(path, `${JSON.stringify(costs, null, 2)}\n`)
  }
  return {
    async measure(stage, run) {
      const before = costs.seconds[stage] ?? 0
      const started = performance.now()
      const spent = (): number => before + (performance.now() - started) / 1000
      let saving = Promise.resolve()
      const timer = setInterval(() => {
        saving = saving.then(() => save(stage, spent())).catch(() => {})
      }, heartbeat).unref()
      let reused = false
      try {
        const result = await run()
        reused = result.reused
        return result
      } finally {
        clearInterval(timer)
        await saving
        await save(stage, reused ? before : spent())
      }
    },
    stageSeconds: () => Object.values(costs.seconds).reduce((sum, seconds) => sum + seconds, 0),
    peakRssMiB: () => Math.max(costs.peakRssMiB, ownPeakRssMiB()),
  }
}

/** A record that is missing or damaged is started again: it holds no results. */
async function readCosts(path: string): Promise<RunCosts> {
  try {
    const { seconds, peakRssMiB } = JSON.parse(await readFile(path, 'utf8')) as RunCosts
    if (typeof peakRssMiB === 'number' && typeof seconds === 'object' && seconds !== null)
      return { seconds, peakRssMiB }
  } catch {}
  return { seconds: {}, peakRssMiB: 0 }
}
