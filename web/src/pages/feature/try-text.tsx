import { createEffect, createSignal, on, onCleanup, Show } from 'solid-js'
import type { RunInfo, TextRun } from '../../../../src/server/protocol'
import { runText } from '../../api'
import { Failure } from '../../components/failure'
import { ReadOut } from '../../components/read-out'
import { number, Tokens, visibleToken } from '../../components/tokens'
import { percent } from './figures'

/** Kept while the app is open: the same text on one feature after another. */
const [text, setText] = createSignal('')

/** What the user has typed; tracked. */
export const typedText = text

/** Wait for a pause in typing, milliseconds. */
const pause = 200

/** The user's own text, shaded while it is typed. */
export function TryTextPanel(props: { run: RunInfo; feature: number; max: number }) {
  const [result, setResult] = createSignal<TextRun>()
  const [error, setError] = createSignal<unknown>()
  const [running, setRunning] = createSignal(false)
  const [tries, setTries] = createSignal(0)
  createEffect(
    on([text, () => props.feature, tries], ([typed, feature], before) => {
      setError(undefined)
      if (typed === '') {
        setResult(undefined)
        setRunning(false)
        return
      }
      const abort = new AbortController()
      const request = { text: typed, features: [feature], top: 0, limit: 0 }
      const run = () =>
        runText(props.run.run, request, abort.signal)
          .then(setResult, (cause) => abort.signal.aborted || setError(() => cause))
          .finally(() => abort.signal.aborted || setRunning(false))
      setRunning(true)
      const timer = setTimeout(run, before === undefined ? 0 : pause)
      onCleanup(() => {
        clearTimeout(timer)
        abort.abort()
      })
    }),
  )
  return (
    <section class="panel try-text" aria-labelledby="try-text">
      <h2 id="try-text">Your own text</h2>
      <textarea
        aria-label="Text to run"
        rows="2"
        maxLength={20_000}
        placeholder="Type or paste a text: it is shaded as you type"
        value={text()}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <div
        class="try-result"
        classList={{ pending: running() && result() !== undefined }}
        aria-busy={running()}
      >
        <Show when={!error()} fallback={<Failure error={error()} retry={() => setTries((n) => n + 1)} />}>
          <Show when={result()}>{(found) => <Result run={found()} max={props.max} />}</Show>
        </Show>
      </div>
      <p class="status small" aria-live="polite">
        <Show when={!error()}>{running() && !result() ? 'Running…' : summary(result(), props.max)}</Show>
      </p>
    </section>
  )
}

function Result(props: { run: TextRun; max: number }) {
  const activations = () => props.run.traces[0]?.activations ?? []
  return (
    <ReadOut label="Your text">
      <Tokens
        segments={props.run.segments.map((segment) => segment.text)}
        activations={activations()}
        // A new text may exceed what the sample had.
        max={Math.max(props.max, ...activations())}
        focus={strongest(activations())}
        lines
        readOut
      />
    </ReadOut>
  )
}

/** Index of the largest activation; undefined where the feature is not active. */
function strongest(activations: readonly number[]): number | undefined {
  const largest = Math.max(0, ...activations)
  return largest > 0 ? activations.indexOf(largest) : undefined
}

function summary(run: TextRun | undefined, max: number): string {
  if (!run) return ''
  const activations = run.traces[0]?.activations ?? []
  const at = strongest(activations)
  const cut = run.truncated
    ? ` Only the first ${run.tokens} tokens were run: the model sees ${run.context}.`
    : ''
  if (at === undefined) return `It does not fire on this text.${cut}`
  const token = visibleToken(run.segments[at]?.text ?? '')
  const fires = activations.filter((activation) => activation > 0).length
  return `Largest: ${number(activations[at])} on “${token}”, ${percent(activations[at] / max)} of its maximum. Fires on ${fires} of ${activations.length} tokens.${cut}`
}
