import { A } from '@solidjs/router'
import { Show } from 'solid-js'
import type { FeatureMap } from '../../../../src/server/protocol'
import { number } from '../../components/tokens'
import { useNames } from '../../names'
import { address } from '../../runs'
import type { MapView } from './map-view'

export interface TipProps {
  run: string
  map: FeatureMap
  /** which point it is about */
  point: number | undefined
  view: MapView
  /** by a finger: it gets a link to the feature's page */
  touched: boolean
}

/** What the point under the pointer is. */
export function Tip(props: TipProps) {
  const feature = () => (props.point === undefined ? undefined : props.map.feature[props.point])
  const name = useNames(
    () => props.run,
    () => {
      const id = feature()
      return id === undefined ? [] : [id]
    },
  )
  const style = () => {
    const { x, y } = props.view.screen(props.point ?? 0)
    const { width, height } = props.view.size()
    const beside = x > width / 2 ? 'calc(-100% - 14px)' : '14px'
    const above = y > height / 2 ? 'calc(-100% - 10px)' : '10px'
    return { transform: `translate(${x}px, ${y}px) translate(${beside}, ${above})` }
  }
  return (
    <div
      class="map-tip"
      role="status"
      style={style()}
      data-shown={feature() === undefined ? undefined : ''}
      data-touched={props.touched ? '' : undefined}
    >
      <Show when={feature() !== undefined}>
        <TipText map={props.map} point={props.point as number} name={name(feature() as number)} />
        <Show when={props.touched}>
          <A href={address.feature(props.run, feature() as number)}>Open its page</A>
        </Show>
      </Show>
    </div>
  )
}

function TipText(props: { map: FeatureMap; point: number; name: string | null | undefined }) {
  const score = () => props.map.score[props.point]
  return (
    <>
      <strong>
        <span class="number">{props.map.feature[props.point]}</span>{' '}
        <bdi dir="ltr">{props.name === undefined ? '…' : (props.name ?? 'no name')}</bdi>
      </strong>
      <span class="quiet">
        fires on {number(100 * props.map.density[props.point])}% of tokens, maximum{' '}
        {number(props.map.max[props.point])}
        {score() === null ? ', no score' : `, score ${number(score() as number)}`}
      </span>
    </>
  )
}
