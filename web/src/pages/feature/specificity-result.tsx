import { For, Show } from 'solid-js'
import type { Specificity } from '../../../../src/server/protocol'
import { number } from '../../components/tokens'
import { BarTable } from './bar-table'
import { percent, whole, withMinus } from './figures'

/** One concept: columns of tokens by activation, cut where the concept holds, and the precision of each level. */
export function SpecificityResult(props: { found: Specificity; open: boolean }) {
  return (
    <details open={props.open} class="specificity-result">
      <summary>
        <b>
          <bdi>{props.found.concept}</bdi>
        </b>
        <Show when={props.found.correlation !== null}>
          <span class="quiet"> · correlation {withMinus(props.found.correlation ?? 0)}</span>
        </Show>
      </summary>
      <p class="quiet small">
        <bdi>{props.found.description}</bdi>: {whole(props.found.positives)} of {whole(props.found.tokens)}{' '}
        tokens; the feature fires on {whole(props.found.fires)}.{' '}
        {props.found.source === 'case-study' &&
          "From the run's case studies, on text that did not choose the feature."}
      </p>
      <Show when={props.found.reason === null} fallback={<p>{props.found.reason}</p>}>
        <Columns found={props.found} />
        <Levels found={props.found} />
      </Show>
    </details>
  )
}

/** Columns over (0, max]: heights by log(1 + tokens), each cut at the share on which the concept holds. */
function Columns(props: { found: Specificity }) {
  const columns = () => {
    const { holds, others } = props.found.columns
    const tallest = Math.max(...holds.map((count, i) => Math.log1p(count + others[i])), 1e-12)
    return holds.map((count, i) => {
      const total = count + others[i]
      const height = (100 * Math.log1p(total)) / tallest
      const from = (props.found.max * i) / holds.length
      const to = (props.found.max * (i + 1)) / holds.length
      return {
        height,
        held: total === 0 ? 0 : (height * count) / total,
        title: `${number(from)} to ${number(to)}: holds on ${whole(count)}, not on ${whole(others[i])}`,
      }
    })
  }
  return (
    <Show when={props.found.columns.holds.length > 0}>
      <figure class="histogram specificity-columns">
        <svg
          viewBox={`0 0 ${props.found.columns.holds.length} 100`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`Tokens by activation, 0 to ${number(props.found.max)}, cut at the share on which ${props.found.concept} holds; the table below has the shares`}
        >
          <For each={columns()}>
            {({ height, held, title }, i) => (
              <g>
                <title>{title}</title>
                <rect class="holds" x={i() + 0.05} width={0.9} y={100 - held} height={held} />
                <rect class="others" x={i() + 0.05} width={0.9} y={100 - height} height={height - held} />
              </g>
            )}
          </For>
        </svg>
        <figcaption>
          <span>0</span>
          <span>{number(props.found.max)}</span>
        </figcaption>
      </figure>
      <ul class="legend">
        <li>
          <span class="swatch holds" aria-hidden="true" /> the concept holds
        </li>
        <li>
          <span class="swatch others" aria-hidden="true" /> it does not
        </li>
        <li>heights logarithmic, cut by share</li>
      </ul>
    </Show>
  )
}

/** Levels of case studies overlap: each goes on to the maximum. */
function levelText(source: Specificity['source'], above: number, to: number): string {
  if (source === 'case-study') return above === 0 ? 'active' : `above ${number(above)}`
  return to === 0 ? 'not active' : `${number(above)} – ${number(to)}`
}

function Levels(props: { found: Specificity }) {
  return (
    <BarTable
      caption="By level of activation"
      showCaption
      columns={[
        { name: 'activation' },
        { name: 'tokens' },
        { name: 'holds on', title: 'share of these tokens on which the concept holds: the precision' },
        {
          name: 'log ratio',
          title: 'log-likelihood ratio, natural logarithm: P(level | holds) / P(level | does not)',
        },
      ]}
      rows={props.found.levels.map(({ above, to, tokens, holds, logLikelihoodRatio }) => ({
        head: <span class="number">{levelText(props.found.source, above, to)}</span>,
        cells: [
          { text: whole(tokens) },
          holds === null ? { text: '–' } : { text: percent(holds), share: holds },
          { text: logLikelihoodRatio === null ? '–' : withMinus(logLikelihoodRatio) },
        ],
      }))}
    />
  )
}
