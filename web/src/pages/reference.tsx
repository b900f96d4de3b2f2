import { createResource, For, Match, Show, Switch } from 'solid-js'
import { documentAddress, get } from '../api'
import { Failure } from '../components/failure'
import { useRuns } from '../runs'
import { groupsOf, type OpenApi } from './reference/openapi'
import { RouteView } from './reference/route-view'
import './reference.css'

/** What programs can ask the server for: its OpenAPI document, to be read. */
export default function ReferencePage() {
  const [document, { refetch }] = createResource(() => get<OpenApi>(documentAddress))
  return (
    <div class="reference">
      <header>
        <h1>API</h1>
        <p class="lead">
          Everything that these pages show can be asked for by programs, as described in{' '}
          <a href={documentAddress} target="_self">
            {documentAddress}
          </a>{' '}
          (OpenAPI 3.1).
        </p>
      </header>
      <Switch fallback={<p class="status reference-waiting">Reading the document …</p>}>
        <Match when={document.error}>
          <Failure error={document.error} retry={refetch} />
        </Match>
        <Match when={document()}>{(found) => <Contents document={found()} />}</Match>
      </Switch>
    </div>
  )
}

function Contents(props: { document: OpenApi }) {
  const runs = useRuns()
  return (
    <>
      <Paragraphs text={props.document.info.description ?? ''} />
      <For each={groupsOf(props.document)}>
        {({ name, routes }) => (
          <section aria-labelledby={`group-${name}`}>
            <h2 id={`group-${name}`}>{name}</h2>
            <For each={routes}>
              {(route) => <RouteView document={props.document} route={route} run={runs()[0].run} />}
            </For>
          </section>
        )}
      </For>
    </>
  )
}

/** Text with an empty line between paragraphs and `code` in backquotes. */
function Paragraphs(props: { text: string }) {
  return (
    <For each={props.text.split(/\n\s*\n/)}>
      {(paragraph) => (
        <p class="reference-text">
          <For each={paragraph.split('`')}>
            {(part, i) => (
              <Show when={i() % 2 === 1} fallback={part}>
                <code>{part}</code>
              </Show>
            )}
          </For>
        </p>
      )}
    </For>
  )
}
