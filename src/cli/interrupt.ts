/** A stop asked for by the user, or by the system that runs us. */
export interface Interruption {
  signal: AbortSignal
  /** 130 after Ctrl-C, 143 after SIGTERM, 140 after SIGUSR2, as shells report them; 0 when nothing came */
  exitCode(): number
  /** stops listening */
  remove(): void
}

// One Ctrl-C can arrive twice: from the terminal, and again from npm, which passes it on to its child.
const sameKeyPress = 1000

const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGUSR2: 140 }

export type StopSignal = keyof typeof exitCodes

/**
 * Listens for Ctrl-C, SIGTERM and SIGUSR2: the first aborts the signal, so that the running stage stops (after saving a checkpoint, if it keeps any); a second one,
 * later than a moment, ends the process at once.
 *
 * SIGUSR2 does what SIGTERM does: mpirun passes it on to its ranks, which it kills a second after any other signal, and Slurm sends it before the time
 * is up (--signal=USR2@120).
 * @param onFirst tells the user what happens now
 */
export function listenForInterrupt(onFirst: (signal: StopSignal) => void): Interruption {
  const controller = new AbortController()
  let code = 0
  let first = 0
  const handle = (signal: StopSignal): void => {
    const now = performance.now()
    if (code !== 0) {
      if (now - first > sameKeyPress) process.exit(code)
      return
    }
    first = now
    code = exitCodes[signal]
    onFirst(signal)
    controller.abort()
  }
  const signals = Object.keys(exitCodes) as StopSignal[]
  for (const signal of signals) process.on(signal, handle as NodeJS.SignalsListener)
  return {
    signal: controller.signal,
    exitCode: () => code,
    remove() {
      for (const signal of signals) process.off(signal, handle as NodeJS.SignalsListener)
    },
  }
}
