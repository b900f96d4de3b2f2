import { For, Show } from 'solid-js'
import type { FeaturePage } from '../../../../src/server/protocol'
import { Histogram } from '../../components/histogram'
import { number } from '../../components/tokens'
import { oneIn, percent, whole } from './figures'

/** How large the activations are: counts, quantiles, and the intervals that examples are drawn from. */
export function ActivationsPanel(props: { page: FeaturePage }) {
  // Bins above the maximum are empty: the range was chosen before it was known.
  const used = () => {
    const { counts, range } = props.page.histogram
    const bins = Math.max(1, Math.min(counts.length, Math.ceil((props.page.max / range) * counts.length)))
    return { counts: counts.slice(0, bins), high: (range * bins) / counts.length }
  }
  const at = (activation: number): string => `${(100 * Math.min(activation, used().high)) / used().high}%`
  const limits = () =>
    Array.from(
      { length: props.page.intervals - 1 },
      (_, i) => (props.page.max * (i + 1)) / props.page.intervals,
    )
  return (
    <section class="panel" aria-labelledby="activations">
      <h2 id="activations">Activations</h2>
      <p class="quiet small">
        Fires on {percent(props.page.density)} of tokens, {oneIn(props.page.density)}:{' '}
        {whole(props.page.fires)} of the {whole(props.page.sampleTokens)} in the sample. Heights are
        logarithmic.
      </p>
      <div class="marked-histogram">
        <Histogram
          counts={used().counts}
          low={0}
          high={used().high}
          logarithmic
          label="Logarithmic counts of activations where the feature fires"
        />
        <div class="marks" aria-hidden="true">
          <For each={limits()}>{(limit) => <span class="limit" style={{ '--at': at(limit) }} />}</For>
          <For each={props.page.quantiles}>
            {({ probability, activation }) => (
              <span
                class="quantile"
                style={{ '--at': at(activation) }}
                title={`${percent(probability)} of its activations are at most ${number(activation)}`}
              />
            )}
          </For>
        </div>
      </div>
      <Show when={props.page.quantiles.length > 0}>
        <dl class="quantiles" aria-label="Quantiles: this share of its activations is at most">
          <For each={props.page.quantiles}>
            {({ probability, activation }) => (
              <div>
                <dt>{percent(probability)} ≤</dt>
                <dd>{number(activation)}</dd>
              </div>
            )}
          </For>
        </dl>
      </Show>
      <p class="quiet small">
        Triangles: these quantiles. Lines: the {props.page.intervals} equal intervals, of{' '}
        {number(props.page.max / props.page.intervals)} each, that examples are drawn from.
      </p>
    </section>
  )
}
