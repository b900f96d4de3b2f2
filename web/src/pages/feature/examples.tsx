import { createMemo, createSignal, For, Show } from 'solid-js'
import type { FeaturePage } from '../../../../src/server/protocol'
import { ReadOut } from '../../components/read-out'
import { number } from '../../components/tokens'
import { ExampleRow } from './example-row'
import { ExampleLegend, ViewSwitches } from './example-view'
import { cutExample, type ExampleGroup, foldSame, groupExamples } from './shown-examples'
import type { View } from './view'

/** Top examples shown before the rest is asked for. */
const fewTop = 10

/** The feature on text: its strongest examples, then some of each interval, highest first. */
export function ExamplesPanel(props: { page: FeaturePage; view: View }) {
  const groups = createMemo(() => groupExamples(props.page.examples))
  const measured = () => props.page.examples.filter(({ effects }) => effects !== null).length
  return (
    <section class="panel examples" aria-labelledby="examples">
      <h2 id="examples">Examples</h2>
      <ViewSwitches view={props.view} />
      <ExampleLegend measured={measured()} of={props.page.examples.length} />
      <ReadOut label="Examples" class="example-groups">
        <For each={groups()}>{(group) => <Group group={group} page={props.page} view={props.view} />}</For>
      </ReadOut>
    </section>
  )
}

function Group(props: { group: ExampleGroup; page: FeaturePage; view: View }) {
  const [all, setAll] = createSignal(false)
  const folded = createMemo(() =>
    foldSame(props.group.examples.map((example) => cutExample(example, props.view.get('context')))),
  )
  const isTop = () => props.group.interval === null
  const shown = () => (isTop() && !all() ? folded().slice(0, fewTop) : folded())
  return (
    <section>
      <h3>{groupTitle(props.group.interval, props.page)}</h3>
      <ol class="example-list">
        <For each={shown()}>
          {(same) => <ExampleRow same={same} view={props.view} max={props.page.max} />}
        </For>
      </ol>
      <Show when={isTop() && folded().length > fewTop}>
        <button type="button" class="plain" aria-expanded={all()} onClick={() => setAll(!all())}>
          {all() ? 'Show fewer' : `Show all ${folded().length}`}
        </button>
      </Show>
    </section>
  )
}

function groupTitle(interval: number | null, { max, intervals }: FeaturePage): string {
  if (interval === null) return 'Strongest'
  const low = (interval * max) / intervals
  const high = ((interval + 1) * max) / intervals
  return `Random, activation ${number(low)} to ${number(high)}`
}
