import { createEffect, For, onCleanup } from 'solid-js'
import { type Colouring, colouringNames, colourings } from './colouring'

export interface ControlsProps {
  by: Colouring
  q: string
  lassoing: boolean
  labels: boolean
  onColour: (by: Colouring) => void
  onSearch: (q: string) => void
  onLasso: (on: boolean) => void
  onLabels: (on: boolean) => void
}

/** Milliseconds without a key before a search begins. */
const rest = 300

/** What is above the map. */
export function Controls(props: ControlsProps) {
  let input!: HTMLInputElement
  let timer: ReturnType<typeof setTimeout> | undefined
  const search = (wait: number) => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      if (input.value.trim() !== props.q) props.onSearch(input.value.trim())
    }, wait)
  }
  createEffect(() => {
    // The address changed by other means than typing here.
    if (props.q !== input.value.trim()) input.value = props.q
  })
  onCleanup(() => clearTimeout(timer))
  return (
    <form
      class="map-controls"
      onSubmit={(event) => {
        event.preventDefault()
        search(0)
      }}
    >
      <label class="map-search">
        <span>Mark features</span>
        <input
          ref={input}
          type="search"
          placeholder="words or a token"
          maxLength={200}
          onInput={() => search(rest)}
        />
      </label>
      <label>
        <span>Colour</span>
        <select value={props.by} onChange={(event) => props.onColour(event.currentTarget.value as Colouring)}>
          <For each={colourings}>{(by) => <option value={by}>{colouringNames[by]}</option>}</For>
        </select>
      </label>
      <button type="button" aria-pressed={props.lassoing} onClick={() => props.onLasso(!props.lassoing)}>
        Lasso
      </button>
      <label class="map-check">
        <input
          type="checkbox"
          checked={props.labels}
          onChange={(event) => props.onLabels(event.currentTarget.checked)}
        />
        <span>Names of clusters</span>
      </label>
    </form>
  )
}
