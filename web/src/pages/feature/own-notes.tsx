import { createSignal, Show } from 'solid-js'
import type { FeatureNotes } from '../../../../src/server/protocol'
import { putNotes } from '../../api'
import { Failure } from '../../components/failure'
import { rename } from '../../names'
import { isExport } from '../../source'
import { type Draft, draftOf, keepDraft } from './drafts'
import type { Loaded } from './load'
import { nameOf } from './name'

interface OwnNotesProps {
  run: string
  feature: number
  notes: Loaded<FeatureNotes>
}

/** The user's own name for the feature, and words about it. */
export function OwnNotesPanel(props: OwnNotesProps) {
  return (
    <section class="panel own-notes" aria-labelledby="own-notes">
      <h2 id="own-notes">Your label and note</h2>
      <Show when={!isExport} fallback={<Written notes={props.notes.value()} />}>
        <Editor {...props} />
      </Show>
    </section>
  )
}

const Written = (props: { notes: FeatureNotes | undefined }) => (
  <>
    <p>
      <bdi>{props.notes?.label ?? 'No label.'}</bdi>
    </p>
    <p class="note-text">
      <bdi>{props.notes?.note}</bdi>
    </p>
  </>
)

function Editor(props: OwnNotesProps) {
  const [saving, setSaving] = createSignal(false)
  const [saved, setSaved] = createSignal(false)
  const [error, setError] = createSignal<unknown>()
  const stored = (): Draft => ({
    label: props.notes.value()?.label ?? '',
    note: props.notes.value()?.note ?? '',
  })
  const shown = () => draftOf(props.run, props.feature) ?? stored()
  const changed = () => {
    const draft = draftOf(props.run, props.feature)
    return draft !== undefined && !same(draft, stored())
  }
  const edit = (part: Partial<Draft>) => {
    const draft = { ...shown(), ...part }
    setSaved(false)
    keepDraft(props.run, props.feature, same(draft, stored()) ? undefined : draft)
  }
  const save = async () => {
    const { run, feature } = props
    const draft = { ...shown() }
    setSaving(true)
    setError(undefined)
    try {
      const notes = await putNotes(run, feature, {
        label: draft.label.trim() || null,
        note: draft.note.trim() || null,
      })
      // What was typed while the answer was under way stays a draft.
      const now = draftOf(run, feature)
      if (now && same(now, draft)) keepDraft(run, feature, undefined)
      rename(run, feature, nameOf(notes))
      if (props.feature === feature) props.notes.set(notes)
      setSaved(true)
    } catch (cause) {
      setError(() => cause)
    } finally {
      setSaving(false)
    }
  }
  const ready = () => props.notes.value() !== undefined
  const status = () => {
    if (saving()) return 'Saving…'
    if (changed()) return 'Not saved yet'
    return saved() ? 'Saved' : ''
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        void save()
      }}
      onKeyDown={(event) => {
        if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || !changed()) return
        event.preventDefault()
        void save()
      }}
    >
      <input
        aria-label="Label"
        placeholder="Label: the name of this feature in lists"
        maxLength={200}
        dir="auto"
        disabled={!ready()}
        value={shown().label}
        onInput={(event) => edit({ label: event.currentTarget.value })}
      />
      <textarea
        aria-label="Note"
        placeholder="Note"
        rows="2"
        maxLength={10_000}
        dir="auto"
        disabled={!ready()}
        value={shown().note}
        onInput={(event) => edit({ note: event.currentTarget.value })}
      />
      <div class="row">
        <button
          type="submit"
          classList={{ primary: changed() }}
          disabled={!changed() || saving()}
          title="Ctrl + Enter"
          aria-keyshortcuts="Control+Enter"
        >
          Save
        </button>
        <span class="status small" aria-live="polite">
          {status()}
        </span>
      </div>
      <Show when={error()}>
        <Failure error={error()} retry={() => void save()} />
      </Show>
    </form>
  )
}

const same = (a: Draft, b: Draft): boolean => a.label === b.label && a.note === b.note
