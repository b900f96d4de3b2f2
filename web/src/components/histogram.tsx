import { Index } from 'solid-js'
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
}

/** Bars of counts, the ends of their range below them. */
export function Histogram(props: HistogramProps) {
  const height = (count: number) => (props.logarithmic ? Math.log1p(count) : count)
  const tallest = () => Math.max(...props.counts.map(height), 1e-12)
  const edge = (i: number) => props.low + ((props.high - props.low) * i) / props.counts.length
  return (
    <figure class="histogram">
      <svg
        viewBox={`0 0 ${props.counts.length} 100`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${props.label}, from ${number(props.low)} to ${number(props.high)}`}
      >
        <Index each={props.counts}>
          {(count, i) => (
            <rect x={i + 0.05} width={0.9} y={100 - (100 * height(count())) / tallest()} height="100">
              <title>{`${number(edge(i))} to ${number(edge(i + 1))}: ${count().toLocaleString('en-US')}`}</title>
            </rect>
          )}
        </Index>
      </svg>
      <figcaption>
        <span>{number(props.low)}</span>
        <span>{number(props.high)}</span>
      </figcaption>
    </figure>
  )
}
