import { Show } from 'solid-js'
import { ApiError } from '../api'

/** Says what went wrong and what to do; `retry` adds a button that tries again. */
export function Failure(props: { error: unknown; retry?: () => void }) {
  const hint = () => (props.error instanceof ApiError ? props.error.hint : null)
  const message = () => (props.error instanceof Error ? props.error.message : String(props.error))
  return (
    <div class="failure" role="alert">
      <p>
        <strong>That did not work.</strong> {message()}
      </p>
      <Show when={hint()}>
        <p class="quiet">{hint()}</p>
      </Show>
      <Show when={props.retry}>
        <button type="button" onClick={() => props.retry?.()}>
          Try again
        </button>
      </Show>
    </div>
  )
}
