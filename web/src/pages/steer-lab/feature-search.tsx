import { createResource, createSignal, createUniqueId, For, Show } from 'solid-js'
import type { FeatureListItem } from '../../../../src/server/protocol'
import { getFeatures } from '../../api'
import { visibleToken } from '../../components/tokens'

export interface FeatureSearchProps {
  run: string
  disabled: boolean
  onChoose: (item: FeatureListItem) => void
}

/** Milliseconds without a key before the server is asked. */
const patience = 150
const shown = 8

/** A box that finds features by number, name or token; arrow keys choose among what it found. */
export function FeatureSearch(props: FeatureSearchProps) {
  const [text, setText] = createSignal('')
  const [query, setQuery] = createSignal('')
  const [open, setOpen] = createSignal(false)
  const [active, setActive] = createSignal(0)
  const id = createUniqueId()
  let timer: ReturnType<typeof setTimeout> | undefined
  const [found] = createResource(
    () => query().trim() || null,
    async (q) => (await getFeatures(props.run, { q, limit: shown })).items,
  )
  // Read only once there is something: before, reading would blank the page, and after a failure it would throw.
  const readable = () => query().trim() !== '' && (found.state === 'ready' || found.state === 'refreshing')
  const items = () => (readable() ? (found.latest ?? []) : [])

  const type = (value: string) => {
    setText(value)
    setOpen(true)
    clearTimeout(timer)
    timer = setTimeout(() => {
      setActive(0)
      setQuery(value)
    }, patience)
  }
  const choose = (item: FeatureListItem | undefined) => {
    if (!item) return
    props.onChoose(item)
    clearTimeout(timer)
    setText('')
    setQuery('')
    setOpen(false)
  }
  const key = (event: KeyboardEvent) => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (move !== undefined && items().length > 0) {
      setOpen(true)
      setActive((active() + move + items().length) % items().length)
    } else if (event.key === 'Enter') choose(items()[active()])
    else if (event.key === 'Escape' && open()) setOpen(false)
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  const message = () => {
    if (found.error) return found.error instanceof Error ? found.error.message : 'The search failed.'
    return found.loading ? 'Searching …' : items().length === 0 ? 'No feature matches.' : null
  }
  return (
    <div class="field feature-search">
      <label for={`${id}-box`}>Add a feature</label>
      <input
        id={`${id}-box`}
        role="combobox"
        type="search"
        autocomplete="off"
        placeholder="number, name or token"
        maxLength={200}
        aria-expanded={open() && items().length > 0}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={open() && items().length > 0 ? `${id}-${active()}` : undefined}
        disabled={props.disabled}
        value={text()}
        onInput={(event) => type(event.currentTarget.value)}
        onKeyDown={key}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
      />
      <div class="found" hidden={!open() || query().trim() === ''}>
        <div role="listbox" id={`${id}-list`} aria-label="Features found">
          <For each={items()}>
            {(item, i) => (
              // The box keeps the focus: the mouse only chooses.
              <div
                role="option"
                id={`${id}-${i()}`}
                tabIndex={-1}
                aria-selected={i() === active()}
                onMouseDown={(event) => event.preventDefault()}
                onClick={() => choose(item)}
                onKeyDown={key}
              >
                <span class="number">{item.feature}</span>
                <bdi class="name">{item.name ?? 'no name'}</bdi>
                <span class="quiet some-tokens">
                  <For each={item.tokens.slice(0, 3)}>
                    {(token) => <bdi class="some-token">{visibleToken(token)}</bdi>}
                  </For>
                </span>
              </div>
            )}
          </For>
        </div>
        <Show when={message()}>
          <p class="quiet" role="status">
            {message()}
          </p>
        </Show>
      </div>
    </div>
  )
}
