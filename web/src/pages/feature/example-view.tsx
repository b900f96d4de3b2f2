import { For, Show } from 'solid-js'
import type { View } from './view'

/** Switches of how examples are shown. */
export function ViewSwitches(props: { view: View }) {
  return (
    <div class="toolbar view-switches">
      <Choice
        view={props.view}
        name="context"
        legend="Context"
        options={[
          ['short', 'short', '4 tokens on each side'],
          ['medium', 'medium', '8 tokens on each side'],
          ['full', 'full', 'everything that was kept'],
        ]}
      />
      <Choice
        view={props.view}
        name="scale"
        legend="Strongest colour"
        options={[
          ['feature', "feature's max", 'colours of all examples can be compared'],
          ['example', "example's max", 'weak examples are coloured too'],
        ]}
      />
      <Choice
        view={props.view}
        name="lines"
        legend="Line ends"
        options={[
          ['folded', 'as ↵', 'a line end is a mark in the line'],
          ['shown', 'shown', 'a line end ends the line'],
        ]}
      />
    </div>
  )
}

type ChoiceName = Parameters<View['get']>[0]

function Choice<Name extends ChoiceName>(props: {
  view: View
  name: Name
  legend: string
  options: readonly (readonly [
    value: ReturnType<typeof props.view.get<Name>>,
    label: string,
    title: string,
  ])[]
}) {
  return (
    <fieldset class="field">
      <legend>{props.legend}</legend>
      <div class="segmented">
        <For each={props.options}>
          {([value, label, title]) => (
            <label title={title}>
              <input
                type="radio"
                name={`view-${props.name}`}
                checked={props.view.get(props.name) === value}
                onChange={() => props.view.set(props.name, value)}
              />
              <span>{label}</span>
            </label>
          )}
        </For>
      </div>
    </fieldset>
  )
}

/** What colours and underlines mean. */
export function ExampleLegend(props: { measured: number; of: number }) {
  return (
    <ul class="legend example-legend">
      <li>
        <span class="heat-scale" aria-hidden="true">
          <For each={[1, 2, 3, 4, 5, 6]}>{(step) => <span class="token" data-heat={step} />}</For>
        </span>{' '}
        activation, weak to strong; <b>bold</b>: what the example is about
      </li>
      <Show
        when={props.measured > 0}
        fallback={<li>effects of ablation: not measured (monosem features ablate)</li>}
      >
        <li>
          without the feature the next token becomes{' '}
          <span class="token" data-effect="-2">
            less
          </span>{' '}
          or{' '}
          <span class="token" data-effect="2">
            more
          </span>{' '}
          likely; thicker: by 0.02, 0.1, 0.5 nats; measured on {props.measured} of {props.of}
        </li>
      </Show>
    </ul>
  )
}
