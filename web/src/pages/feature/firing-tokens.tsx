import { createSignal, Show } from 'solid-js'
import type { FeaturePage } from '../../../../src/server/protocol'
import { number, visibleToken } from '../../components/tokens'
import { BarTable } from './bar-table'
import { percent, whole } from './figures'

const few = 10

/** Tokens that the feature fires on, by the sum of its activations on them. */
export function FiringTokensPanel(props: { page: FeaturePage }) {
  const [all, setAll] = createSignal(false)
  const shown = () => props.page.tokens.slice(0, all() ? undefined : few)
  return (
    <section class="panel" aria-labelledby="firing-tokens">
      <h2 id="firing-tokens">Tokens it fires on</h2>
      <BarTable
        caption="Most activation in all first"
        showCaption
        columns={[
          { name: 'token' },
          { name: 'fires on', title: 'share of the places with this token where the feature fires' },
          { name: 'of', title: 'places with this token in the sample' },
          { name: 'lift', title: 'how many times more often than on any token' },
        ]}
        rows={shown().map(({ token, active, occurrences, lift }) => ({
          head: <bdi class="mono">{visibleToken(token)}</bdi>,
          cells: [
            { text: percent(active / occurrences), share: active / occurrences },
            { text: whole(occurrences) },
            { text: `×${number(lift)}` },
          ],
        }))}
      />
      <Show when={props.page.tokensMissed > 0}>
        <p class="quiet small">
          Too many different tokens to count them all: a sum may lack up to {number(props.page.tokensMissed)}.
        </p>
      </Show>
      <Show when={props.page.tokens.length > few}>
        <button type="button" class="plain" aria-expanded={all()} onClick={() => setAll(!all())}>
          {all() ? 'Show fewer' : `Show all ${props.page.tokens.length}`}
        </button>
      </Show>
    </section>
  )
}
