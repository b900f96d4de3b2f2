import { createSignal, For, Show } from 'solid-js'
import type { Overview } from '../../../../src/server/protocol'
import { FigureTable } from './figures'

type CorpusPart = NonNullable<Overview['corpus']>

/** Kinds of text that are shown at first. */
const shown = 10

/** What the model has read: how much, and of which kinds. */
export function Corpus(props: { corpus: CorpusPart }) {
  const [all, setAll] = createSignal(false)
  const kinds = () => [...props.corpus.kinds].sort((a, b) => b.tokens - a.tokens)
  const most = () => Math.max(...kinds().map(({ tokens }) => tokens), 1)
  return (
    <>
      <FigureTable figures={props.corpus.figures} caption="The text" />
      <div class="scroll-x">
        <table class="data">
          <caption class="visually-hidden">Kinds of text</caption>
          <thead>
            <tr>
              <th scope="col">Kind of text</th>
              <th scope="col" class="number">
                Documents
              </th>
              <th scope="col" class="number">
                Tokens
              </th>
            </tr>
          </thead>
          <tbody>
            <For each={all() ? kinds() : kinds().slice(0, shown)}>
              {({ name, documents, tokens }) => (
                <tr>
                  <th scope="row">{name}</th>
                  <td class="number">{documents.toLocaleString('en-US')}</td>
                  <td class="number bar-cell" style={{ '--share': tokens / most() }}>
                    {tokens.toLocaleString('en-US')}
                  </td>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </div>
      <Show when={kinds().length > shown}>
        <button type="button" class="plain" aria-expanded={all()} onClick={() => setAll(!all())}>
          {all() ? 'Show fewer' : `Show all ${kinds().length} kinds`}
        </button>
      </Show>
    </>
  )
}
