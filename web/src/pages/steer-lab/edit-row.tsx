import { Show } from 'solid-js'
import { FeatureLink } from '../../components/feature-link'
import { number } from '../../components/tokens'
import type { KnownFeature } from './known-features'
import { bounded, type Edit, modes, sliderRange, strengthRange } from './settings'

export interface EditRowProps {
  run: string
  edit: Edit
  known: KnownFeature | Error | undefined
  onChange: (change: Partial<Edit>) => void
  onRemove: () => void
}

const modeMeanings = {
  clamp: 'its activation becomes the strength',
  add: 'the strength is added to its activation',
  ablate: 'its activation becomes 0',
}

/** One feature: what is done to it, and how strongly. */
export function EditRow(props: EditRowProps) {
  const known = () => (props.known instanceof Error ? undefined : props.known)
  const name = () => `feature ${props.edit.feature}`
  const ablated = () => props.edit.mode === 'ablate'
  const absolute = () => {
    const max = known()?.max
    return max === undefined ? '' : ` = ${minus(number(props.edit.strength * max))}`
  }
  const setStrength = (text: string) =>
    props.onChange({ strength: bounded(text, -strengthRange, strengthRange, props.edit.strength) })
  return (
    <li class="edit">
      <div class="edit-head">
        <FeatureLink run={props.run} feature={props.edit.feature} name={known()?.name} />
        <button type="button" class="remove" aria-label={`Remove ${name()}`} onClick={() => props.onRemove()}>
          ×
        </button>
      </div>
      <div class="edit-controls">
        <select
          aria-label={`What is done to ${name()}`}
          title={modeMeanings[props.edit.mode]}
          value={props.edit.mode}
          onChange={(event) =>
            props.onChange({ mode: modes.find((mode) => mode === event.currentTarget.value) })
          }
        >
          {modes.map((mode) => (
            <option value={mode}>{mode}</option>
          ))}
        </select>
        <input
          type="range"
          aria-label={`Strength of ${name()}, in units of its maximum`}
          min={-sliderRange}
          max={sliderRange}
          step={0.5}
          disabled={ablated()}
          value={props.edit.strength}
          aria-valuetext={`${props.edit.strength} times the maximum${absolute()}`}
          onInput={(event) => setStrength(event.currentTarget.value)}
        />
        <input
          type="number"
          class="strength"
          aria-label={`Strength of ${name()} as a number`}
          min={-strengthRange}
          max={strengthRange}
          step={0.5}
          disabled={ablated()}
          value={props.edit.strength}
          onChange={(event) => {
            setStrength(event.currentTarget.value)
            event.currentTarget.value = String(props.edit.strength)
          }}
        />
      </div>
      <p class="edit-meaning quiet">
        <Show when={!ablated()} fallback={<>activation 0: {modeMeanings.ablate}</>}>
          {minus(String(props.edit.strength))} × maximum{absolute()}: {modeMeanings[props.edit.mode]}
        </Show>
      </p>
      <Show when={known()?.dead}>
        <p class="edit-warning">This feature never fired on the run's text: it has no maximum to steer by.</p>
      </Show>
      <Show when={props.known instanceof Error && props.known}>
        {(error) => <p class="edit-warning">{error().message}</p>}
      </Show>
    </li>
  )
}

const minus = (text: string): string => text.replace('-', '−')
