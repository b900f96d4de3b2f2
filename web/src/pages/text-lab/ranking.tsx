import { For, Show } from 'solid-js'
import type { TextRun } from '../../../../src/server/protocol'
import { number, visibleToken } from '../../components/tokens'
import { TracedFeature } from './traced-feature'

export interface RankingProps {
  run: string
  text: TextRun
  traced: readonly number[]
  onTrace: (feature: number) => void
  onSelect: (segment: number) => void
}

/** The features of the whole text, those nearest to their maximum first. */
export function Ranking(props: RankingProps) {
  return (
    <section class="panel" aria-labelledby="lab-ranking-title">
      <div class="panel-head">
        <h2 id="lab-ranking-title">Features of the text</h2>
        <span class="quiet small">by activation as a share of their maximum</span>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and keys must be able to */}
      <section class="lab-scroll" tabIndex={0} aria-label="Ranking of the features">
        <table class="data lab-table">
          <thead>
            <tr>
              <th scope="col">Feature</th>
              <th scope="col" class="number">
                Of its maximum
              </th>
              <th scope="col">Strongest on</th>
              <th scope="col" class="number">
                Segments
              </th>
            </tr>
          </thead>
          <tbody>
            <For each={props.text.features}>
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
                  <td class="number" title={`activation ${number(row.activation)}`}>
                    <div class="bar-cell lab-bar" style={{ '--share': Math.min(row.relative ?? 0, 1) }}>
                      <Show when={row.relative !== null} fallback="no maximum">
                        {Math.round(100 * (row.relative ?? 0))}%
                      </Show>
                    </div>
                  </td>
                  <td>
                    <button
                      type="button"
                      class="plain mono lab-place"
                      aria-label={`Choose the segment ${row.segment + 1}, ${visibleToken(props.text.segments[row.segment].text)}`}
                      onClick={() => props.onSelect(row.segment)}
                    >
                      <bdi>{visibleToken(props.text.segments[row.segment].text)}</bdi>
                    </button>
                  </td>
                  <td class="number">{row.segments}</td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </section>
    </section>
  )
}
