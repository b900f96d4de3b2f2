import { A } from '@solidjs/router'
import { createMemo, For, Show } from 'solid-js'
import type { FeatureListItem } from '../../../../src/server/protocol'
import { Tokens, visibleToken } from '../../components/tokens'

/** Density on a logarithmic bar: one token in a million is empty, every token full. */
const decades = 6
export const densityShare = (density: number): number =>
  density > 0 ? Math.max(0, Math.min(1, 1 + Math.log10(density) / decades)) : 0

export const percent = (share: number): string => (share === 0 ? '0%' : `${(100 * share).toPrecision(3)}%`)

/** Segments before and after the focus that a row has space for. */
const before = 7
const after = 16

export interface FeatureRowProps {
  item: FeatureListItem | undefined
  href: (feature: number) => string
  /** before the feature's page is opened */
  onOpen: () => void
}

/** The cells of one feature in the list. */
export function FeatureRow(props: FeatureRowProps) {
  return (
    <Show when={props.item} fallback={<WaitingCells />} keyed>
      {(item) => (
        <>
          <td class="cell-id">
            <A href={props.href(item.feature)} tabIndex={-1} onClick={() => props.onOpen()} class="number">
              {item.feature}
            </A>
          </td>
          <NameCell item={item} href={props.href(item.feature)} onOpen={props.onOpen} />
          <td class="cell-number number" data-label="density ">
            <span class="meter" style={{ '--share': densityShare(item.density) }}>
              {percent(item.density)}
            </span>
          </td>
          <td class="cell-number number" data-label="max ">
            {item.max.toPrecision(3)}
          </td>
          <td class="cell-number number" data-label="score ">
            <Show when={item.score !== null} fallback={<span class="quiet">–</span>}>
              {item.score?.toFixed(2)}
            </Show>
          </td>
          <td class="cell-example">
            <Snippet item={item} />
          </td>
        </>
      )}
    </Show>
  )
}

function NameCell(props: { item: FeatureListItem; href: string; onOpen: () => void }) {
  return (
    <td class="cell-name">
      <div class="clip">
        <Show when={props.item.named === 'label'}>
          <span class="badge own">label</span>{' '}
        </Show>
        <A href={props.href} tabIndex={-1} onClick={() => props.onOpen()}>
          <Show when={props.item.name} fallback={<TokenNames tokens={props.item.tokens} />}>
            <bdi dir={props.item.named === 'label' ? 'auto' : 'ltr'}>{props.item.name}</bdi>
          </Show>
        </A>
      </div>
      <div class="clip small quiet">
        <Show when={props.item.singleToken}>
          <span class="badge">single token</span>{' '}
        </Show>
        <Show when={props.item.cluster !== null}>
          <span
            class="cluster"
            title={`cluster ${props.item.cluster} on the map`}
            data-cluster={(props.item.cluster ?? 0) % 10}
          >
            <span class="swatch" /> <span class="visually-hidden">cluster</span> {props.item.cluster}
          </span>{' '}
        </Show>
        <Show when={props.item.name !== null}>
          <TokenNames tokens={props.item.tokens} />
        </Show>
      </div>
    </td>
  )
}

/** Tokens that a feature fires on, in place of a name. */
function TokenNames(props: { tokens: readonly string[] }) {
  return (
    <span class="mono">
      <For each={props.tokens.slice(0, 5)} fallback={<span class="quiet">never fires</span>}>
        {(token, i) => (
          <>
            {i() > 0 && ' · '}
            <bdi>{visibleToken(token)}</bdi>
          </>
        )}
      </For>
    </span>
  )
}

/** A few segments round the strongest one of the feature's strongest example. */
function Snippet(props: { item: FeatureListItem }) {
  const cut = createMemo(() => {
    const { example } = props.item
    if (example === null) return null
    const from = Math.max(0, example.focus - before)
    const to = example.focus + after
    return {
      segments: example.segments.slice(from, to),
      activations: example.activations.slice(from, to),
      focus: example.focus - from,
    }
  })
  return (
    <Show when={cut()}>
      {(example) => (
        <Tokens
          segments={example().segments}
          activations={example().activations}
          focus={example().focus}
          max={props.item.max}
        />
      )}
    </Show>
  )
}

const WaitingCells = () => (
  <>
    <td class="cell-id">
      <span class="placeholder" />
    </td>
    <td class="cell-name">
      <span class="placeholder" />
    </td>
    <For each={[0, 1, 2]}>{() => <td class="cell-number" />}</For>
    <td class="cell-example">
      <span class="placeholder" />
    </td>
  </>
)
