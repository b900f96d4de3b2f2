import { A } from '@solidjs/router'
import { createEffect, createResource, For, onCleanup, Show } from 'solid-js'
import type { Overview } from '../../../../src/server/protocol'
import { loadPlots } from '../../components/curve'
import { number } from '../../components/tokens'
import { address } from '../../runs'
import { colour } from '../../theme'

type Point = Overview['frontier'][number]

const height = 320

const measured = (points: readonly Point[]) =>
  points
    .flatMap((point) =>
      point.lossRecovered === null ? [] : [{ ...point, lossRecovered: point.lossRecovered }],
    )
    .sort((a, b) => a.l0 - b.l0)

const title = ({ run, name }: Point) => (name === 'eval' ? run : `${run}/${name}`)

/** Autoencoders on the plane of sparsity and fidelity: up and left is better. The table has the links. */
export function Frontier(props: { points: readonly Point[] }) {
  const [plots] = createResource(loadPlots)
  return (
    <>
      <div class="plot tall" role="img" aria-label="Loss recovered against L0, see the table below">
        <Show when={plots.latest}>
          {(loaded) => <Scatter plots={loaded()} points={measured(props.points)} />}
        </Show>
      </div>
      <div class="scroll-x">
        <table class="data">
          <thead>
            <tr>
              <th scope="col">Run</th>
              <th scope="col">Architecture</th>
              <th scope="col" class="number">
                Features
              </th>
              <th scope="col" class="number">
                L0
              </th>
              <th scope="col" class="number">
                Loss recovered
              </th>
            </tr>
          </thead>
          <tbody>
            <For each={props.points}>
              {(point) => (
                <tr>
                  <th scope="row">
                    <A href={address.overview(point.run)}>{title(point)}</A>
                  </th>
                  <td>{point.architecture}</td>
                  <td class="number">{point.features.toLocaleString('en-US')}</td>
                  <td class="number">{number(point.l0)}</td>
                  <td class="number">
                    {point.lossRecovered === null ? '–' : `${(100 * point.lossRecovered).toFixed(1)}%`}
                  </td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </div>
    </>
  )
}

function Scatter(props: {
  plots: typeof import('../../components/plot')
  points: ReturnType<typeof measured>
}) {
  let place: HTMLDivElement | undefined
  createEffect(() => {
    if (place === undefined) return
    const { uPlot, axis, followWidth } = props.plots
    const { points } = props
    const text = colour('text')
    const options: import('uplot').Options = {
      width: place.clientWidth || 400,
      height,
      legend: { show: false },
      cursor: { show: false },
      padding: [24, 90, 0, 0],
      scales: { x: { time: false, distr: 3, log: 10 } },
      axes: [
        axis('L0: features that are active on a token'),
        axis('loss recovered', {
          size: 56,
          values: (_, ticks) => ticks.map((tick) => `${number(100 * tick)}%`),
        }),
      ],
      series: [
        {},
        {
          stroke: colour('accent'),
          paths: () => null,
          points: { show: true, size: 9, fill: colour('accent') },
        },
      ],
      hooks: { draw: [(plot) => label(plot, points, text)] },
    }
    const data: import('uplot').AlignedData = [
      points.map(({ l0 }) => l0),
      points.map(({ lossRecovered }) => lossRecovered),
    ]
    const plot = new uPlot(options, data, place)
    const stop = followWidth(plot, place, height)
    onCleanup(() => {
      stop()
      plot.destroy()
    })
  })
  return <div ref={place} />
}

/** Writes the name of each point beside it. */
function label(plot: import('uplot'), points: ReturnType<typeof measured>, fill: string): void {
  const { ctx } = plot
  ctx.save()
  ctx.fillStyle = fill
  ctx.textAlign = 'left'
  ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`
  for (const point of points)
    ctx.fillText(
      title(point),
      plot.valToPos(point.l0, 'x', true) + 9 * devicePixelRatio,
      plot.valToPos(point.lossRecovered, 'y', true) - 7 * devicePixelRatio,
    )
  ctx.restore()
}
