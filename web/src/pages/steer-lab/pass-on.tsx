import { createSignal, Show } from 'solid-js'
import type { RunInfo } from '../../../../src/server/protocol'
import { commandLine, longestPromptInAddress, type Settings } from './settings'

/** Ways to pass the settings on: the address of the page, and the command that does the same. */
export function PassOn(props: { run: RunInfo; settings: Settings; flush: () => void }) {
  const [said, setSaid] = createSignal('')
  const found = () => commandLine(props.run.directory, props.settings)
  const command = () => {
    const one = found()
    return 'command' in one ? one.command : null
  }
  const reason = () => {
    const one = found()
    return 'reason' in one ? one.reason : null
  }
  const copy = async (text: string, what: string) => {
    // Browsers give no clipboard to pages that came over plain http from another machine.
    const copied = await navigator.clipboard?.writeText(text).then(
      () => true,
      () => false,
    )
    setSaid(
      copied ? `${what} copied.` : `The browser did not let it be copied: select the ${what} and copy it.`,
    )
  }
  const copyLink = () => {
    props.flush()
    void copy(location.href, 'link')
  }
  const tooLong = () => encodeURIComponent(props.settings.prompt).length > longestPromptInAddress
  return (
    <details class="pass-on">
      <summary>Pass on</summary>
      <p>
        <button type="button" onClick={copyLink}>
          Copy link
        </button>{' '}
        <span class="quiet">
          {tooLong()
            ? 'The address holds all settings but the prompt, which is too long for it.'
            : 'The address holds all settings.'}
        </span>
      </p>
      <Show when={command()} fallback={<p class="quiet">No single command does the same. {reason()}</p>}>
        {(line) => (
          <>
            <p>The same on the command line:</p>
            <pre class="command">{line()}</pre>
            <p>
              <button type="button" onClick={() => void copy(line(), 'command')}>
                Copy command
              </button>
            </p>
          </>
        )}
      </Show>
      <p role="status" class="quiet">
        {said()}
      </p>
    </details>
  )
}
