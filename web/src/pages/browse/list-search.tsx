import { createSignal, onCleanup, Show } from 'solid-js'
import type { ListQuery } from '../../list-query'

/** How long after the last key a search begins, ms. */
const pause = 250

const modes = [
  { value: 'all', name: 'names and tokens' },
  { value: 'explanation', name: 'names, explanations' },
  { value: 'token', name: 'tokens' },
  { value: 'text', name: 'by text' },
] as const
type Mode = (typeof modes)[number]['value']

export interface ListSearchProps {
  query: ListQuery
  /** whether the model can run a text */
  canRun: boolean
  /** @param replace whether the address goes on being edited, so that "back" leaves the search at once */
  onChange: (change: ListQuery, replace: boolean) => void
  ref?: (input: HTMLInputElement) => void
}

/** Words to look for, or a text that the model runs. */
export function ListSearch(props: ListSearchProps) {
  const [mode, setMode] = createSignal<Mode>(
    props.query.text !== undefined ? 'text' : (props.query.in ?? 'all'),
  )
  let input: HTMLInputElement | undefined
  let edited = false
  let timer: ReturnType<typeof setTimeout> | undefined
  onCleanup(() => clearTimeout(timer))
  const apply = (): void => {
    clearTimeout(timer)
    const words = input?.value ?? ''
    const given = words.trim() === '' ? undefined : words
    const wanted: ListQuery =
      mode() === 'text'
        ? { text: given, q: undefined, in: undefined }
        : {
            q: given?.slice(0, 200),
            in: mode() === 'all' ? undefined : (mode() as ListQuery['in']),
            text: undefined,
          }
    const { q, text, in: where } = props.query
    if (wanted.q === q && wanted.text === text && wanted.in === where) return
    props.onChange(wanted, edited)
    edited = true
  }
  const typed = (): void => {
    clearTimeout(timer)
    timer = setTimeout(apply, mode() === 'text' ? 2 * pause : pause)
  }
  return (
    <search class="list-search">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          apply()
        }}
      >
        <div class="field grow">
          <label for="search">{mode() === 'text' ? 'Text that the model reads' : 'Search'}</label>
          <input
            id="search"
            type="search"
            autocomplete="off"
            spellcheck={false}
            maxLength={mode() === 'text' ? 20_000 : 200}
            placeholder={mode() === 'text' ? 'Any text: which features fire on it?' : 'Words, or a token'}
            value={props.query.text ?? props.query.q ?? ''}
            aria-keyshortcuts="/"
            onInput={typed}
            onFocus={() => {
              edited = false
            }}
            ref={(element) => {
              input = element
              props.ref?.(element)
            }}
          />
        </div>
        <div class="field">
          <label for="search-mode">in</label>
          <select
            id="search-mode"
            value={mode()}
            onChange={(event) => {
              setMode(event.currentTarget.value as Mode)
              apply()
            }}
          >
            {modes.map(({ value, name }) => (
              <Show when={value !== 'text' || props.canRun}>
                <option value={value}>{name}</option>
              </Show>
            ))}
          </select>
        </div>
      </form>
    </search>
  )
}
