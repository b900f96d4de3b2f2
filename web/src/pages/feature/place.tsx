import { A } from '@solidjs/router'
import { createEffect, createSignal, onCleanup, onMount, Show } from 'solid-js'
import type { FeatureMap, FeaturePage, RunInfo } from '../../../../src/server/protocol'
import { getMap } from '../../api'
import { Failure } from '../../components/failure'
import { address } from '../../runs'
import { colour } from '../../theme'
import { load } from './load'

/** Maps that were loaded: one for each run, it does not change. */
const maps = new Map<string, Promise<FeatureMap>>()

function mapOf(run: string): Promise<FeatureMap> {
  const found = maps.get(run) ?? getMap(run)
  maps.set(run, found)
  found.catch(() => maps.delete(run))
  return found
}

/** Where the feature and its neighbours are on the map. */
export function PlacePanel(props: { run: RunInfo; page: FeaturePage }) {
  return (
    <section class="panel place" aria-labelledby="place">
      <h2 id="place">On the map</h2>
      <Show
        when={props.run.has.map}
        fallback={
          <p class="quiet">
            There is no map yet: <code>monosem features map --run DIR</code>
          </p>
        }
      >
        <Show when={props.page.place} fallback={<p class="quiet">The map does not have this feature.</p>}>
          {(place) => (
            <>
              <A
                class="place-link"
                href={`${address.map(props.run.run)}?feature=${props.page.feature}`}
                aria-label={`Feature ${props.page.feature} on the map`}
              >
                <Scatter {...props} />
              </A>
              <p class="quiet small">
                Ring: this feature, in cluster {place().cluster}. Dots: its neighbours by decoder cosine.
              </p>
            </>
          )}
        </Show>
      </Show>
    </section>
  )
}

function Scatter(props: { run: RunInfo; page: FeaturePage }) {
  let canvas: HTMLCanvasElement | undefined
  const [near, setNear] = createSignal(false)
  const map = load(() => (near() ? props.run.run : undefined), mapOf)
  onMount(() => {
    if (!canvas) return
    // The map of a large dictionary is megabytes: it waits until it is about to be seen.
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry.isIntersecting) setNear(true)
      },
      { rootMargin: '400px' },
    )
    observer.observe(canvas)
    onCleanup(() => observer.disconnect())
  })
  createEffect(() => {
    const loaded = map.value()
    if (canvas && loaded) draw(canvas, loaded, props.page)
  })
  return (
    <>
      <canvas ref={canvas} class="place-canvas" width={640} height={480} />
      <Show when={map.error()}>
        <Failure error={map.error()} retry={map.retry} />
      </Show>
    </>
  )
}

/** All features as faint points, the neighbours as dots, the feature as a ring. */
function draw(canvas: HTMLCanvasElement, map: FeatureMap, page: FeaturePage): void {
  const context = canvas.getContext('2d')
  if (!context) return
  const { width, height } = canvas
  const place = fit(map, width, height)
  const marked = new Set(page.neighbours.map(({ feature }) => feature))
  const neighbours: [x: number, y: number][] = []
  let own: [x: number, y: number] | undefined
  context.clearRect(0, 0, width, height)
  context.fillStyle = colour('bar')
  context.globalAlpha = 0.45
  for (let i = 0; i < map.feature.length; i++) {
    const [x, y] = place(map.x[i], map.y[i])
    context.fillRect(x - 1, y - 1, 2, 2)
    if (map.feature[i] === page.feature) own = [x, y]
    else if (marked.has(map.feature[i])) neighbours.push([x, y])
  }
  context.globalAlpha = 1
  context.fillStyle = colour('down')
  for (const [x, y] of neighbours) dot(context, x, y, 5).fill()
  if (!own) return
  context.strokeStyle = colour('text')
  context.lineWidth = 3
  dot(context, own[0], own[1], 11).stroke()
  dot(context, own[0], own[1], 3).fill()
}

function dot(context: CanvasRenderingContext2D, x: number, y: number, radius: number) {
  context.beginPath()
  context.arc(x, y, radius, 0, 2 * Math.PI)
  return context
}

/** Coordinates of the map to pixels, both in one scale, in the middle. */
function fit({ x, y }: FeatureMap, width: number, height: number) {
  const range = (values: readonly number[]): [low: number, high: number] => {
    let low = Number.POSITIVE_INFINITY
    let high = Number.NEGATIVE_INFINITY
    for (const value of values) {
      low = Math.min(low, value)
      high = Math.max(high, value)
    }
    return [low, high]
  }
  const [left, right] = range(x)
  const [bottom, top] = range(y)
  const edge = 16
  const scale = Math.min(
    (width - 2 * edge) / Math.max(right - left, 1e-9),
    (height - 2 * edge) / Math.max(top - bottom, 1e-9),
  )
  return (px: number, py: number): [number, number] => [
    width / 2 + (px - (left + right) / 2) * scale,
    height / 2 - (py - (bottom + top) / 2) * scale,
  ]
}
