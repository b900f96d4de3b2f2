import { useParams } from '@solidjs/router'
import { createEffect, createMemo, createSignal, onCleanup, Show } from 'solid-js'
import type { FeatureNotes, FeaturePage, RunInfo } from '../../../src/server/protocol'
import { getNotes } from '../api'
import { Failure } from '../components/failure'
import { usePage } from '../page'
import { useRun } from '../runs'
import { isExport } from '../source'
import { ActivationsPanel } from './feature/activations'
import { ExamplesPanel } from './feature/examples'
import { ExplanationsPanel } from './feature/explanations'
import { FiringTokensPanel } from './feature/firing-tokens'
import { Heading } from './feature/heading'
import { type Loaded, load } from './feature/load'
import { LogitsPanel } from './feature/logits'
import { nameOf } from './feature/name'
import { OutOfRange } from './feature/out-of-range'
import { OwnNotesPanel } from './feature/own-notes'
import { takePage } from './feature/page-ahead'
import { PartnersPanel } from './feature/partners'
import { PlacePanel } from './feature/place'
import { NeuronsPanel, RelatedFeaturesPanel } from './feature/related'
import { getRelatives } from './feature/requests'
import { SizesPanel } from './feature/sizes'
import { SpecificityPanel } from './feature/specificity'
import { fetchSteps, useSteps } from './feature/steps'
import { TryTextPanel } from './feature/try-text'
import { useView, type View } from './feature/view'
import './feature.css'
import './feature/panels.css'

/** Everything about one feature. */
export default function Page() {
  const params = useParams<{ feature: string }>()
  const run = useRun()
  const feature = createMemo(() => {
    const number = /^\d{1,9}$/.test(params.feature) ? Number(params.feature) : Number.NaN
    return number < (run()?.features ?? 0) ? number : undefined
  })
  return (
    <Show when={run()} keyed>
      {(found) => (
        <Show
          when={feature() !== undefined}
          fallback={<OutOfRange run={found} asked={decodeURIComponent(params.feature)} />}
        >
          <FeatureView run={found} feature={feature() ?? 0} />
        </Show>
      )}
    </Show>
  )
}

function FeatureView(props: { run: RunInfo; feature: number }) {
  const view = useView()
  const page = load(
    () => props.feature,
    (feature) => takePage(props.run.run, feature),
  )
  const notes = load(
    () => props.feature,
    (feature, signal) => getNotes(props.run.run, feature, signal),
  )
  const steps = useSteps(props.run, () => props.feature, view)
  // Until the next feature is there the one before stays, so that nothing jumps: but not under the new one's name.
  const ownPage = () => (page.value()?.feature === props.feature ? page.value() : undefined)
  const ownNotes: Loaded<FeatureNotes> = {
    ...notes,
    value: () => (notes.value()?.feature === props.feature ? notes.value() : undefined),
  }
  usePage(() => {
    const found = ownNotes.value()
    return [`Feature ${props.feature}`, (found && nameOf(found)) ?? undefined, props.run.run]
  })
  const ready = useReady(() => props.feature, page, notes)
  createEffect(() => {
    if (ownPage()) fetchSteps(props.run, steps)
  })
  return (
    <article class="feature-page" aria-busy={page.loading()}>
      <Heading
        run={props.run}
        feature={props.feature}
        page={ownPage()}
        notes={ownNotes.value()}
        steps={steps}
      />
      <Show when={!page.error()} fallback={<Failure error={page.error()} retry={page.retry} />}>
        <Show when={ready()} keyed fallback={<div class="feature-loading" />}>
          {(found) => <Panels run={props.run} page={found} notes={ownNotes} view={view} />}
        </Show>
      </Show>
    </article>
  )
}

/** Longest wait for the notes, milliseconds. */
const patience = 150

/**
 * The page to show. Its notes come at nearly the same time, and have no height before: it waits for them a moment, so that nothing jumps; the
 * page before stays until then.
 */
function useReady(
  feature: () => number,
  page: Loaded<FeaturePage>,
  notes: Loaded<FeatureNotes>,
): () => FeaturePage | undefined {
  const [waitedFor, setWaitedFor] = createSignal<number>()
  createEffect(() => {
    const number = feature()
    const timer = setTimeout(() => setWaitedFor(number), patience)
    onCleanup(() => clearTimeout(timer))
  })
  return createMemo<FeaturePage | undefined>((before) => {
    const found = page.value()
    if (found === undefined || found === before) return found
    const noted = notes.value()?.feature === found.feature || notes.error() !== undefined
    return noted || waitedFor() === found.feature ? found : before
  })
}

interface PanelsProps {
  run: RunInfo
  page: FeaturePage
  notes: Loaded<FeatureNotes>
  view: View
}

function Panels(props: PanelsProps) {
  const alive = () => props.page.fires > 0
  const relatives = load(
    () => (props.run.has.relatives ? props.page.feature : undefined),
    (feature, signal) => getRelatives(props.run.run, feature, signal),
  )
  return (
    <div class="feature-panels" classList={{ dead: !alive() }}>
      <div class="first-column stack">
        <Show when={!alive()}>
          <DeadPanel page={props.page} />
        </Show>
        <ExplanationsPanel run={props.run} feature={props.page.feature} notes={props.notes} dead={!alive()} />
        <OwnNotesPanel run={props.run.run} feature={props.page.feature} notes={props.notes} />
        <Show when={alive()}>
          <ActivationsPanel page={props.page} />
        </Show>
      </div>
      <Show when={alive()}>
        <div class="example-column stack">
          <Show when={props.run.has.model && !isExport}>
            <TryTextPanel run={props.run} feature={props.page.feature} max={props.page.max} />
          </Show>
          <ExamplesPanel page={props.page} view={props.view} />
          <Show when={props.run.has.relatives}>
            <PartnersPanel page={props.page} relatives={relatives} view={props.view} />
          </Show>
        </div>
      </Show>
      <div class="middle-column stack">
        <LogitsPanel page={props.page} />
        <Show when={alive()}>
          <FiringTokensPanel page={props.page} />
        </Show>
      </div>
      <div class="last-column stack">
        <Show when={alive()}>
          <RelatedFeaturesPanel run={props.run} page={props.page} search={props.view.search()} />
          <PlacePanel run={props.run} page={props.page} />
          <Show when={props.run.has.relatives}>
            <SizesPanel run={props.run} relatives={relatives} search={props.view.search()} />
          </Show>
        </Show>
        <NeuronsPanel page={props.page} />
        <Show when={alive()}>
          <SpecificityPanel run={props.run} feature={props.page.feature} />
        </Show>
      </div>
    </div>
  )
}

/** A feature that never fired has no examples, no tokens and no place. */
function DeadPanel(props: { page: FeaturePage }) {
  return (
    <section class="panel">
      <h2>This feature is dead</h2>
      <p>
        It never fired on the {props.page.sampleTokens.toLocaleString('en-US')} tokens of the sample: there
        are no examples, no tokens that it fires on, and no place on the map. Its weights still say what it
        would write.
      </p>
    </section>
  )
}
