import { bounded, type Settings } from './settings'

interface NumberFieldProps {
  label: string
  value: number
  low: number
  high: number
  step: number
  onChange: (value: number) => void
}

function NumberField(props: NumberFieldProps) {
  return (
    <label class="field">
      <span class="label">{props.label}</span>
      <input
        type="number"
        min={props.low}
        max={props.high}
        step={props.step}
        value={props.value}
        onChange={(event) => {
          const value = bounded(event.currentTarget.value, props.low, props.high, props.value)
          props.onChange(props.step >= 1 ? Math.round(value) : value)
          event.currentTarget.value = String(props.value)
        }}
      />
    </label>
  )
}

/** How the model writes. */
export function Options(props: { settings: Settings; onChange: (change: Partial<Settings>) => void }) {
  return (
    <div class="options">
      <NumberField
        label="Tokens"
        value={props.settings.maxTokens}
        low={1}
        high={512}
        step={1}
        onChange={(maxTokens) => props.onChange({ maxTokens })}
      />
      <NumberField
        label="Temperature"
        value={props.settings.temperature}
        low={0}
        high={5}
        step={0.1}
        onChange={(temperature) => props.onChange({ temperature })}
      />
      <NumberField
        label="Seed"
        value={props.settings.seed}
        low={0}
        high={0xffffffff}
        step={1}
        onChange={(seed) => props.onChange({ seed })}
      />
      <label class="field">
        <span class="label">Steer</span>
        <select
          value={props.settings.scope}
          onChange={(event) =>
            props.onChange({ scope: event.currentTarget.value === 'generated' ? 'generated' : 'all' })
          }
        >
          <option value="all">all tokens</option>
          <option value="generated">what is written</option>
        </select>
      </label>
    </div>
  )
}
