import { createSignal, For, Show } from 'solid-js'
import type { TextRun } from '../../../../src/server/protocol'
import { number, visibleToken } from '../../components/tokens'

/** A next token: its id, or its text. */
export type Target = number | string

export interface NextTokensProps {
  next: TextRun['next']
  truncated: boolean
  target: Target | undefined
  onTarget: (target: Target) => void
}

/** What the model expects after the text; choosing a token asks which features act for it. */
export function NextTokens(props: NextTokensProps) {
  const [typed, setTyped] = createSignal('')
  const largest = () => props.next[0]?.probability ?? 1
  return (
    <section class="panel" aria-labelledby="lab-next-title">
      <div class="panel-head">
        <h2 id="lab-next-title">
          Next token<Show when={props.truncated}> after the part that was read</Show>
        </h2>
        <span class="quiet small">choose one to see which features act for it</span>
      </div>
      <ul class="lab-next">
        <For each={props.next}>
          {({ id, token, probability }) => (
            <li>
              <button type="button" aria-pressed={props.target === id} onClick={() => props.onTarget(id)}>
                <bdi class="mono lab-piece">{visibleToken(token)}</bdi>
                <span class="number bar-cell" style={{ '--share': probability / largest() }}>
                  {number(100 * probability)}%
                </span>
              </button>
            </li>
          )}
        </For>
      </ul>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault()
          if (typed() !== '') props.onTarget(typed())
        }}
      >
        <label class="field inline">
          <span class="quiet small">Another token</span>
          <input
            class="mono"
            size="12"
            maxLength={100}
            placeholder=" the"
            value={typed()}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </label>
        <button type="submit" disabled={typed() === ''}>
          Attribute
        </button>
        <Show when={typed() !== ''}>
          <span class="quiet small">
            asks for <bdi class="mono lab-piece">{visibleToken(typed())}</bdi>: a blank in front belongs to a
            token
          </span>
        </Show>
      </form>
    </section>
  )
}
