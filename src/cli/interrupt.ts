/** A stop asked for by the user, or by the system that runs us. */
export interface Interruption {
  signal: AbortSignal
  /** 130 after Ctrl-C, 143 after SIGTERM, as shells report them; 0 when nothing came */
  exitCode(): number
  /** stops listening */
  remove(): void
}

// One Ctrl-C can arrive twice: from the terminal, and again from npm, which passes it on to its child.
const sameKeyPress = 1000

/**
 * Listens for Ctrl-C and SIGTERM: the first aborts the signal, so that the running stage stops (after saving a checkpoint, if it keeps any); a second one,
 * later than a moment, ends the process at once.
 * @param onFirst tells the user what happens now
 */
export function listenForInterrupt(onFirst: () => void): Interruption {
  const controller = new AbortController()
  let code = 0
  let first = 0
  const handle = (signal: NodeJS.Signals): void => {
    const now = performance.now()
    if (code !== 0) {
      if (now - first > sameKeyPress) process.exit(code)
      return
    }
    first = now
    code = signal === 'SIGINT' ? 130 : 143
    onFirst()
    controller.abort()
  }
  process.on('SIGINT', handle).on('SIGTERM', handle)
  return {
    signal: controller.signal,
    exitCode: () => code,
    remove: () => process.off('SIGINT', handle).off('SIGTERM', handle),
  }
}
