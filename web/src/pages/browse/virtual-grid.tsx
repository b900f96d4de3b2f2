import { createVirtualizer } from '@tanstack/solid-virtual'
import { createEffect, For, type JSX, on, Show } from 'solid-js'
import { narrow } from './narrow'

export interface Column {
  name: string
  /** reads as a number: its head stands right */
  number?: boolean
  sorted?: 'ascending' | 'descending'
  /** sorts by it; undefined: cannot be sorted by */
  sort?: () => void
}

export interface VirtualGridProps {
  label: string
  /** class of the grid: it sets the columns */
  class: string
  columns: readonly Column[]
  total: number
  /** px, the same for all rows */
  rowHeight: number
  /** the chosen row; -1: none */
  selected: number
  /** whether the rows are about to be replaced */
  pending?: boolean
  onSelect: (index: number) => void
  /** rows in view, both inclusive */
  onShow?: (first: number, last: number) => void
  /** cells (td) of a row */
  row: (index: number) => JSX.Element
  ref?: (grid: HTMLElement) => void
}

/** Heads stand above columns only; px, as in browse.css. */
const headHeight = () => (narrow() ? 0 : 34)

export const rowId = (index: number): string => `row-${index}`

/**
 * A list of any length, of which only the rows in view are in the page. It is one stop of the tab key; the chosen row is its active descendant.
 */
export function VirtualGrid(props: VirtualGridProps) {
  let scroller: HTMLTableElement | undefined
  const virtualizer = createVirtualizer({
    get count() {
      return props.total
    },
    getScrollElement: () => scroller ?? null,
    estimateSize: () => props.rowHeight,
    overscan: 6,
    get scrollMargin() {
      return headHeight()
    },
    get scrollPaddingStart() {
      return headHeight()
    },
  })
  createEffect(
    on(
      () => props.rowHeight,
      () => virtualizer.measure(),
      { defer: true },
    ),
  )
  createEffect(() => {
    const items = virtualizer.getVirtualItems()
    if (items.length > 0 && !props.pending) props.onShow?.(items[0].index, items[items.length - 1].index)
  })
  const reveal = () => {
    if (props.selected >= 0 && props.selected < props.total) virtualizer.scrollToIndex(props.selected)
  }
  createEffect(
    on(
      () => [props.selected, props.total > 0],
      () => queueMicrotask(reveal),
    ),
  )
  const select = (event: MouseEvent) => {
    const row = event.target instanceof Element && event.target.closest('tr')
    if (row && row.id !== '') props.onSelect(Number(row.ariaRowIndex) - 2)
  }
  return (
    <table
      class={`virtual-grid ${props.class}`}
      // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a table that is operated with keys is a grid (ARIA Authoring Practices)
      role="grid"
      tabIndex={0}
      aria-label={props.label}
      aria-rowcount={props.total + 1}
      aria-colcount={props.columns.length}
      aria-activedescendant={props.selected >= 0 ? rowId(props.selected) : undefined}
      aria-busy={props.pending}
      onMouseDown={select}
      ref={(element) => {
        scroller = element
        props.ref?.(element)
      }}
    >
      <thead>
        <tr aria-rowindex={1}>
          <For each={props.columns}>{(column) => <Head column={column} />}</For>
        </tr>
      </thead>
      <tbody
        classList={{ pending: props.pending }}
        style={{ '--height': `${virtualizer.getTotalSize()}px`, '--row': `${props.rowHeight}px` }}
      >
        <For each={virtualizer.getVirtualItems()}>
          {(item) => (
            <tr
              id={rowId(item.index)}
              aria-rowindex={item.index + 2}
              aria-selected={item.index === props.selected}
              style={{ '--top': `${item.start - headHeight()}px` }}
            >
              {props.row(item.index)}
            </tr>
          )}
        </For>
      </tbody>
    </table>
  )
}

function Head(props: { column: Column }) {
  return (
    <th scope="col" class={props.column.number ? 'number' : ''} aria-sort={props.column.sorted}>
      <Show when={props.column.sort} fallback={props.column.name}>
        <button type="button" class="plain" onClick={() => props.column.sort?.()}>
          {props.column.name}
          <span class="arrow" aria-hidden="true">
            {props.column.sorted === 'ascending' ? '↑' : props.column.sorted === 'descending' ? '↓' : ''}
          </span>
        </button>
      </Show>
    </th>
  )
}
