import { A } from '@solidjs/router'
import { createSignal, Show } from 'solid-js'
import type { FeatureNotes, FeaturePage, RunInfo } from '../../../../src/server/protocol'
import { queryString } from '../../api'
import { address } from '../../runs'
import { isExport } from '../../source'
import { typedText } from './try-text'

interface ActionsProps {
  run: RunInfo
  feature: number
  page: FeaturePage | undefined
  notes: FeatureNotes | undefined
}

/** Strength of the first try in the steer lab, in multiples of the maximum. */
const firstStrength = 5

/** What can be done with a feature: take it along, or try it out. */
export function HeadingActions(props: ActionsProps) {
  const [said, setSaid] = createSignal('')
  const copy = async (text: string, done: string) => {
    try {
      await navigator.clipboard.writeText(text)
      setSaid(done)
    } catch {
      setSaid(`The browser does not let the page copy: ${text}`)
    }
  }
  const labQuery = () => queryString({ feature: props.feature, text: typedText() })
  const command = () => `monosem features show ${props.feature} --run ${quoted(props.run.directory)}`
  return (
    <div class="row feature-actions">
      <Show when={props.run.has.model && !isExport && props.page?.fires !== 0}>
        <A class="button" href={address.text(props.run.run) + labQuery()}>
          Open in text lab
        </A>
        <A class="button" href={`${address.steer(props.run.run)}?features=${props.feature}:${firstStrength}`}>
          Steer with it
        </A>
      </Show>
      <button type="button" onClick={() => void copy(location.href, 'Link copied')}>
        Copy link
      </button>
      <button
        type="button"
        disabled={!props.page || !props.notes}
        onClick={() => download(`feature-${props.feature}.json`, { page: props.page, notes: props.notes })}
      >
        Download JSON
      </button>
      <button type="button" title={command()} onClick={() => void copy(command(), `Copied: ${command()}`)}>
        Copy command
      </button>
      <span class="status small" aria-live="polite">
        {said()}
      </span>
    </div>
  )
}

/** A directory as a shell reads it. */
const quoted = (directory: string): string =>
  /^[\w./~-]+$/.test(directory) ? directory : `'${directory.replaceAll("'", "'\\''")}'`

/** Saves a value as a JSON file, made in the browser: it is what the page shows. */
function download(name: string, value: unknown): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify(value, null, 2)], { type: 'application/json' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}
