import { For, onCleanup, Show } from 'solid-js'
import { examples } from './examples'

export interface InputProps {
  draft: string
  /** text tokens that the model sees at once */
  room: number | null
  running: boolean
  live: boolean
  onDraft: (text: string) => void
  onLive: (live: boolean) => void
  onRun: (text: string) => void
  onCancel: () => void
}

/** Milliseconds without a key after which a text is run by itself. */
const pause = 700

/** The longest text that the server takes, characters. */
export const longest = 20_000

/** Where the text is written. */
export function TextInput(props: InputProps) {
  let timer: ReturnType<typeof setTimeout> | undefined
  const run = () => {
    clearTimeout(timer)
    if (props.draft !== '') props.onRun(props.draft)
  }
  const write = (text: string) => {
    props.onDraft(text)
    clearTimeout(timer)
    if (props.live) timer = setTimeout(run, pause)
  }
  const take = (text: string) => {
    props.onDraft(text)
    run()
  }
  onCleanup(() => clearTimeout(timer))
  return (
    <form
      class="panel lab-input"
      onSubmit={(event) => {
        event.preventDefault()
        run()
      }}
    >
      <div class="field">
        <label for="lab-text">Text</label>
        <textarea
          id="lab-text"
          rows="5"
          dir="auto"
          spellcheck={false}
          maxLength={longest}
          placeholder="Type or paste a text"
          aria-describedby="lab-count"
          value={props.draft}
          onInput={(event) => write(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return
            event.preventDefault()
            run()
          }}
        />
        <span class="quiet small" id="lab-count">
          <span class="number">{props.draft.length.toLocaleString('en-US')}</span> of{' '}
          {longest.toLocaleString('en-US')} characters
          <Show when={props.room}>; the model reads the first {props.room} tokens</Show>
        </span>
      </div>
      <div class="row">
        <button type="submit" class="primary" disabled={props.draft === ''} title="Ctrl + Enter">
          Run
        </button>
        <label class="check">
          <input
            type="checkbox"
            checked={props.live}
            onChange={(event) => props.onLive(event.currentTarget.checked)}
          />
          Run while I type
        </label>
        <Show when={props.running}>
          <button type="button" onClick={props.onCancel}>
            Cancel
          </button>
        </Show>
      </div>
      <fieldset class="lab-examples">
        <legend class="quiet small">Texts to try</legend>
        <For each={examples}>
          {({ name, text }) => (
            <button type="button" onClick={() => take(text)}>
              {name}
            </button>
          )}
        </For>
      </fieldset>
    </form>
  )
}
