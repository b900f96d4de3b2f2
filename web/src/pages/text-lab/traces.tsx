import { For, Show } from 'solid-js'
import type { TextRun } from '../../../../src/server/protocol'
import { FeatureLink } from '../../components/feature-link'
import { number, visibleToken } from '../../components/tokens'
import { useNames } from '../../names'

type Trace = TextRun['traces'][number]

export interface TracesProps {
  run: string
  segments: TextRun['segments']
  traces: readonly Trace[]
  selected: number
  /** the feature that shades the text */
  shading: number | undefined
  onSelect: (segment: number) => void
  onShade: (feature: number | undefined) => void
  onRemove: (feature: number) => void
}

/** Traced features, one line each: bars along the text. */
export function Traces(props: TracesProps) {
  const name = useNames(
    () => props.run,
    () => props.traces.map(({ feature }) => feature),
  )
  return (
    <section class="panel" aria-labelledby="lab-traces-title">
      <div class="panel-head">
        <h2 id="lab-traces-title">Traced features</h2>
        <span class="quiet small">bars along the text, as high as the feature's share of its maximum</span>
      </div>
      <Show
        when={props.traces.length > 0}
        fallback={<p class="quiet">Click a feature in a table to trace it through the text.</p>}
      >
        <ul class="lab-traces">
          <For each={props.traces}>
            {(trace) => (
              <li>
                <div class="lab-trace-head">
                  <button
                    type="button"
                    aria-pressed={props.shading === trace.feature}
                    aria-label={`Shade the text by feature ${trace.feature}`}
                    onClick={() => props.onShade(props.shading === trace.feature ? undefined : trace.feature)}
                  >
                    Shade
                  </button>
                  <span class="clip">
                    <FeatureLink run={props.run} feature={trace.feature} name={name(trace.feature)} />
                  </span>
                  <span class="quiet small number">{summary(trace)}</span>
                  <button
                    type="button"
                    class="plain icon"
                    aria-label={`Stop tracing feature ${trace.feature}`}
                    onClick={() => props.onRemove(trace.feature)}
                  >
                    ×
                  </button>
                </div>
                <Strip {...props} trace={trace} />
              </li>
            )}
          </For>
        </ul>
      </Show>
    </section>
  )
}

const firing = ({ activations }: Trace) => activations.filter((activation) => activation > 0).length

function summary(trace: Trace): string {
  const count = firing(trace)
  if (count === 0) return 'not active'
  return `${count} of ${trace.activations.length}, up to ${number(Math.max(...trace.activations))}`
}

/** A line of bars, one for each segment. */
function Strip(props: Pick<TracesProps, 'segments' | 'selected' | 'onSelect'> & { trace: Trace }) {
  const count = () => props.trace.activations.length
  const top = () => Math.max(props.trace.max, ...props.trace.activations, 1e-12)
  const label = () => {
    if (firing(props.trace) === 0) return `Feature ${props.trace.feature} does not fire on this text`
    const strongest = props.trace.activations.indexOf(Math.max(...props.trace.activations))
    return `Feature ${props.trace.feature} fires on ${firing(props.trace)} of ${count()} segments, most on segment ${strongest + 1}, ${visibleToken(props.segments[strongest]?.text ?? '')}`
  }
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: segments are chosen by keys in the text
    <svg
      class="lab-strip"
      viewBox={`0 0 ${count()} 100`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label()}
      onClick={(event) => {
        const { left, width } = event.currentTarget.getBoundingClientRect()
        props.onSelect(Math.floor((count() * (event.clientX - left)) / width))
      }}
    >
      <rect class="lab-strip-chosen" x={props.selected} y="0" width="1" height="100" />
      <For each={props.trace.activations}>
        {(activation, i) => (
          <Show when={activation > 0}>
            <rect
              x={i() + 0.08}
              width="0.84"
              y={100 - (100 * activation) / top()}
              height={(100 * activation) / top()}
            />
          </Show>
        )}
      </For>
    </svg>
  )
}
