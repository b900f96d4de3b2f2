import { createSignal, Show } from 'solid-js'
import type { TextRun } from '../../../src/server/protocol'
import { Failure } from '../components/failure'
import { useRun } from '../runs'
import { isExport } from '../source'
import { AttributionPanel } from './text-lab/attribution-panel'
import { TextInput } from './text-lab/input'
import { createLab, fitsAddress } from './text-lab/lab-state'
import { NextTokens } from './text-lab/next-tokens'
import { Ranking } from './text-lab/ranking'
import { Reading, SurpriseLegend } from './text-lab/reading'
import { SegmentPanel } from './text-lab/segment-panel'
import { Traces } from './text-lab/traces'
import './text-lab.css'

type Lab = ReturnType<typeof createLab>

/** The model on the user's own text. */
export default function TextLab() {
  const run = useRun()
  return (
    <div class="lab-page">
      <h1>Text lab</h1>
      <Show
        when={run()?.has.model && !isExport}
        fallback={
          <p class="panel empty">
            No text can be run here:{' '}
            {isExport
              ? 'exported pages have no model'
              : 'the run has no model and autoencoder beside its features'}
            .
          </p>
        }
      >
        <OpenLab run={run()?.run ?? ''} context={run()?.context ?? null} features={run()?.features ?? 0} />
      </Show>
    </div>
  )
}

function OpenLab(props: { run: string; context: number | null; features: number }) {
  const lab = createLab(() => props.run, props.features)
  const [live, setLive] = createSignal(true)
  return (
    <div class="lab-columns">
      <div class="lab-text stack">
        <TextInput
          draft={lab.draft()}
          room={props.context === null ? null : props.context - 1}
          running={lab.requests.run.running()}
          live={live()}
          onDraft={lab.setDraft}
          onLive={setLive}
          onRun={lab.runText}
          onCancel={lab.requests.run.cancel}
        />
        <Show when={lab.missing().length > 0}>
          <p class="lab-notice" role="status">
            The run has no feature {lab.missing().join(', ')}: its {props.features.toLocaleString('en-US')}{' '}
            features are numbered from 0.
          </p>
        </Show>
        <Show when={lab.requests.run.error()}>
          <Failure error={lab.requests.run.error()} retry={lab.requests.run.retry} />
        </Show>
        <Show when={lab.shown()}>{(text) => <TextPanels run={props.run} lab={lab} text={text()} />}</Show>
      </div>
      <Show when={lab.shown()} fallback={<Begin waiting={lab.requests.run.running()} />}>
        {(text) => (
          <>
            <div class="lab-features stack" classList={{ pending: lab.requests.run.running() }}>
              <Show when={text().segments[lab.selected()]}>
                {(segment) => (
                  <SegmentPanel
                    run={props.run}
                    segment={segment()}
                    traced={lab.features()}
                    onTrace={lab.trace}
                  />
                )}
              </Show>
              <Ranking
                run={props.run}
                text={text()}
                traced={lab.features()}
                onTrace={lab.trace}
                onSelect={lab.setSelected}
              />
            </div>
            <NextPanels run={props.run} lab={lab} text={text()} />
          </>
        )}
      </Show>
    </div>
  )
}

/** The text as the model reads it, and the traced features. */
function TextPanels(props: { run: string; lab: Lab; text: TextRun }) {
  const { lab } = props
  const shading = () => {
    const by = lab.shadedBy()
    return typeof by === 'number' ? by : undefined
  }
  return (
    <>
      <section
        class="panel"
        classList={{ pending: lab.requests.run.running() }}
        aria-labelledby="lab-reading-title"
        aria-busy={lab.requests.run.running()}
      >
        <div class="panel-head">
          <h2 id="lab-reading-title">As the model reads it</h2>
          <span class="quiet small" role="status">
            {lab.requests.run.running() ? 'Running…' : `${props.text.tokens} tokens`}
          </span>
        </div>
        <Show when={props.text.truncated}>
          <p class="lab-notice" role="status">
            The text is longer than the model's context of {props.text.context} tokens: only its first{' '}
            {props.text.tokens} were run.
          </p>
        </Show>
        <Show when={!fitsAddress(lab.text())}>
          <p class="lab-notice">
            The text is too long for the address: a link to this page does not hold it.
          </p>
        </Show>
        <Reading
          segments={props.text.segments}
          selected={lab.selected()}
          shade={lab.shade()}
          onSelect={lab.setSelected}
        />
        <SurpriseLegend />
        <p class="quiet small lab-shade-legend">{shadeText(lab)}</p>
      </section>
      <Show when={lab.requests.traces.error()}>
        <Failure error={lab.requests.traces.error()} retry={lab.requests.traces.retry} />
      </Show>
      <Traces
        run={props.run}
        segments={props.text.segments}
        traces={lab.traces()}
        selected={lab.selected()}
        shading={shading()}
        onSelect={lab.setSelected}
        onShade={lab.setShadedBy}
        onRemove={lab.untrace}
      />
    </>
  )
}

function shadeText(lab: Lab): string {
  const by = lab.shadedBy()
  if (!lab.shade()) return 'Nothing shades the text: trace a feature or attribute a next token.'
  return by === 'attribution'
    ? 'Shaded by attribution, summed over the features that are listed: + blue for the token, − orange against it.'
    : `Shaded by the activation of feature ${by}.`
}

/** The next token and what acts for it. */
function NextPanels(props: { run: string; lab: Lab; text: TextRun }) {
  const { lab } = props
  return (
    <div class="lab-after stack" classList={{ pending: lab.requests.run.running() }}>
      <NextTokens
        next={props.text.next}
        truncated={props.text.truncated}
        target={lab.target()}
        onTarget={(target) => lab.setTarget(target === lab.target() ? undefined : target)}
      />
      <Show when={lab.target() !== undefined}>
        <AttributionPanel
          run={props.run}
          request={lab.requests.attribution}
          shading={lab.shadedBy() === 'attribution'}
          verify={lab.verify()}
          traced={lab.features()}
          onShade={(on) => lab.setShadedBy(on ? 'attribution' : lab.features()[0])}
          onVerify={lab.setVerify}
          onTrace={lab.trace}
          onSelect={lab.setSelected}
          onClose={() => lab.setTarget(undefined)}
        />
      </Show>
    </div>
  )
}

function Begin(props: { waiting: boolean }) {
  return (
    <div class="panel empty lab-begin" role="status">
      <Show when={!props.waiting} fallback={<p>Running… The first text also loads the model.</p>}>
        <p>Write a text, or take one of the examples.</p>
        <p>
          The model reads it token by token. You see how surprising each token was, which features fire on it,
          and what the model expects next. Any feature can be traced through the text, and any next token
          attributed to the features that act for it.
        </p>
      </Show>
    </div>
  )
}
