import { createEffect, createResource, For, onCleanup, Show } from 'solid-js'
import type { Curve as CurveData } from '../../../src/server/protocol'
import { colour } from '../theme'
import { Failure } from './failure'
import { number } from './tokens'
import './curve.css'

const height = 180

/** Rows of the table that stands for the plot. */
const rows = 20

/** Values that differ by more than this factor are drawn on a logarithmic axis. */
const wide = 20

/** The code of the plots, once. */
let loading: Promise<typeof import('./plot')> | undefined
export const loadPlots = () => {
  loading ??= import('./plot')
  return loading
}

export interface CurveProps {
  curve: CurveData
  title: string
}

/** A curve over training; the same in a table, for those who do not see it. */
export function Curve(props: CurveProps) {
  const [plots] = createResource(loadPlots)
  const known = () => props.curve.values.filter((value) => value !== null)
  const ends = () => {
    const values = known()
    return values.length === 0
      ? 'no values'
      : `from ${number(values[0])} to ${number(values[values.length - 1])}, ${values.length} points`
  }
  return (
    <figure class="curve">
      <figcaption>
        <h3>{props.title}</h3>
        <span class="quiet small">{ends()}</span>
      </figcaption>
      <Show when={!plots.error} fallback={<Failure error={plots.error} />}>
        <div class="plot" role="img" aria-label={`${props.title} over training tokens, ${ends()}`}>
          <Show when={plots.latest}>{(loaded) => <Plot plots={loaded()} {...props} />}</Show>
        </div>
      </Show>
      <details>
        <summary class="small quiet">As a table</summary>
        <CurveTable {...props} />
      </details>
    </figure>
  )
}

function Plot(props: CurveProps & { plots: typeof import('./plot') }) {
  let place: HTMLDivElement | undefined
  createEffect(() => {
    if (place === undefined) return
    const { uPlot, axis, short, followWidth } = props.plots
    const { tokens, values } = props.curve
    const logarithmic = isWide(values)
    const options: import('uplot').Options = {
      width: place.clientWidth || 300,
      height,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: { x: { time: false }, y: { distr: logarithmic ? 3 : 1 } },
      axes: [
        axis('training tokens', { values: (_, ticks) => ticks.map(short) }),
        axis('', {
          labelSize: 0,
          size: 52,
          ticks: { stroke: colour('line'), width: 1, filter: wholeDecades(logarithmic) },
          grid: { stroke: colour('line'), width: 1, filter: wholeDecades(logarithmic) },
          values: (_, ticks) => ticks.map((tick) => (tick === null ? '' : short(tick))),
        }),
      ],
      series: [{}, { stroke: colour('accent'), width: 1.75, points: { show: false } }],
    }
    const plot = new uPlot(options, [tokens, values], place)
    const stop = followWidth(plot, place, height)
    onCleanup(() => {
      stop()
      plot.destroy()
    })
  })
  return <div class="plot-place" ref={place} />
}

/** Lines of a logarithmic axis: at 1, 10, 100, not between. */
const wholeDecades = (logarithmic: boolean) => (_: unknown, splits: (number | null)[]) =>
  splits.map((at) => (!logarithmic || (at !== null && Number.isInteger(Math.log10(at))) ? at : null))

function isWide(values: readonly (number | null)[]): boolean {
  const known = values.filter((value) => value !== null)
  const low = Math.min(...known)
  return low > 0 && Math.max(...known) > wide * low
}

function CurveTable(props: CurveProps) {
  const chosen = () => {
    const { tokens, values } = props.curve
    const step = Math.max(1, Math.ceil(tokens.length / rows))
    const last = tokens.length - 1
    return tokens
      .map((count, i) => ({ count, value: values[i], kept: i % step === 0 || i === last }))
      .filter(({ kept }) => kept)
  }
  return (
    <div class="scroll-x">
      <table class="data">
        <caption class="visually-hidden">{props.title} over training</caption>
        <thead>
          <tr>
            <th scope="col" class="number">
              Training tokens
            </th>
            <th scope="col" class="number">
              {props.title}
            </th>
          </tr>
        </thead>
        <tbody>
          <For each={chosen()}>
            {({ count, value }) => (
              <tr>
                <td class="number">{count.toLocaleString('en-US')}</td>
                <td class="number">{value === null ? '–' : number(value)}</td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </div>
  )
}
