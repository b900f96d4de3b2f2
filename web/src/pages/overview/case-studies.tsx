import { For, Show } from 'solid-js'
import type { Overview } from '../../../../src/server/protocol'
import { FeatureLink } from '../../components/feature-link'
import { useNames } from '../../names'

type CaseStudy = NonNullable<Overview['caseStudies']>[number]

const share = (value: number | null) => (value === null ? '–' : `${(100 * value).toFixed(0)}%`)

/** Features that track an exact property of the text, beside the best neurons. */
export function CaseStudies(props: { run: string; studies: readonly CaseStudy[] }) {
  const name = useNames(
    () => props.run,
    () => props.studies.flatMap(({ feature }) => feature ?? []),
  )
  return (
    <div class="scroll-x">
      <table class="data">
        <caption class="small">
          Correlation of activation and property, token by token, and how much of the property the feature
          holds.
        </caption>
        <thead>
          <tr>
            <th scope="col">Property</th>
            <th scope="col">Feature</th>
            <th scope="col" class="number">
              Correlation
            </th>
            <th scope="col" class="number">
              Best neuron
            </th>
            <th
              scope="col"
              class="number"
              title="share of tokens with the property, where the feature is above half of its maximum"
            >
              Precision
            </th>
            <th
              scope="col"
              class="number"
              title="share of tokens with the property on which the feature fires"
            >
              Recall
            </th>
          </tr>
        </thead>
        <tbody>
          <For each={props.studies}>
            {(study) => (
              <tr>
                <th scope="row">{study.name}</th>
                <td class="case-feature">
                  <Show when={study.feature !== null} fallback={<span class="quiet">none found</span>}>
                    <FeatureLink
                      run={props.run}
                      feature={study.feature ?? 0}
                      name={name(study.feature ?? 0)}
                    />
                  </Show>
                </td>
                <Correlation value={study.correlation} />
                <Correlation value={study.bestNeuronCorrelation} />
                <td class="number">{share(study.precisionAboveHalfMax)}</td>
                <td class="number">{share(study.recall)}</td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </div>
  )
}

const Correlation = (props: { value: number | null }) => (
  <td class="number bar-cell" style={{ '--share': Math.max(0, props.value ?? 0) }}>
    {props.value === null ? '–' : props.value.toFixed(2)}
  </td>
)
