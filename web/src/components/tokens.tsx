import { Index } from 'solid-js'

/*
 * Text that a model reads, piece by piece, each on a background as strong as the feature's activation. The text as a whole is isolated from the page and
 * takes its direction from its first letter; the pieces are not isolated from each other: Arabic or Hebrew words of several tokens have to read on, and
 * their letters to join, as in any text. A token by itself belongs into a `bdi`.
 */

export interface TokensProps {
  segments: readonly string[]
  activations: readonly number[]
  /** the activation of the strongest colour */
  max: number
  /** the segment that the text is about */
  focus?: number
  /** change of log-likelihood when the feature is taken out, nats: underlined */
  effects?: readonly (number | null)[] | null
  /** line ends of the text end the line here too; default false */
  lines?: boolean
  /** text was left out before or after: an ellipsis stands there, on the side where the text begins or ends */
  cut?: { before: boolean; after: boolean }
  /** stands inside a `ReadOut`, which shows the values; default false: the browser's own tooltip does */
  readOut?: boolean
}

/** Steps of the scale, see --heat-1 .. --heat-6 in theme.css. */
const heatSteps = 6

/** Which colour of the scale: 0 for none. */
export const heat = (activation: number, max: number): number =>
  activation > 0 && max > 0 ? Math.min(heatSteps, Math.floor((activation / max) * heatSteps) + 1) : 0

/** Which underline: 0 none, 1 faint to 3 strong; negative where the text becomes less likely without the feature. */
export function underline(effect: number | null | undefined): number {
  if (effect == null || Math.abs(effect) < 0.02) return 0
  const strength = Math.abs(effect) < 0.1 ? 1 : Math.abs(effect) < 0.5 ? 2 : 3
  return effect < 0 ? -strength : strength
}

export function Tokens(props: TokensProps) {
  return (
    <bdi class="tokens" dir="auto">
      {props.cut?.before ? <span class="quiet">…</span> : null}
      <Index each={props.segments}>
        {(text, i) => {
          const activation = () => props.activations[i] ?? 0
          const effect = () => props.effects?.[i]
          return (
            <span
              class="token"
              data-heat={heat(activation(), props.max)}
              data-effect={underline(effect()) || undefined}
              data-focus={props.focus === i ? '' : undefined}
              title={props.readOut ? undefined : tokenTitle(activation(), effect())}
              data-values={props.readOut ? tokenTitle(activation(), effect()) : undefined}
            >
              {props.lines ? text().replaceAll('↵', '↵\n') : text()}
            </span>
          )
        }}
      </Index>
      {props.cut?.after ? <span class="quiet">…</span> : null}
    </bdi>
  )
}

function tokenTitle(activation: number, effect: number | null | undefined): string {
  const parts = [activation > 0 ? `activation ${number(activation)}` : 'not active']
  if (effect != null) parts.push(`without the feature: ${signed(effect)} nats for the next token`)
  return parts.join('\n')
}

/** Two or three significant digits. */
export const number = (value: number): string =>
  Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)))

export const signed = (value: number): string => `${value < 0 ? '−' : '+'}${number(Math.abs(value))}`

/** A token by itself: blanks visible, because they belong to it. */
export const visibleToken = (token: string): string => token.replaceAll(' ', '␣')
