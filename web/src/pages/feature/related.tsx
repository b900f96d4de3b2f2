import { createMemo, type JSX, Show } from 'solid-js'
import type { FeaturePage, RunInfo } from '../../../../src/server/protocol'
import { FeatureLink } from '../../components/feature-link'
import { signed } from '../../components/tokens'
import { useNames } from '../../names'
import { BarTable, type BarTableProps } from './bar-table'
import { percent, whole, withMinus } from './figures'

interface RelatedProps {
  run: RunInfo
  page: FeaturePage
  /** query that shows another feature in the same way */
  search: string
}

/** Other features: near by the direction that they write, and near by when they fire. */
export function RelatedFeaturesPanel(props: RelatedProps) {
  const ids = createMemo(() =>
    [...props.page.neighbours, ...props.page.coActive].map(({ feature }) => feature),
  )
  const name = useNames(() => props.run.run, ids)
  const link = (feature: number): JSX.Element => (
    <FeatureLink run={props.run.run} feature={feature} name={name(feature)} search={props.search} />
  )
  return (
    <section class="panel stack related-list" aria-labelledby="related">
      <h2 id="related">Related features</h2>
      <Part
        empty={
          props.run.has.map
            ? 'No neighbours were found.'
            : 'Neighbours need the map: monosem features map --run DIR'
        }
        caption="Writes in nearly the same direction"
        columns={[{ name: 'feature' }, { name: 'cosine', title: 'of the decoder rows' }]}
        rows={props.page.neighbours.map(({ feature, cosine }) => ({
          head: link(feature),
          cells: [{ text: withMinus(cosine), share: Math.abs(cosine) }],
        }))}
      />
      <Part
        empty="It fires together with no other feature."
        caption="Fires on the same tokens"
        columns={[
          { name: 'feature' },
          { name: 'both', title: 'tokens on which both fire' },
          { name: 'Jaccard', title: 'tokens on which both fire, as a share of those on which either does' },
          { name: 'Pearson', title: 'correlation of the activations over all tokens, zeros included' },
        ]}
        rows={props.page.coActive.map(({ feature, count, jaccard, pearson }) => ({
          head: link(feature),
          cells: [
            { text: whole(count) },
            { text: withMinus(jaccard), share: jaccard },
            { text: withMinus(pearson) },
          ],
        }))}
      />
      <Show when={props.page.coActiveMissed > 0}>
        <p class="quiet small">
          Too many pairs to count them all: a count may lack up to {whole(props.page.coActiveMissed)} tokens.
        </p>
      </Show>
    </section>
  )
}

/** Neurons of the hook point: those that the feature writes to, and those that go with it over the text. */
export function NeuronsPanel(props: { page: FeaturePage }) {
  return (
    <section class="panel stack" aria-labelledby="neurons">
      <h2 id="neurons">Neurons</h2>
      <Part
        empty="None."
        caption="Writes most to"
        columns={[
          { name: 'neuron' },
          { name: 'weight', title: 'entry of the decoder row' },
          { name: 'of its L1', title: 'size as a share of the L1 norm of the decoder row' },
        ]}
        rows={props.page.alignedNeurons.map(({ neuron, value, l1 }) => ({
          head: <span class="number">{neuron}</span>,
          cells: [{ text: signed(value) }, { text: percent(l1), share: l1 }],
        }))}
      />
      <Part
        empty="None was correlated with it."
        caption="Goes with it over the text"
        columns={[
          { name: 'neuron' },
          { name: 'Pearson', title: 'of the activations over all tokens, zeros included' },
          { name: 'cosine', title: 'of the activations over all tokens, not centred' },
        ]}
        rows={props.page.correlatedNeurons.map(({ neuron, pearson, cosine }) => ({
          head: <span class="number">{neuron}</span>,
          cells: [{ text: withMinus(pearson), share: Math.abs(pearson) }, { text: withMinus(cosine) }],
        }))}
      />
    </section>
  )
}

const Part = (props: BarTableProps & { empty: string }) => (
  <Show
    when={props.rows.length > 0}
    fallback={
      <div>
        <h3>{props.caption}</h3>
        <p class="quiet">{props.empty}</p>
      </div>
    }
  >
    <BarTable {...props} showCaption />
  </Show>
)
