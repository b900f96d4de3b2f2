import { For, Index, Show } from 'solid-js'
import { number } from './tokens'

export interface HistogramProps {
  /** equal bins over [low, high] */
  counts: readonly number[]
  low: number
  high: number
  /** what is counted, for those who do not see the bars */
  label: string
  /** heights by log(1 + count); default false */
  logarithmic?: boolean
  /** how a place on the axis is written; default: two or three digits */
  format?: (at: number) => string
  /** whether whole numbers between the ends are written too; default false */
  ticks?: boolean
}

/** Bars of counts, the ends of their range below them. */
export function Histogram(props: HistogramProps) {
  const height = (count: number) => (props.logarithmic ? Math.log1p(count) : count)
  const tallest = () => Math.max(...props.counts.map(height), 1e-12)
  const write = (at: number) => (props.format ?? number)(at)
  const edge = (i: number) => props.low + ((props.high - props.low) * i) / props.counts.length
  const whole = () => {
    const first = Math.ceil(props.low)
    return Array.from({ length: Math.max(0, Math.floor(props.high) - first + 1) }, (_, i) => first + i)
  }
  const share = (at: number) => (at - props.low) / (props.high - props.low)
  return (
    <figure class="histogram">
      <svg
        viewBox={`0 0 ${props.counts.length} 100`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${props.label}, from ${write(props.low)} to ${write(props.high)}`}
      >
        <Index each={props.counts}>
          {(count, i) => (
            <rect x={i + 0.05} width={0.9} y={100 - (100 * height(count())) / tallest()} height="100">
              <title>{`${write(edge(i))} to ${write(edge(i + 1))}: ${count().toLocaleString('en-US')}`}</title>
            </rect>
          )}
        </Index>
      </svg>
      <Show
        when={props.ticks}
        fallback={
          <figcaption>
            <span>{write(props.low)}</span>
            <span>{write(props.high)}</span>
          </figcaption>
        }
      >
        <figcaption class="ticks">
          <For each={whole()}>{(at) => <span style={{ '--at': share(at) }}>{write(at)}</span>}</For>
        </figcaption>
      </Show>
    </figure>
  )
}
