import { For, Show } from 'solid-js'
import type { Figure } from '../../../../src/server/protocol'
import { number } from '../../components/tokens'

const bytes = Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** A value with its unit. */
export function figureText(value: number | null, unit: Figure['unit']): string {
  if (value === null) return '–'
  if (unit === 'count') return bytes.format(value)
  if (unit === 'share') return `${number(100 * value)}%`
  const digits = Math.abs(value) >= 100 ? number(value) : value.toPrecision(3)
  if (unit === 'nats' || unit === 'bits') return `${digits} ${unit}`
  return unit === 'rate' ? number(value) : digits
}

const intervalText = ({ interval, unit }: Figure): string =>
  interval === null ? '' : `${figureText(interval[0], unit)} to ${figureText(interval[1], unit)}`

/** Where a figure comes from, on demand. */
const Source = (props: { figure: Figure }) => (
  <details class="source">
    <summary class="small quiet" aria-label={`Source of ${props.figure.label}`}>
      Source
    </summary>
    <code class="small">{props.figure.source}</code>
  </details>
)

/** The figures that tell most, large, each with what it means and what it has to be compared with. */
export function Headlines(props: { figures: readonly Headline[] }) {
  return (
    <ul class="headlines">
      <For each={props.figures}>
        {({ figure, against }) => (
          <li class="panel headline">
            <h2>{figure.label}</h2>
            <p class="figure-value">{figureText(figure.value, figure.unit)}</p>
            <p class="small quiet interval">
              <Show when={figure.interval} fallback={<>&nbsp;</>}>
                95%: {intervalText(figure)}
              </Show>
            </p>
            <div>
              <p class="small">{figure.explanation}</p>
              <For each={against}>
                {(other) => (
                  <p class="small quiet against">
                    {other.label}: <strong>{figureText(other.value, other.unit)}</strong>
                  </p>
                )}
              </For>
            </div>
            <Source figure={figure} />
          </li>
        )}
      </For>
    </ul>
  )
}

/** Figures whose bars may be compared: the same unit, the same kind of label. */
const comparable = [/\bloss\b(?! recovered)/i, /^spearman/i]

/** Length of a figure's bar, beside the others of its kind; null: nothing to compare with. */
function barShare(figure: Figure, all: readonly Figure[]): number | null {
  const kind = comparable.find((pattern) => pattern.test(figure.label))
  if (kind === undefined || figure.value === null) return null
  const values = all
    .filter(({ label, unit }) => kind.test(label) && unit === figure.unit)
    .map(({ value }) => value ?? 0)
  return values.length < 2 ? null : Math.max(0, figure.value / Math.max(...values))
}

/** All figures of one part. */
export function FigureTable(props: { figures: readonly Figure[]; caption: string }) {
  return (
    <div class="scroll-x">
      <table class="data figures">
        <caption class="visually-hidden">{props.caption}</caption>
        <thead class="visually-hidden">
          <tr>
            <th scope="col">Figure</th>
            <th scope="col">Value</th>
          </tr>
        </thead>
        <tbody>
          <For each={props.figures}>
            {(figure) => (
              <tr>
                <th scope="row">
                  <details>
                    <summary>{figure.label}</summary>
                    <p class="small quiet">{figure.explanation}</p>
                    <code class="small">{figure.source}</code>
                  </details>
                </th>
                <td class="number">
                  <Show when={barShare(figure, props.figures)} fallback={<Value figure={figure} />}>
                    {(share) => (
                      <span class="meter" style={{ '--share': share() }}>
                        <Value figure={figure} />
                      </span>
                    )}
                  </Show>
                </td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </div>
  )
}

const Value = (props: { figure: Figure }) => (
  <>
    <strong>{figureText(props.figure.value, props.figure.unit)}</strong>
    <Show when={props.figure.interval}>
      <span class="small quiet"> ({intervalText(props.figure)})</span>
    </Show>
  </>
)

/** Names of the figures that a reader looks for first, in this order, and what they have to be compared with. */
const first: { name: string; against: string[] }[] = [
  { name: 'valLoss', against: ['bigramLoss', 'unigramLoss'] },
  { name: 'explainedVariance', against: [] },
  { name: 'l0', against: [] },
  { name: 'lossRecovered', against: [] },
  { name: 'deadFraction', against: [] },
  { name: 'spearman', against: ['bestNeuron', 'shuffled'] },
]

/** A figure to begin with, and others that say how good it is. */
export interface Headline {
  figure: Figure
  against: Figure[]
}

/** The figures to begin with, from all parts; of two with one name the later is the one that was measured on held-out text. */
export function headlines(figures: readonly Figure[]): Headline[] {
  const named = (wanted: string): Figure[] => [figures.findLast(({ name }) => name === wanted) ?? []].flat()
  return first.flatMap(({ name, against }) =>
    named(name).map((figure) => ({ figure, against: against.flatMap(named) })),
  )
}
