import { createSignal, For, onMount, Show } from 'solid-js'
import type { Overview } from '../../../../src/server/protocol'
import { getOverview } from '../../api'

type CaseStudy = NonNullable<Overview['caseStudies']>[number]

/** The run's case studies as starting points; nothing where it has none. */
export function Presets(props: { run: string; onChoose: (feature: number) => void }) {
  const [studies, setStudies] = createSignal<(CaseStudy & { feature: number })[]>([])
  onMount(() => {
    // They are a help, not a need: without them the page is whole.
    getOverview(props.run).then(
      ({ caseStudies }) =>
        setStudies(
          (caseStudies ?? []).flatMap((study) =>
            study.feature === null ? [] : [{ ...study, feature: study.feature }],
          ),
        ),
      () => {},
    )
  })
  return (
    <div class="presets">
      <Show when={studies().length > 0}>
        <span class="quiet">Start from a case study:</span>
        <For each={studies()}>
          {({ name, feature }) => (
            <button
              type="button"
              onClick={() => props.onChoose(feature)}
              title={`feature ${feature}, strength 5`}
            >
              {name}
            </button>
          )}
        </For>
      </Show>
    </div>
  )
}
