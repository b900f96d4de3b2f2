import { createSignal, For, Show } from 'solid-js'
import type { Example } from '../../../../src/server/protocol'
import { number, signed, Tokens } from '../../components/tokens'
import type { ShownExample } from './shown-examples'
import type { View } from './view'

export interface ExampleRowProps {
  /** shown the same; the first stands for all */
  same: readonly ShownExample[]
  view: View
  max: number
}

/** One text, and how many more look the same. */
export function ExampleRow(props: ExampleRowProps) {
  const [open, setOpen] = createSignal(false)
  const first = () => props.same[0]
  const rest = () => props.same.slice(1)
  return (
    <>
      <li class="example">
        <Line shown={first()} view={props.view} max={props.max} />
        <Show when={rest().length > 0}>
          <button
            type="button"
            class="same plain"
            aria-expanded={open()}
            title={`${props.same.length} examples look the same here`}
            onClick={() => setOpen(!open())}
          >
            ×{props.same.length}
            <span class="visually-hidden"> look the same: {open() ? 'fold' : 'show all'}</span>
          </button>
        </Show>
      </li>
      <Show when={open()}>
        <For each={rest()}>
          {(shown) => (
            <li class="example unfolded">
              <Line shown={shown} view={props.view} max={props.max} />
            </li>
          )}
        </For>
      </Show>
    </>
  )
}

function Line(props: { shown: ShownExample; view: View; max: number }) {
  const { example } = props.shown
  const strongest = () =>
    props.view.get('scale') === 'feature' ? props.max : Math.max(...props.shown.activations)
  return (
    <>
      <span class="example-value number" title="activation on the token that the example is about">
        {number(example.activation)}
      </span>
      <span class="example-text">
        <Tokens
          segments={props.shown.segments}
          activations={props.shown.activations}
          effects={props.shown.effects}
          focus={props.shown.focus}
          cut={{ before: props.shown.cutBefore, after: props.shown.cutAfter }}
          max={strongest()}
          lines={props.view.get('lines') === 'shown'}
          readOut
        />
      </span>
      <span class="example-source number quiet">
        <Show when={totalEffect(example)}>
          {(total) => (
            <span title="sum of the effects on the tokens of this text when the feature is taken out">
              {signed(total().value)} nats
            </span>
          )}
        </Show>{' '}
        <span title={`document ${example.document}, token ${example.position}`}>
          {example.document}:{example.position}
        </span>
      </span>
    </>
  )
}

/** What taking the feature out does to the whole text; null where it was not measured. */
function totalEffect({ effects }: Example): { value: number } | null {
  const known = (effects ?? []).filter((effect) => effect !== null)
  return known.length === 0 ? null : { value: known.reduce((sum, effect) => sum + effect, 0) }
}
