import type { SteerRequest } from '../../../../src/server/protocol'

/*
 * What is steered and how, and the two ways to pass it on: an address and a command line. The address holds `features=1050:5,12:-2:add,7:ablate` (number,
 * strength, mode; clamp is left out) and only those options that differ from their defaults.
 */

export const modes = ['clamp', 'add', 'ablate'] as const
export type Mode = (typeof modes)[number]

export interface Edit {
  feature: number
  mode: Mode
  /** in units of the feature's maximum */
  strength: number
}

export interface Settings {
  edits: Edit[]
  prompt: string
  maxTokens: number
  /** 0: always the most probable token */
  temperature: number
  seed: number
  scope: 'all' | 'generated'
}

/** The server takes no more. */
export const mostEdits = 16
/** Range of the slider; the number field goes as far as the server does. */
export const sliderRange = 10
export const strengthRange = 100

export const defaults: Settings = {
  edits: [],
  prompt: 'The weather today is',
  maxTokens: 64,
  temperature: 0.8,
  seed: 0,
  scope: 'all',
}

/** A number within bounds; `fallback` where it is none. */
export function bounded(text: string | undefined, low: number, high: number, fallback: number): number {
  const value = text === undefined || text.trim() === '' ? Number.NaN : Number(text)
  return Number.isFinite(value) ? Math.min(high, Math.max(low, value)) : fallback
}

/** Settings from an address; what makes no sense is left out. */
export function readSettings(query: Record<string, string | string[] | undefined>): Settings {
  const text = (name: string): string | undefined => {
    const value = query[name]
    return Array.isArray(value) ? value[0] : value
  }
  return {
    edits: readEdits(text('features') ?? ''),
    prompt: text('prompt') ?? defaults.prompt,
    maxTokens: Math.round(bounded(text('tokens'), 1, 512, defaults.maxTokens)),
    temperature: bounded(text('temperature'), 0, 5, defaults.temperature),
    seed: Math.round(bounded(text('seed'), 0, 0xffffffff, defaults.seed)),
    scope: text('scope') === 'generated' ? 'generated' : 'all',
  }
}

function readEdits(text: string): Edit[] {
  const edits = new Map<number, Edit>()
  for (const part of text.split(',')) {
    const [, feature, strength, mode] = /^(\d{1,9})(?::(-?[\d.]+))?(?::(clamp|add|ablate))?$/.exec(part) ?? []
    if (feature === undefined) continue
    edits.set(Number(feature), {
      feature: Number(feature),
      strength: bounded(strength, -strengthRange, strengthRange, 5),
      mode: modes.find((known) => known === mode) ?? 'clamp',
    })
  }
  return [...edits.values()].slice(0, mostEdits)
}

const writeEdit = ({ feature, mode, strength }: Edit): string =>
  mode === 'ablate' ? `${feature}:ablate` : `${feature}:${strength}${mode === 'clamp' ? '' : `:${mode}`}`

/** Longest prompt that an address holds: servers and programs that pass addresses on refuse very long ones. */
export const longestPromptInAddress = 6000

/** Query parameters of the settings; undefined for those that are as they are without. */
export function writeSettings(settings: Settings): Record<string, string | undefined> {
  const { edits, prompt, maxTokens, temperature, seed, scope } = settings
  const unless = (fallback: number | string, value: number | string) =>
    value === fallback ? undefined : String(value)
  const fits = encodeURIComponent(prompt).length <= longestPromptInAddress
  return {
    features: edits.length === 0 ? undefined : edits.map(writeEdit).join(','),
    prompt: fits ? unless(defaults.prompt, prompt) : undefined,
    tokens: unless(defaults.maxTokens, maxTokens),
    temperature: unless(defaults.temperature, temperature),
    seed: unless(defaults.seed, seed),
    scope: unless(defaults.scope, scope),
  }
}

/** What the server is asked. */
export const requestOf = ({ edits, ...rest }: Settings): SteerRequest => ({
  ...rest,
  edits: edits.map((edit) => ({ ...edit })),
  topP: 1,
})

/**
 * The command that does the same, or why there is none: the command line has one mode and one strength for all features.
 * @param directory the run's, as it was given to the server
 */
export function commandLine(directory: string, settings: Settings): { command: string } | { reason: string } {
  const { edits, prompt, maxTokens, temperature, seed, scope } = settings
  const [first] = edits
  if (!first) return { reason: 'Choose a feature first.' }
  const same = edits.every(
    ({ mode, strength }) => mode === first.mode && (mode === 'ablate' || strength === first.strength),
  )
  if (!same) return { reason: 'monosem steer has one mode and one strength for all features.' }
  const flags = [
    ['run', quote(directory)],
    ['feature', edits.map(({ feature }) => feature).join(',')],
    ...(first.mode === 'clamp' ? [] : [['mode', first.mode]]),
    ...(first.mode === 'ablate' ? [] : [['strength', String(first.strength)]]),
    ['prompt', quote(prompt)],
    ['max-tokens', String(maxTokens)],
    ['temperature', String(temperature)],
    ['top-p', '1'],
    ['seed', String(seed)],
    ...(scope === 'all' ? [] : [['scope', scope]]),
  ]
  return { command: `monosem steer ${flags.map(([name, value]) => `--${name} ${value}`).join(' ')}` }
}

/** A word of a POSIX shell. */
const quote = (text: string): string =>
  /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
