import { For, Match, Show, Switch } from 'solid-js'
import type { Attribution } from '../../../../src/server/protocol'
import { Failure } from '../../components/failure'
import { number, signed, visibleToken } from '../../components/tokens'
import type { Request } from './request'
import { TracedFeature } from './traced-feature'

export interface AttributionPanelProps {
  run: string
  request: Request<unknown, Attribution>
  shading: boolean
  verify: boolean
  traced: readonly number[]
  onShade: (on: boolean) => void
  onVerify: (on: boolean) => void
  onTrace: (feature: number) => void
  onSelect: (segment: number) => void
  onClose: () => void
}

/** Which features act for the chosen next token. */
export function AttributionPanel(props: AttributionPanelProps) {
  return (
    <section
      class="panel lab-attribution"
      aria-labelledby="lab-attribution-title"
      aria-busy={props.request.running()}
    >
      <div class="panel-head">
        <h2 id="lab-attribution-title">
          Attribution
          <Show when={props.request.answer()}>
            {(found) => (
              <>
                {' of '}
                <bdi class="mono lab-piece">{visibleToken(found().target.token)}</bdi>
              </>
            )}
          </Show>
        </h2>
        <button type="button" class="plain" onClick={props.onClose}>
          Close
        </button>
      </div>
      <div class="row">
        <label class="check">
          <input
            type="checkbox"
            checked={props.shading}
            onChange={(event) => props.onShade(event.currentTarget.checked)}
          />
          Shade the text by it
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={props.verify}
            onChange={(event) => props.onVerify(event.currentTarget.checked)}
          />
          Check the first {checked} by taking them out
        </label>
        <span class="quiet small" role="status">
          {props.request.running() ? 'Working…' : ''}
        </span>
      </div>
      <Switch>
        <Match when={props.request.error()}>
          <Failure error={props.request.error()} retry={props.request.retry} />
        </Match>
        <Match when={props.request.answer()}>
          {(found) => (
            <div classList={{ pending: props.request.running() }}>
              <Totals found={found()} />
              <Table {...props} found={found()} />
            </div>
          )}
        </Match>
      </Switch>
    </section>
  )
}

/** How many features are checked. */
export const checked = 5

function Totals(props: { found: Attribution }) {
  return (
    <>
      <dl class="lab-totals">
        <div>
          <dt>Probability</dt>
          <dd class="number">{number(100 * props.found.target.probability)}%</dd>
        </div>
        <div>
          <dt>Logit, above the mean of all tokens</dt>
          <dd class="number">{signed(props.found.value)}</dd>
        </div>
        <div>
          <dt>All features together</dt>
          <dd class="number">{signed(props.found.total)}</dd>
        </div>
        <div>
          <dt>What no feature explains</dt>
          <dd class="number">{signed(props.found.error)}</dd>
        </div>
      </dl>
      <p class="quiet small">
        Gradient × activation is an estimate to first order: the two parts need not add up to the logit. The
        rest comes from biases, from other layers and from what is not linear.
      </p>
    </>
  )
}

function Table(props: AttributionPanelProps & { found: Attribution }) {
  const largest = () =>
    Math.max(...props.found.features.map((row) => Math.abs(row.gradientTimesActivation)), 1e-12)
  const isChecked = () => props.found.features.some(({ ablation }) => ablation !== null)
  const value = (of: number | null) => (of === null ? '–' : signed(of))
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and keys must be able to
    <section class="lab-scroll" tabIndex={0} aria-label="Features by their effect">
      <table class="data lab-table">
        <caption>The {props.found.features.length} features with the largest effect, either way</caption>
        <thead>
          <tr>
            <th scope="col">Feature</th>
            <th scope="col">Where</th>
            <th scope="col" class="number">
              Activation
            </th>
            <th scope="col" class="number">
              Gradient × activation
            </th>
            <th scope="col" class="number">
              Direct
            </th>
            <Show when={isChecked()}>
              <th scope="col" class="number">
                By ablation
              </th>
            </Show>
          </tr>
        </thead>
        <tbody>
          <For each={props.found.features}>
            {(row) => (
              <tr>
                <td>
                  <TracedFeature
                    run={props.run}
                    feature={row.feature}
                    name={row.name}
                    traced={props.traced.includes(row.feature)}
                    onTrace={props.onTrace}
                  />
                </td>
                <td>
                  <Show when={props.found.segments[row.segment]} fallback="–">
                    {(segment) => (
                      <button
                        type="button"
                        class="plain mono lab-place"
                        aria-label={`Choose the segment ${row.segment + 1}, ${visibleToken(segment().text)}`}
                        onClick={() => props.onSelect(row.segment)}
                      >
                        <bdi>{visibleToken(segment().text)}</bdi>
                      </button>
                    )}
                  </Show>
                </td>
                <td class="number">{number(row.activation)}</td>
                <td class="number">
                  <div
                    class="lab-signed"
                    data-sign={row.gradientTimesActivation < 0 ? '-' : '+'}
                    style={{ '--share': Math.abs(row.gradientTimesActivation) / largest() }}
                  >
                    {signed(row.gradientTimesActivation)}
                  </div>
                </td>
                <td class="number">{value(row.direct)}</td>
                <Show when={isChecked()}>
                  <td class="number">{value(row.ablation)}</td>
                </Show>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </section>
  )
}
