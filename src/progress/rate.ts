/** Seconds as people read them: "8.2 s", "3 min 05 s", "2 h 07 min". */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`
  const whole = Math.round(seconds)
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`
}

/** A count or a measured value with about three significant digits and thousands separators: "12,800", "3.14". */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(3)))
}

/** What one task has done so far. */
export interface TaskState {
  label: string
  total: number
  /** plural noun, e.g. "tokens" */
  unit: string
  done: number
  /** `done` at the first update: a resumed task starts above 0, and what was done before must not count for the rate */
  startedAt: number
  /** seconds since the first update */
  seconds: number
  figures: Record<string, number | string>
}

/** "1,200/10,000 steps, 450 steps/s, 20 s left, loss 0.1": the part of a progress line that bars and plain lines share. */
export function describeTask(task: TaskState): string {
  const rate = task.seconds > 0 ? (task.done - task.startedAt) / task.seconds : 0
  const parts = [`${formatNumber(task.done)}/${formatNumber(task.total)} ${task.unit}`]
  if (rate > 0) {
    parts.push(`${formatNumber(rate)} ${task.unit}/s`)
    if (task.done < task.total) parts.push(`${formatSeconds((task.total - task.done) / rate)} left`)
  }
  for (const [name, value] of Object.entries(task.figures))
    parts.push(`${name} ${typeof value === 'number' ? formatNumber(value) : value}`)
  return parts.join(', ')
}
