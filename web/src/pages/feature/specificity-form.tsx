import { createSignal, For, Match, onCleanup, Show, Switch } from 'solid-js'
import type { RunInfo, Specificity, SpecificityRequest } from '../../../../src/server/protocol'
import { Failure } from '../../components/failure'
import { measureSpecificity } from './requests'

const kinds = ['script', 'named', 'regex'] as const
type Kind = (typeof kinds)[number]

const kindNames: Record<Kind, string> = {
  script: 'Unicode script',
  named: 'built-in concept',
  regex: 'regular expression',
}
const builtIn = ['arabic', 'hebrew', 'dna', 'base64']
const scripts = [
  ...['Arabic', 'Armenian', 'Bengali', 'Cyrillic', 'Devanagari', 'Ethiopic', 'Georgian', 'Greek', 'Han'],
  ...['Hangul', 'Hebrew', 'Hiragana', 'Katakana', 'Latin', 'Tamil', 'Telugu', 'Thai'],
]

/** Chooses a concept and measures the feature against it; a run can be stopped. */
export function SpecificityForm(props: { run: RunInfo; feature: number; add: (found: Specificity) => void }) {
  const [kind, setKind] = createSignal<Kind>('script')
  const [script, setScript] = createSignal('Arabic')
  const [name, setName] = createSignal(builtIn[0])
  const [regex, setRegex] = createSignal('')
  const [error, setError] = createSignal<unknown>()
  const [running, setRunning] = createSignal<AbortController>()
  onCleanup(() => running()?.abort())
  const concept = (): SpecificityRequest['concept'] => {
    if (kind() === 'script') return { kind: 'script', script: script().trim() }
    if (kind() === 'named') return { kind: 'named', name: name() }
    return { kind: 'regex', regex: regex() }
  }
  const complete = () => (kind() === 'regex' ? regex() !== '' : kind() === 'named' || script().trim() !== '')
  const measure = async () => {
    const abort = new AbortController()
    setRunning(abort)
    setError(undefined)
    try {
      props.add(await measureSpecificity(props.run.run, props.feature, { concept: concept() }, abort.signal))
    } catch (cause) {
      if (!abort.signal.aborted) setError(() => cause)
    } finally {
      setRunning(undefined)
    }
  }
  return (
    <form
      class="specificity-form"
      onSubmit={(event) => {
        event.preventDefault()
        if (complete() && !running()) void measure()
      }}
    >
      <div class="row">
        <select
          aria-label="Kind of concept"
          value={kind()}
          onChange={(event) => setKind(event.currentTarget.value as Kind)}
        >
          <For each={kinds}>{(kind) => <option value={kind}>{kindNames[kind]}</option>}</For>
        </select>
        <Switch>
          <Match when={kind() === 'script'}>
            <input
              aria-label="Script"
              list="specificity-scripts"
              maxLength={40}
              value={script()}
              onInput={(event) => setScript(event.currentTarget.value)}
            />
            <datalist id="specificity-scripts">
              <For each={scripts}>{(script) => <option value={script} />}</For>
            </datalist>
          </Match>
          <Match when={kind() === 'named'}>
            <select
              aria-label="Concept"
              value={name()}
              onChange={(event) => setName(event.currentTarget.value)}
            >
              <For each={builtIn}>{(name) => <option value={name}>{name}</option>}</For>
            </select>
          </Match>
          <Match when={kind() === 'regex'}>
            <input
              class="mono"
              aria-label="Regular expression"
              placeholder="\b[A-Z]{2,}\b"
              maxLength={200}
              spellcheck={false}
              value={regex()}
              onInput={(event) => setRegex(event.currentTarget.value)}
            />
          </Match>
        </Switch>
        <Show
          when={running()}
          fallback={
            <button type="submit" class="primary" disabled={!complete()}>
              Measure
            </button>
          }
        >
          <button type="button" onClick={() => running()?.abort()}>
            Stop
          </button>
        </Show>
      </div>
      <p class="status small" aria-live="polite">
        {running() ? 'Running the model on 100,000 tokens of text…' : ''}
      </p>
      <Show when={error()}>
        <Failure error={error()} retry={() => void measure()} />
      </Show>
    </form>
  )
}
