import { For, Show } from 'solid-js'
import { curlOf, type OpenApi, type Parameter, type Route, typeText } from './openapi'
import { Opened, SchemaView } from './schema-view'

export interface RouteViewProps {
  document: OpenApi
  route: Route
  /** name of a served run, for the example */
  run: string
}

/** One route: what it is asked with, what it answers, how to ask it. */
export function RouteView(props: RouteViewProps) {
  const operation = () => props.route.operation
  const name = () => `${props.route.method} ${props.route.path}`
  const body = () => operation().requestBody?.content['application/json']?.schema
  const answers = () =>
    Object.entries(operation().responses[200]?.content ?? {}).flatMap(([type, { schema }]) =>
      schema ? [{ type, schema }] : [],
    )
  return (
    <article class="panel route" aria-label={name()}>
      <h3 class="mono">
        <span class="badge accent">{props.route.method}</span> <span>{props.route.path}</span>
      </h3>
      <p>{operation().summary}</p>
      <Show when={operation().description}>
        <p class="quiet">{operation().description}</p>
      </Show>
      <Show when={operation().parameters?.length}>
        <Parameters parameters={operation().parameters ?? []} />
      </Show>
      <Show when={body()}>
        {(schema) => (
          <Opened summary={`Body: ${typeText(schema())}`}>
            {() => <SchemaView document={props.document} schema={schema()} />}
          </Opened>
        )}
      </Show>
      <For each={answers()}>
        {({ type, schema }) => (
          <Opened summary={`Answer: ${typeText(schema)} as ${type}`}>
            {() => (
              <>
                <p class="quiet small">{operation().responses[200]?.description}</p>
                <SchemaView document={props.document} schema={schema} />
              </>
            )}
          </Opened>
        )}
      </For>
      <pre>
        <code>{curlOf(props.document, props.route, window.location.origin, props.run)}</code>
      </pre>
    </article>
  )
}

function Parameters(props: { parameters: Parameter[] }) {
  return (
    <table class="data">
      <caption>Parameters</caption>
      <thead>
        <tr>
          <th scope="col">name</th>
          <th scope="col">what it is</th>
          <th scope="col">meaning</th>
        </tr>
      </thead>
      <tbody>
        <For each={props.parameters}>
          {(parameter) => (
            <tr>
              <th scope="row">
                <code>{parameter.name}</code>
              </th>
              <td class="small">
                {typeText(parameter.schema ?? {})}, in the {parameter.in}
                <Show when={parameter.schema?.default !== undefined}>
                  ; default {JSON.stringify(parameter.schema?.default)}
                </Show>
              </td>
              <td class="small">{parameter.description}</td>
            </tr>
          )}
        </For>
      </tbody>
    </table>
  )
}
