import { createSignal, For, Show } from 'solid-js'
import type { RunInfo, Specificity } from '../../../../src/server/protocol'
import { Failure } from '../../components/failure'
import { isExport } from '../../source'
import { type Loaded, load } from './load'
import { getSpecificity } from './requests'
import { SpecificityForm } from './specificity-form'
import { SpecificityResult } from './specificity-result'

/** Does the feature fire where a concept holds, and only there? What was measured, and a form to measure more. */
export function SpecificityPanel(props: { run: RunInfo; feature: number }) {
  const known = load(
    () => props.feature,
    (feature, signal) => getSpecificity(props.run.run, feature, signal),
  )
  const [own, setOwn] = createSignal<Specificity[]>([])
  const all = () => {
    const fresh = new Set(own().map(keyOf))
    return [...own(), ...(known.value()?.measured ?? []).filter((found) => !fresh.has(keyOf(found)))]
  }
  const add = (found: Specificity) =>
    setOwn((before) => [found, ...before.filter((other) => keyOf(other) !== keyOf(found))])
  return (
    <section class="panel stack specificity" aria-labelledby="specificity">
      <h2 id="specificity">Specificity</h2>
      <p class="quiet small">
        Of the tokens at each level of activation, the share on which a concept really holds.
      </p>
      <Show when={props.run.has.model && !isExport}>
        <SpecificityForm run={props.run} feature={props.feature} add={add} />
      </Show>
      <Known known={known} shown={all().length} canMeasure={props.run.has.model && !isExport} />
      <For each={all()}>{(found, i) => <SpecificityResult found={found} open={i() === 0} />}</For>
    </section>
  )
}

/** The same concept measured again takes the place of the first; a case study stays beside it. */
const keyOf = ({ source, concept }: Specificity): string => `${source}: ${concept}`

function Known(props: {
  known: Pick<Loaded<unknown>, 'error' | 'loading' | 'retry'>
  shown: number
  canMeasure: boolean
}) {
  return (
    <Show
      when={!props.known.error()}
      fallback={<Failure error={props.known.error()} retry={props.known.retry} />}
    >
      <Show when={props.shown === 0}>
        <p class="quiet">
          {props.known.loading()
            ? 'Loading…'
            : `Nothing was measured yet${props.canMeasure ? '.' : ', and there is no model to measure with.'}`}
        </p>
      </Show>
    </Show>
  )
}
