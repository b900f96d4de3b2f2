import { createSignal, onCleanup } from 'solid-js'

/** A question to the server that may be asked again before it is answered: the last one counts. */
export interface Request<Input, Output> {
  /** the last answer; stays while the next is awaited */
  answer: () => Output | undefined
  error: () => unknown
  running: () => boolean
  ask(input: Input): void
  /** asks the last question again */
  retry(): void
  /** gives up waiting; what was answered before stays */
  cancel(): void
  /** forgets the answer */
  clear(): void
}

/** @param send is told by its signal when nobody waits any more */
export function createRequest<Input, Output>(
  send: (input: Input, signal: AbortSignal) => Promise<Output>,
): Request<Input, Output> {
  const [answer, setAnswer] = createSignal<Output>()
  const [error, setError] = createSignal<unknown>()
  const [running, setRunning] = createSignal(false)
  let current: AbortController | undefined
  let last: { input: Input } | undefined
  const cancel = () => {
    current?.abort()
    current = undefined
    setRunning(false)
  }
  const ask = async (input: Input) => {
    cancel()
    const own = new AbortController()
    current = own
    last = { input }
    setRunning(true)
    setError(undefined)
    try {
      const output = await send(input, own.signal)
      if (current === own) setAnswer(() => output)
    } catch (cause) {
      if (current === own) setError(() => cause)
    } finally {
      if (current === own) cancel()
    }
  }
  onCleanup(cancel)
  return {
    answer,
    error,
    running,
    ask: (input) => void ask(input),
    retry: () => last && void ask(last.input),
    cancel,
    clear() {
      cancel()
      setAnswer(undefined)
      setError(undefined)
    },
  }
}
