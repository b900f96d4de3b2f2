import { useSearchParams } from '@solidjs/router'
import { createEffect, createSignal, For, onCleanup, onMount, Show } from 'solid-js'
import { createStore } from 'solid-js/store'
import type { RunInfo } from '../../../src/server/protocol'
import { useRun } from '../runs'
import { isExport } from '../source'
import { EditRow } from './steer-lab/edit-row'
import { FeatureSearch } from './steer-lab/feature-search'
import { createKnownFeatures } from './steer-lab/known-features'
import { Options } from './steer-lab/options'
import { PassOn } from './steer-lab/pass-on'
import { Presets } from './steer-lab/presets'
import { Results } from './steer-lab/results'
import {
  type Edit,
  mostEdits,
  readSettings,
  requestOf,
  type Settings,
  writeSettings,
} from './steer-lab/settings'
import { createSteerRun, isRunning } from './steer-lab/steer-run'
import './steer-lab.css'

/** Steering: choose features and strengths, and see what the model writes with and without. */
export default function SteerLab() {
  const run = useRun()
  return (
    <Show when={run()} keyed>
      {(info) => (
        <>
          <h1>Steer</h1>
          <Show when={info.has.model && !isExport} fallback={<NoModel />}>
            <Lab run={info} />
          </Show>
        </>
      )}
    </Show>
  )
}

const NoModel = () => (
  <p class="panel">
    Steering needs the model, which is not here.{' '}
    {isExport
      ? 'These pages are files: monosem serve shows the run with its model.'
      : 'The run directory has no model or no autoencoder in it.'}
  </p>
)

/** Milliseconds that settings have to rest before they are written to the address: browsers limit how often it may change. */
const rest = 300

function Lab(props: { run: RunInfo }) {
  const [query, setQuery] = useSearchParams()
  const [settings, setSettings] = createStore<Settings>(readSettings(query))
  const known = createKnownFeatures(props.run.run)
  const steered = createSteerRun(() => props.run.run)
  const [announcement, setAnnouncement] = createSignal('')
  const running = () => isRunning(steered.run)
  const flush = () => setQuery(writeSettings(settings), { replace: true })

  createEffect(() => {
    writeSettings(settings)
    const timer = setTimeout(flush, rest)
    onCleanup(() => clearTimeout(timer))
  })
  createEffect(() => {
    for (const { feature } of settings.edits) void known.ask(feature)
  })
  const start = () => {
    flush()
    void steered.start(requestOf(settings))
  }
  const stopOnEscape = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && running()) steered.stop()
  }
  onMount(() => document.addEventListener('keydown', stopOnEscape))
  onCleanup(() => {
    document.removeEventListener('keydown', stopOnEscape)
    steered.stop()
  })

  const add = (feature: number) => {
    if (settings.edits.some((edit) => edit.feature === feature))
      setAnnouncement(`Feature ${feature} is there already.`)
    else {
      setSettings('edits', (edits) => [...edits, { feature, mode: 'clamp', strength: 5 }])
      setAnnouncement(`Feature ${feature} added.`)
    }
  }
  const change = (feature: number, to: Partial<Edit>) =>
    setSettings('edits', (edit) => edit.feature === feature, to)
  const remove = (feature: number) => {
    setSettings('edits', (edits) => edits.filter((edit) => edit.feature !== feature))
    setAnnouncement(`Feature ${feature} removed.`)
  }
  const obstacle = () => {
    if (settings.edits.length === 0) return 'Add a feature to steer with.'
    return null
  }
  return (
    <div class="steer-lab">
      <form
        class="panel settings"
        aria-label="What to steer"
        onSubmit={(event) => {
          event.preventDefault()
          if (!running() && obstacle() === null) start()
        }}
      >
        <h2>Features</h2>
        <Presets
          run={props.run.run}
          onChoose={(feature) => setSettings('edits', [{ feature, mode: 'clamp', strength: 5 }])}
        />
        <ul class="edits" aria-label="Features to steer">
          <For each={settings.edits} fallback={<li class="quiet no-edit">No feature is chosen yet.</li>}>
            {(edit) => (
              <EditRow
                run={props.run.run}
                edit={edit}
                known={known.of(edit.feature)}
                onChange={(to) => change(edit.feature, to)}
                onRemove={() => remove(edit.feature)}
              />
            )}
          </For>
        </ul>
        <FeatureSearch
          run={props.run.run}
          disabled={settings.edits.length >= mostEdits}
          onChoose={({ feature }) => add(feature)}
        />
        <label class="field prompt-field">
          <span class="label">Prompt</span>
          <textarea
            rows={3}
            dir="auto"
            maxLength={20_000}
            placeholder="empty: the start of a document"
            value={settings.prompt}
            onInput={(event) => setSettings('prompt', event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && (event.ctrlKey || event.metaKey))
                event.currentTarget.form?.requestSubmit()
            }}
          />
        </label>
        <Options settings={settings} onChange={setSettings} />
        <div class="go">
          <button type="submit" class="primary" disabled={running() || obstacle() !== null}>
            Run
          </button>
          <button type="button" disabled={!running()} onClick={() => steered.stop()}>
            Stop
          </button>
          <span class="quiet">{obstacle()}</span>
        </div>
        <PassOn run={props.run} settings={settings} flush={flush} />
        <p class="visually-hidden" role="status">
          {announcement()}
        </p>
      </form>
      <div class="results">
        <Results run={steered.run} retry={start} />
      </div>
    </div>
  )
}
