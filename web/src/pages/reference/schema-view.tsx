import { createSignal, For, type JSX, Show } from 'solid-js'
import { type OpenApi, partsOf, type Schema, typeText } from './openapi'

/** The parts of a value, each with its own parts when it is opened: schemas may contain themselves. */
export function SchemaView(props: { document: OpenApi; schema: Schema }) {
  return (
    <ul class="schema">
      <For each={partsOf(props.document, props.schema)}>
        {({ name, required, schema }) => (
          <li>
            <code>{name}</code> <span class="small mono">{typeText(schema)}</span>
            <Show when={!required}>
              {' '}
              <span class="badge">optional</span>
            </Show>
            <Show when={schema.default !== undefined}>
              {' '}
              <span class="small quiet">default {JSON.stringify(schema.default)}</span>
            </Show>
            <Show when={schema.description}>
              <div class="quiet small">{schema.description}</div>
            </Show>
            <Show when={partsOf(props.document, schema).length > 0}>
              <Opened summary={`Parts of ${name}`}>
                {() => <SchemaView document={props.document} schema={schema} />}
              </Opened>
            </Show>
          </li>
        )}
      </For>
    </ul>
  )
}

/** Something that is only made when it is opened. */
export function Opened(props: { summary: string; children: () => JSX.Element }) {
  const [open, setOpen] = createSignal(false)
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{props.summary}</summary>
      <Show when={open()}>{props.children()}</Show>
    </details>
  )
}
