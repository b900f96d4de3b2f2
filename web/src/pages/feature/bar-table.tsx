import { For, type JSX } from 'solid-js'

/** A cell of numbers; `share` draws a bar of that part of its width. */
export interface Cell {
  text: string
  share?: number
  direction?: 'up' | 'down'
}

export interface BarTableProps {
  caption: string
  /** the caption is there for everybody; default only for those who do not see what stands above */
  showCaption?: boolean
  /** first the column of what the rows are about */
  columns: readonly { name: string; title?: string }[]
  rows: readonly { head: JSX.Element; cells: readonly Cell[] }[]
}

/** Rows of one thing and its numbers. */
export function BarTable(props: BarTableProps) {
  return (
    <table class="data bar-table">
      <caption classList={{ 'visually-hidden': !props.showCaption }}>{props.caption}</caption>
      <thead>
        <tr>
          <For each={props.columns}>
            {({ name, title }, i) => (
              <th scope="col" class={i() === 0 ? undefined : 'number'} title={title}>
                {name}
              </th>
            )}
          </For>
        </tr>
      </thead>
      <tbody>
        <For each={props.rows}>
          {({ head, cells }) => (
            <tr>
              <th scope="row">{head}</th>
              <For each={cells}>
                {({ text, share, direction }) => (
                  <td
                    class="number"
                    classList={{ 'with-bar': share !== undefined, [direction ?? 'up']: share !== undefined }}
                    style={share === undefined ? undefined : { '--share': String(Math.min(1, share)) }}
                  >
                    {text}
                  </td>
                )}
              </For>
            </tr>
          )}
        </For>
      </tbody>
    </table>
  )
}
