import { For, Show } from 'solid-js'
import type { TextRun } from '../../../../src/server/protocol'
import { number, visibleToken } from '../../components/tokens'
import { useNames } from '../../names'
import { TracedFeature } from './traced-feature'

export interface SegmentPanelProps {
  run: string
  segment: TextRun['segments'][number]
  traced: readonly number[]
  onTrace: (feature: number) => void
}

/** The chosen segment: how surprising it was, and the features that fire most on it. */
export function SegmentPanel(props: SegmentPanelProps) {
  const name = useNames(
    () => props.run,
    () => props.segment.top.map(({ feature }) => feature),
  )
  const strongest = () => Math.max(...props.segment.top.map(({ activation }) => activation), 1e-12)
  return (
    <section class="panel" aria-labelledby="lab-segment-title">
      <div class="panel-head">
        <h2 id="lab-segment-title">
          Features on <bdi class="mono lab-piece">{visibleToken(props.segment.text)}</bdi>
        </h2>
        <span class="quiet small" role="status">
          {tokensText(props.segment.tokens)}
          <Show when={props.segment.loss !== null}>, surprise {number(props.segment.loss ?? 0)} nats</Show>
        </span>
      </div>
      <Show when={props.segment.top.length > 0} fallback={<p class="quiet">No feature fires here.</p>}>
        <table class="data lab-table">
          <caption class="visually-hidden">Strongest features on this segment</caption>
          <thead>
            <tr>
              <th scope="col">Feature</th>
              <th scope="col" class="number">
                Activation
              </th>
            </tr>
          </thead>
          <tbody>
            <For each={props.segment.top}>
              {({ feature, activation }) => (
                <tr>
                  <td>
                    <TracedFeature
                      run={props.run}
                      feature={feature}
                      name={name(feature)}
                      traced={props.traced.includes(feature)}
                      onTrace={props.onTrace}
                    />
                  </td>
                  <td class="number">
                    <div class="bar-cell lab-bar" style={{ '--share': activation / strongest() }}>
                      {number(activation)}
                    </div>
                  </td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </Show>
    </section>
  )
}

const tokensText = (tokens: readonly number[]): string =>
  tokens.length === 1 ? `token ${tokens[0]}` : `tokens ${tokens.join(', ')}`
