import { For, Show } from 'solid-js'
import type { FeatureSort } from '../../../../src/server/protocol'
import { number } from '../../components/tokens'
import type { ListQuery } from '../../list-query'

/** Ways to sort, and which way each begins. */
export const sorts: {
  value: FeatureSort
  name: string
  order: 'asc' | 'desc'
  needs?: 'map' | 'explanations'
}[] = [
  { value: 'density', name: 'density', order: 'desc' },
  { value: 'max', name: 'maximum', order: 'desc' },
  { value: 'mean', name: 'mean', order: 'desc' },
  { value: 'score', name: 'score', order: 'desc', needs: 'explanations' },
  { value: 'id', name: 'number', order: 'asc' },
  { value: 'map', name: 'neighbours together', order: 'asc', needs: 'map' },
  { value: 'random', name: 'random', order: 'desc' },
]

type RangeName = 'minDensity' | 'maxDensity' | 'minMax' | 'maxMax' | 'minScore' | 'maxScore'

/** A range: what is typed is `factor` times what is asked for. */
const ranges: { label: string; unit: string; factor: number; low: RangeName; high: RangeName }[] = [
  { label: 'Density', unit: '%', factor: 100, low: 'minDensity', high: 'maxDensity' },
  { label: 'Maximum', unit: '', factor: 1, low: 'minMax', high: 'maxMax' },
  { label: 'Score', unit: '', factor: 1, low: 'minScore', high: 'maxScore' },
]

export interface ListFiltersProps {
  query: ListQuery
  has: { map: boolean; explanations: boolean }
  onChange: (change: ListQuery) => void
  onReset: () => void
}

/** What leaves features out. */
export function ListFilters(props: ListFiltersProps) {
  return (
    <div class="list-filters">
      <For each={ranges}>
        {(range) => <Range range={range} query={props.query} onChange={props.onChange} />}
      </For>
      <Choice
        label="Single-token"
        name="singleToken"
        value={props.query.singleToken}
        onChange={(singleToken) => props.onChange({ singleToken })}
      />
      <Choice
        label="Labelled by you"
        name="labelled"
        value={props.query.labelled}
        onChange={(labelled) => props.onChange({ labelled })}
      />
      <Show when={props.has.map}>
        <div class="field">
          <label for="filter-cluster">Cluster on the map</label>
          <input
            id="filter-cluster"
            type="number"
            min="0"
            step="1"
            placeholder="any"
            value={props.query.cluster ?? ''}
            onChange={(event) => props.onChange({ cluster: typedNumber(event.currentTarget) })}
          />
        </div>
      </Show>
      <button
        type="button"
        class="plain reset"
        disabled={activeFilters(props.query).length === 0}
        onClick={() => props.onReset()}
      >
        Reset all
      </button>
    </div>
  )
}

const typedNumber = (input: HTMLInputElement): number | undefined =>
  input.value === '' || !Number.isFinite(input.valueAsNumber) ? undefined : input.valueAsNumber

/** No digits that come from multiplying by a hundred. */
const tidy = (value: number): number => Number(value.toPrecision(12))

function Range(props: {
  range: (typeof ranges)[number]
  query: ListQuery
  onChange: (change: ListQuery) => void
}) {
  const { label, unit, factor, low, high } = props.range
  const end = (name: RangeName, word: string, placeholder: string) => (
    <input
      type="number"
      step="any"
      aria-label={`${label}, ${word}${unit && ' in per cent'}`}
      placeholder={placeholder}
      value={props.query[name] === undefined ? '' : tidy((props.query[name] ?? 0) * factor)}
      onChange={(event) => {
        const value = typedNumber(event.currentTarget)
        props.onChange({ [name]: value === undefined ? undefined : tidy(value / factor) })
      }}
    />
  )
  return (
    <fieldset class="field">
      <legend>
        {label}
        {unit && `, ${unit}`}
      </legend>
      <div class="range">
        {end(low, 'at least', 'from')}
        <span aria-hidden="true">–</span>
        {end(high, 'at most', 'to')}
      </div>
    </fieldset>
  )
}

const answers = [
  { value: undefined, name: 'all' },
  { value: 'true', name: 'yes' },
  { value: 'false', name: 'no' },
] as const

function Choice(props: {
  label: string
  name: string
  value: 'true' | 'false' | undefined
  onChange: (value: 'true' | 'false' | undefined) => void
}) {
  return (
    <fieldset class="field">
      <legend>{props.label}</legend>
      <div class="segmented">
        <For each={answers}>
          {({ value, name }) => (
            <label>
              <input
                type="radio"
                name={props.name}
                checked={props.value === value}
                onChange={() => props.onChange(value)}
              />
              <span>{name}</span>
            </label>
          )}
        </For>
      </div>
    </fieldset>
  )
}

/** One filter in words, and how to take it away. */
export interface ActiveFilter {
  words: string
  without: ListQuery
}

/** Filters and the search, each in words: what an empty list may be loosened by. */
export function activeFilters(query: ListQuery): ActiveFilter[] {
  const found: ActiveFilter[] = []
  if (query.q) found.push({ words: `“${query.q}”`, without: { q: undefined, in: undefined } })
  for (const { label, unit, factor, low, high } of ranges)
    for (const [name, sign] of [
      [low, '≥'],
      [high, '≤'],
    ] as const) {
      const value = query[name]
      if (value !== undefined)
        found.push({
          words: `${label.toLowerCase()} ${sign} ${number(value * factor)}${unit}`,
          without: { [name]: undefined },
        })
    }
  if (query.singleToken)
    found.push({
      words: query.singleToken === 'true' ? 'single-token' : 'not single-token',
      without: { singleToken: undefined },
    })
  if (query.labelled)
    found.push({
      words: query.labelled === 'true' ? 'labelled' : 'not labelled',
      without: { labelled: undefined },
    })
  if (query.cluster !== undefined)
    found.push({ words: `cluster ${query.cluster}`, without: { cluster: undefined } })
  return found
}
