import { createMemo, For } from 'solid-js'
import type { TextRun } from '../../../../src/server/protocol'
import { heat, number, signed } from '../../components/tokens'
import { directionOf, linesOf, signedLevel, surprise } from './levels'

/** What shades the text. */
export type Shade =
  | { kind: 'activation'; values: readonly number[]; max: number }
  | { kind: 'signed'; values: readonly number[]; max: number }
  | undefined

export interface ReadingProps {
  segments: TextRun['segments']
  selected: number
  shade: Shade
  onSelect: (segment: number) => void
}

/** The text, segment by segment; each can be chosen, by pointer or by arrow keys. */
export function Reading(props: ReadingProps) {
  let list!: HTMLDivElement
  const lines = createMemo(() => linesOf(props.segments.map(({ text }) => text)))
  const last = () => props.segments.length - 1
  const select = (segment: number) => {
    const to = Math.min(Math.max(segment, 0), last())
    props.onSelect(to)
    list.querySelector(`#segment-${to}`)?.scrollIntoView({ block: 'nearest' })
  }
  const moves: Record<string, () => number> = {
    ArrowRight: () => props.selected + (isRightToLeft() ? -1 : 1),
    ArrowLeft: () => props.selected + (isRightToLeft() ? 1 : -1),
    ArrowDown: () => props.selected + 1,
    ArrowUp: () => props.selected - 1,
    Home: () => 0,
    End: last,
  }
  const isRightToLeft = () => {
    const line = lines().findLast(({ first }) => first <= props.selected)
    return line !== undefined && directionOf(line.texts) === 'rtl'
  }
  const onKey = (event: KeyboardEvent) => {
    const move = moves[event.key]
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    select(move())
  }
  const label = (segment: number) => {
    const { loss } = props.segments[segment]
    const parts = [loss === null ? 'surprise not known' : `surprise ${number(loss)} nats`]
    const value = props.shade?.values[segment]
    if (props.shade?.kind === 'activation') parts.push(value ? `activation ${number(value)}` : 'not active')
    if (props.shade?.kind === 'signed' && value) parts.push(`attribution ${signed(value)}`)
    return parts.join('\n')
  }
  const shadeOf = (segment: number, kind: 'activation' | 'signed') =>
    props.shade?.kind === kind ? (props.shade.values[segment] ?? 0) : 0
  return (
    <div
      ref={list}
      class="lab-reading"
      role="listbox"
      tabIndex={0}
      aria-label="The text by segments: arrow keys choose one"
      aria-activedescendant={`segment-${props.selected}`}
      onKeyDown={onKey}
    >
      <For each={lines()}>
        {(line) => (
          <div class="lab-line" role="presentation" dir={directionOf(line.texts)}>
            <For each={line.texts}>
              {(text, at) => {
                const segment = line.first + at()
                const sign = () => signedLevel(shadeOf(segment, 'signed'), props.shade?.max ?? 0)
                return (
                  // biome-ignore lint/a11y/useKeyWithClickEvents: the list handles keys
                  // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus, and names its active descendant
                  <span
                    id={`segment-${segment}`}
                    class="lab-segment token"
                    role="option"
                    aria-selected={props.selected === segment}
                    data-surprise={surprise(props.segments[segment].loss) || undefined}
                    data-heat={heat(shadeOf(segment, 'activation'), props.shade?.max ?? 0) || undefined}
                    data-sign={sign() || undefined}
                    title={label(segment)}
                    onClick={() => select(segment)}
                  >
                    {text}
                  </span>
                )
              }}
            </For>
          </div>
        )}
      </For>
    </div>
  )
}

/** What the marks below the segments mean. */
export function SurpriseLegend() {
  return (
    <ul class="legend lab-surprise-legend" aria-label="Marks below the text: surprise in nats">
      <li>Surprise, nats:</li>
      <For each={['to 1', '1–3', '3–6', '6–9', 'over 9']}>
        {(range, i) => (
          <li>
            <span class="lab-mark" data-surprise={i() || undefined} /> {range}
          </li>
        )}
      </For>
    </ul>
  )
}
