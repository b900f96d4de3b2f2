import type { Progress, ProgressTask } from './progress.js'
import { describeTask, formatSeconds, type TaskState } from './rate.js'

/** Where progress is written: standard error, so that standard output holds only results. */
export interface ProgressStream {
  isTTY?: boolean
  columns?: number
  write(text: string): unknown
}

export interface TerminalProgressOptions {
  stream?: ProgressStream
  /** milliseconds between two updates on the screen; default 100 for a bar, 5000 for plain lines */
  interval?: number
  /** milliseconds since some fixed moment; for tests */
  clock?: () => number
}

/** Progress that has something on the screen to take care of when the program ends in the middle of a task. */
export interface TerminalProgress extends Progress {
  /** leaves the cursor at the start of an empty line */
  close(): void
}

/**
 * Progress for people: a bar with rate and time left on a terminal, otherwise a plain line every few seconds; and one
 * line at the end of each task. A bar is one line that is rewritten: no timers, nothing to restore after a crash.
 */
export function terminalProgress(options: TerminalProgressOptions = {}): TerminalProgress {
  const stream = options.stream ?? process.stderr
  const isTTY = stream.isTTY === true
  const interval = options.interval ?? (isTTY ? 100 : 5000)
  const clock = options.clock ?? (() => performance.now())
  let barShown = false

  const writeLine = (text: string): void => {
    stream.write(barShown ? `\r\x1b[K${text}\n` : `${text}\n`)
    barShown = false
  }
  const show = (task: TaskState): void => {
    if (!isTTY) {
      writeLine(`${task.label}: ${describeTask(task)}`)
      return
    }
    stream.write(`\r\x1b[K${barLine(task).slice(0, (stream.columns ?? 80) - 1)}`)
    barShown = true
  }
  return {
    start: (label, total, unit) =>
      startTask({ label, total, unit }, { show, writeLine, interval, clock, showFirst: isTTY }),
    note: writeLine,
    close() {
      if (barShown) stream.write('\n')
      barShown = false
    },
  }
}

/** How tasks reach the screen. */
interface Screen {
  show(task: TaskState): void
  writeLine(text: string): void
  /** milliseconds between two calls of `show` */
  interval: number
  clock: () => number
  /** show a task from its first update on (a bar), or only once it has lasted for one interval (a log) */
  showFirst: boolean
}

function startTask(about: Pick<TaskState, 'label' | 'total' | 'unit'>, screen: Screen): ProgressTask {
  const begun = screen.clock()
  let lastShown = screen.showFirst ? Number.NEGATIVE_INFINITY : begun
  let firstUpdate = begun
  let task: TaskState | null = null
  return {
    update(done, figures = {}) {
      const now = screen.clock()
      if (!task) {
        firstUpdate = now
        task = { ...about, done, startedAt: done, seconds: 0, figures }
      }
      if (now - lastShown < screen.interval) return
      lastShown = now
      Object.assign(task, { done, figures, seconds: (now - firstUpdate) / 1000 })
      screen.show(task)
    },
    end(note) {
      const seconds = formatSeconds((screen.clock() - begun) / 1000)
      screen.writeLine(`${about.label}: ${note ? `${note}, ` : ''}${seconds}`)
    },
  }
}

function barLine(task: TaskState): string {
  const width = 20
  const progress = task.total > 0 ? Math.min(1, task.done / task.total) : 1
  const filled = Math.round(width * progress)
  return `${task.label} ${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${describeTask(task)}`
}
