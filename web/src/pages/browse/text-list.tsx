import { A } from '@solidjs/router'
import { createEffect, createMemo, Match, Show, Switch } from 'solid-js'
import { Failure } from '../../components/failure'
import { number, Tokens } from '../../components/tokens'
import type { ListProps } from './feature-list'
import { narrow } from './narrow'
import { createTextRun, hitsOf, type TextHit } from './text-hits'
import { VirtualGrid } from './virtual-grid'

const columns = [
  { name: 'Feature', number: true },
  { name: 'Name' },
  { name: 'Of its maximum', number: true },
  { name: 'Fires on', number: true },
  { name: 'Where it fires most' },
]

/** Features that fire on the text of the query, the ones nearest to their maximum first. */
export function TextHits(props: ListProps) {
  const [result, { refetch }] = createTextRun(
    () => props.run.run,
    () => props.place.query().text,
  )
  const latest = () => (result.error ? undefined : result.latest)
  const hits = createMemo(() => {
    const found = latest()
    return found ? hitsOf(found) : []
  })
  props.features((index) => hits()[index]?.feature)
  createEffect(() => props.onTotal(result.loading || !latest() ? null : hits().length))
  return (
    <Switch fallback={<p class="panel empty">The model reads the text …</p>}>
      <Match when={result.error}>
        <Failure error={result.error} retry={refetch} />
      </Match>
      <Match when={latest() && hits().length === 0}>
        <div class="panel empty stack">
          <p>No feature fires on this text.</p>
          <p>
            <button type="button" class="primary" onClick={() => props.place.reset()}>
              Show all features
            </button>
          </p>
        </div>
      </Match>
      <Match when={hits().length > 0}>
        <Show when={latest()?.truncated}>
          <p class="badge warn" role="status">
            The text is longer than the model's context: only its first {latest()?.tokens} tokens were read.
          </p>
        </Show>
        <VirtualGrid
          label="Features that fire on the text"
          class="feature-grid text-grid"
          columns={columns}
          total={hits().length}
          rowHeight={narrow() ? 96 : 48}
          selected={props.place.selected()}
          pending={result.loading}
          onSelect={props.place.select}
          row={(index) => (
            <Show when={hits()[index]} keyed>
              {(hit) => (
                <HitCells
                  hit={hit}
                  href={props.place.href(hit.feature, index)}
                  onOpen={() => props.place.leave(index)}
                />
              )}
            </Show>
          )}
          ref={props.ref}
        />
      </Match>
    </Switch>
  )
}

function HitCells(props: { hit: TextHit; href: string; onOpen: () => void }) {
  const activations = () =>
    props.hit.segments.map((_, i) => (i === props.hit.focus ? props.hit.activation : 0))
  const maximum = () =>
    props.hit.relative ? props.hit.activation / props.hit.relative : props.hit.activation
  const link = (text: string | number) => (
    <A href={props.href} tabIndex={-1} onClick={() => props.onOpen()}>
      <bdi dir="ltr">{text}</bdi>
    </A>
  )
  return (
    <>
      <td class="cell-id number">{link(props.hit.feature)}</td>
      <td class="cell-name">
        <div class="clip">{props.hit.name ? link(props.hit.name) : <span class="quiet">no name</span>}</div>
      </td>
      <td class="cell-number number">
        <span class="meter" style={{ '--share': Math.min(1, props.hit.relative ?? 0) }}>
          {props.hit.relative === null ? '–' : `${Math.round(100 * props.hit.relative)}%`}
        </span>
        <span class="visually-hidden">, activation {number(props.hit.activation)}</span>
      </td>
      <td class="cell-number number">
        {props.hit.fires}
        <span class="quiet small"> {props.hit.fires === 1 ? 'token' : 'tokens'}</span>
      </td>
      <td class="cell-example">
        <Tokens
          segments={props.hit.segments}
          activations={activations()}
          focus={props.hit.focus}
          max={maximum()}
        />
      </td>
    </>
  )
}
