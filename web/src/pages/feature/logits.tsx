import { Show } from 'solid-js'
import type { FeaturePage } from '../../../../src/server/protocol'
import { Histogram } from '../../components/histogram'
import { number, signed, visibleToken } from '../../components/tokens'
import { BarTable } from './bar-table'
import { withMinus } from './figures'

/** What the feature does to the model's next token by its direct path. */
export function LogitsPanel(props: { page: FeaturePage }) {
  return (
    <section class="panel" aria-labelledby="logits">
      <h2 id="logits">Logits</h2>
      <Show
        when={props.page.logitStatistics}
        fallback={
          <p class="quiet">
            There are no logit weights: from {props.page.hookName} no direct path leads to the output tokens.
          </p>
        }
      >
        <div class="two">
          <Weights page={props.page} side="top" />
          <Weights page={props.page} side="bottom" />
        </div>
        <LogitHistogram page={props.page} />
      </Show>
    </section>
  )
}

function Weights(props: { page: FeaturePage; side: 'top' | 'bottom' }) {
  const logits = () => (props.side === 'top' ? props.page.topLogits : props.page.bottomLogits)
  const largest = () =>
    Math.max(
      ...[...props.page.topLogits, ...props.page.bottomLogits].map(({ weight }) => Math.abs(weight)),
      1e-12,
    )
  return (
    <BarTable
      caption={
        props.side === 'top' ? 'Tokens whose logits it raises most' : 'Tokens whose logits it lowers most'
      }
      columns={[{ name: props.side === 'top' ? 'raises' : 'lowers' }, { name: 'weight' }]}
      rows={logits().map(({ token, weight }) => ({
        head: <bdi class="mono">{visibleToken(token)}</bdi>,
        cells: [
          {
            text: signed(weight),
            share: Math.abs(weight) / largest(),
            direction: weight < 0 ? ('down' as const) : ('up' as const),
          },
        ],
      }))}
    />
  )
}

function LogitHistogram(props: { page: FeaturePage }) {
  return (
    <Show when={props.page.logitHistogram}>
      {(histogram) => (
        <>
          <h3>Weights of all tokens</h3>
          <Histogram
            {...histogram()}
            logarithmic
            label="Logarithmic counts of logit weights over the vocabulary"
          />
          <Show when={props.page.logitStatistics}>
            {(statistics) => (
              <p class="quiet small">
                standard deviation {number(statistics().standardDeviation)} · skewness{' '}
                {withMinus(statistics().skewness)} · kurtosis {withMinus(statistics().kurtosis)} (3 is
                normal). Heights are logarithmic.
              </p>
            )}
          </Show>
        </>
      )}
    </Show>
  )
}
