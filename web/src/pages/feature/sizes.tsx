import { For, Show } from 'solid-js'
import type { FeatureTree, Relatives, RunInfo } from '../../../../src/server/protocol'
import { Failure } from '../../components/failure'
import { FeatureLink } from '../../components/feature-link'
import { visibleToken } from '../../components/tokens'
import { whole } from './figures'
import type { Loaded } from './load'

type Node = FeatureTree['nodes'][number]

/** What the feature is in smaller and larger dictionaries: the tree of what splits into what. */
export function SizesPanel(props: { run: RunInfo; relatives: Loaded<Relatives>; search: string }) {
  const tree = () => props.relatives.value()?.tree ?? undefined
  return (
    <Show when={tree() || props.relatives.error()}>
      <section class="panel stack" aria-labelledby="sizes">
        <h2 id="sizes">Across dictionary sizes</h2>
        <Show
          when={!props.relatives.error()}
          fallback={<Failure error={props.relatives.error()} retry={props.relatives.retry} />}
        >
          <Show when={tree()}>
            {(found) => <Tree tree={found()} run={props.run.run} search={props.search} />}
          </Show>
        </Show>
      </section>
    </Show>
  )
}

function Tree(props: { tree: FeatureTree; run: string; search: string }) {
  /** the dictionary of this run: its features have pages */
  const own = () => props.tree.nodes.find(({ here }) => here)?.size
  return (
    <>
      <p class="quiet small">
        Which features of dictionaries with {props.tree.sizes.map(whole).join(', ')} features become which:
        each line is one feature, with the tokens that it fires on most.
      </p>
      <ul class="size-tree">
        <For each={props.tree.nodes}>
          {(node) => (
            <li
              class="size-line"
              style={{ '--depth': node.size - props.tree.nodes[0].size }}
              aria-current={node.here || undefined}
            >
              <span class="badge" title={`dictionary of ${whole(props.tree.sizes[node.size])} features`}>
                {short(props.tree.sizes[node.size])}
              </span>{' '}
              <Show
                when={node.size === own() && !node.here}
                fallback={<span class="number">{node.feature}</span>}
              >
                <FeatureLink run={props.run} feature={node.feature} search={props.search} />
              </Show>{' '}
              <What node={node} />
              <span class="quiet small number"> {similarity(node)}</span>
              <Show when={fates[node.fate]}>{(fate) => <span class="quiet small"> · {fate()}</span>}</Show>
              <Show when={node.hidden > 0}>
                <span class="quiet small"> · and {whole(node.hidden)} more below it</span>
              </Show>
            </li>
          )}
        </For>
      </ul>
    </>
  )
}

const What = (props: { node: Node }) => (
  <Show
    when={props.node.explanation}
    fallback={
      <For each={props.node.tokens.slice(0, 5)}>
        {(token, i) => (
          <>
            {i() > 0 ? ' ' : ''}
            <bdi class="mono small size-token">{visibleToken(token)}</bdi>
          </>
        )}
      </For>
    }
  >
    {(text) => <bdi dir="ltr">{text()}</bdi>}
  </Show>
)

/** What is worth saying of a feature's fate; that it has children is seen. */
const fates: Readonly<Record<string, string>> = {
  lost: 'nothing in the next larger one is like it',
  underpowered: 'fires too seldom to be judged',
  dead: 'never fires',
}

const similarity = ({ cosine, correlation }: Node): string =>
  [
    cosine === null ? '' : `cosine ${twoDecimals(cosine)}`,
    correlation === null ? '' : `correlation ${twoDecimals(correlation)}`,
  ]
    .filter(Boolean)
    .join(', ')

const twoDecimals = (value: number): string => value.toFixed(2).replace('-', '−')

/** 512, 4k, 131k */
const short = (count: number): string => (count < 1000 ? String(count) : `${Math.round(count / 1024)}k`)
