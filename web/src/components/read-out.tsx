import { createSignal, type JSX, onCleanup, Show } from 'solid-js'
import { visibleToken } from './tokens'
import './read-out.css'

/** A token whose values are shown, and where: pixels from the corner of the frame. */
interface Shown {
  token: HTMLElement
  x: number
  y: number
  byKeys: boolean
}

/**
 * Shows the values of the token under the pointer, the finger or the cursor, for all `Tokens readOut` inside. The frame is one stop of the tab key; arrow
 * keys then move over tokens and texts, Escape hides.
 */
export function ReadOut(props: { label: string; children: JSX.Element; class?: string }) {
  let frame: HTMLDivElement | undefined
  let byPointer = false
  const [shown, setShown] = createSignal<Shown>()
  const hide = () => show(undefined, false)

  function show(token: HTMLElement | undefined, byKeys: boolean): void {
    shown()?.token.removeAttribute('data-current')
    if (!frame || !token) return void setShown(undefined)
    token.setAttribute('data-current', '')
    const [at] = token.getClientRects()
    const corner = frame.getBoundingClientRect()
    setShown({ token, byKeys, x: (at?.left ?? 0) - corner.left, y: (at?.top ?? 0) - corner.top })
  }

  const onPointer = (event: Event) => {
    const token = tokenOf(event.target)
    if (token !== shown()?.token) show(token, false)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== frame || byPointer || event.ctrlKey || event.metaKey || event.altKey) return
    const texts = [...frame.querySelectorAll<HTMLElement>('.tokens')]
    const target = move(texts, shown()?.token, event.key)
    if (target === null) return
    event.preventDefault()
    target.scrollIntoView({ block: 'nearest' })
    show(target, true)
  }
  const onEscape = (event: KeyboardEvent) => {
    if (event.key === 'Escape') hide()
  }
  window.addEventListener('keydown', onEscape)
  onCleanup(() => window.removeEventListener('keydown', onEscape))

  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for controls; this is text with a cursor in it
    <div
      ref={frame}
      class={`read-out-frame ${props.class ?? ''}`}
      role="group"
      aria-label={`${props.label}. Arrow keys move over the tokens and read their values.`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the cursor in the text is moved by keys
      tabIndex={0}
      // Not `over`: that also comes when the page scrolls under a pointer that rests.
      onPointerMove={onPointer}
      onPointerLeave={(event) => event.pointerType === 'mouse' && !shown()?.byKeys && hide()}
      onPointerDown={() => {
        byPointer = true
      }}
      onClick={onPointer}
      onKeyDown={onKeyDown}
      onFocusIn={(event) => {
        if (event.target !== frame) byPointer = false
      }}
      onBlur={() => {
        byPointer = false
        hide()
      }}
    >
      {props.children}
      <Show when={shown()}>
        {(at) => (
          <div class="read-out" aria-hidden="true" style={{ '--x': `${at().x}px`, '--y': `${at().y}px` }}>
            <bdi class="read-out-token">{tokenText(at().token)}</bdi>
            <span>{at().token.dataset.values}</span>
          </div>
        )}
      </Show>
      <span class="visually-hidden" aria-live="polite">
        {shown()?.byKeys ? spoken(shown()?.token) : ''}
      </span>
    </div>
  )
}

const tokenOf = (target: EventTarget | null): HTMLElement | undefined =>
  target instanceof Element ? (target.closest<HTMLElement>('.token[data-values]') ?? undefined) : undefined

const tokenText = (token: HTMLElement): string => visibleToken((token.textContent ?? '').replaceAll('\n', ''))

const spoken = (token?: HTMLElement): string => (token ? `${token.textContent}: ${token.dataset.values}` : '')

/** Where a key takes the cursor: null for keys that move nothing. */
function move(
  texts: readonly HTMLElement[],
  current: HTMLElement | undefined,
  key: string,
): HTMLElement | null {
  const tokensOf = (text: HTMLElement): HTMLElement[] => [
    ...text.querySelectorAll<HTMLElement>('.token[data-values]'),
  ]
  const row = texts.findIndex((text) => current !== undefined && text.contains(current))
  const keys = ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End']
  if (texts.length === 0 || !keys.includes(key)) return null
  if (current === undefined || row < 0) return startOf(tokensOf(texts[0]))
  const tokens = tokensOf(texts[row])
  const column = tokens.indexOf(current)
  const near = (list: HTMLElement[], i: number): HTMLElement | null =>
    list[Math.max(0, Math.min(list.length - 1, i))] ?? null
  const onward = getComputedStyle(texts[row]).direction === 'rtl' ? 'ArrowLeft' : 'ArrowRight'
  if (key === 'ArrowLeft' || key === 'ArrowRight') return near(tokens, column + (key === onward ? 1 : -1))
  if (key === 'Home') return near(tokens, 0)
  if (key === 'End') return near(tokens, tokens.length - 1)
  const next = texts[row + (key === 'ArrowDown' ? 1 : -1)]
  return next ? startOf(tokensOf(next)) : current
}

/** A text is entered at the token that it is about. */
const startOf = (tokens: HTMLElement[]): HTMLElement | null =>
  tokens.find((token) => 'focus' in token.dataset) ?? tokens[0] ?? null
