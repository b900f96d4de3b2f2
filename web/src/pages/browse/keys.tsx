import { createSignal, For, onCleanup, onMount } from 'solid-js'

const storageKey = 'monosem-keys'
const [enabled, setEnabled] = createSignal(localStorage.getItem(storageKey) !== 'off')

/** Keys and what they do. A key that is handled is not passed on. */
export type KeyActions = Record<string, () => void>

/** Whether someone is writing, or a dialog is open: then keys are theirs. */
const isBusy = (target: EventTarget | null): boolean =>
  document.querySelector('dialog[open]') !== null ||
  (target instanceof HTMLElement && target.closest('input, select, textarea, [contenteditable]') !== null)

/** Calls `actions` on single keys, anywhere on the page, but not while someone types. Letters can be switched off in the help. */
export function useKeys(actions: (event: KeyboardEvent) => KeyActions): void {
  const onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isBusy(event.target))
      return
    if (event.key.length === 1 && !enabled() && event.key !== '?') return
    const action = actions(event)[event.key]
    if (action === undefined) return
    event.preventDefault()
    action()
  }
  onMount(() => document.addEventListener('keydown', onKey))
  onCleanup(() => document.removeEventListener('keydown', onKey))
}

const help: [string[], string][] = [
  [['j', '↓'], 'next feature'],
  [['k', '↑'], 'previous feature'],
  [['Enter'], 'open it'],
  [['Home', 'End'], 'first, last feature'],
  [['/'], 'search'],
  [['g'], 'go to a feature by its number'],
  [['?'], 'these keys'],
]

/** What the keys do, and the switch that turns single letters off (WCAG 2.1.4). */
export function KeysDialog(props: { ref: (dialog: HTMLDialogElement) => void }) {
  return (
    <dialog ref={props.ref} aria-labelledby="keys-title">
      <h2 id="keys-title">Keys</h2>
      <dl class="keys">
        <For each={help}>
          {([keys, words]) => (
            <>
              <dt>
                <For each={keys}>{(key) => <kbd>{key}</kbd>}</For>
              </dt>
              <dd>{words}</dd>
            </>
          )}
        </For>
      </dl>
      <form method="dialog" class="spread">
        <label class="check">
          <input
            type="checkbox"
            checked={enabled()}
            onChange={(event) => {
              setEnabled(event.currentTarget.checked)
              localStorage.setItem(storageKey, event.currentTarget.checked ? 'on' : 'off')
            }}
          />
          single letters act
        </label>
        <button type="submit">Close</button>
      </form>
    </dialog>
  )
}

/** Asks for a number. */
export function GoDialog(props: {
  features: number
  onGo: (feature: number) => void
  ref: (dialog: HTMLDialogElement) => void
}) {
  return (
    <dialog ref={props.ref} aria-labelledby="go-title">
      <form
        method="dialog"
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          const input = event.currentTarget.elements.namedItem('feature') as HTMLInputElement
          const feature = input.valueAsNumber
          input.value = ''
          event.currentTarget.closest('dialog')?.close()
          props.onGo(feature)
        }}
      >
        <div class="field">
          <label id="go-title" for="go">
            Go to feature, 0 to {props.features - 1}
          </label>
          <input
            id="go"
            name="feature"
            type="number"
            min="0"
            max={props.features - 1}
            step="1"
            required
            autofocus
          />
        </div>
        <button type="submit" class="primary">
          Go
        </button>
      </form>
    </dialog>
  )
}
