import { For, Index, Show } from 'solid-js'
import type { ScoredExamples } from '../../../../src/server/protocol'
import { Failure } from '../../components/failure'
import { ReadOut } from '../../components/read-out'
import { load } from './load'
import { getScoredExamples } from './requests'

/** Activations and predictions are quantised to 0 .. 9. */
const highest = 9

type Scored = ScoredExamples['examples'][number]

/** Held-out text, each token with the true activation as a bar above it and the predicted one below. */
export function ScoredExamplesList(props: { run: string; feature: number; explanation: number }) {
  const found = load(
    () => props.explanation,
    (id, signal) => getScoredExamples(props.run, props.feature, id, signal),
  )
  return (
    <div class="scored" aria-busy={found.loading()}>
      <Show when={!found.error()} fallback={<Failure error={found.error()} retry={found.retry} />}>
        <Show when={found.value()} fallback={<p class="quiet">Loading…</p>}>
          {(scored) => (
            <Show
              when={scored().examples.length > 0}
              fallback={<p class="quiet">The examples were not kept.</p>}
            >
              <p class="quiet small">
                Held-out text. Bar above a token: its true activation; below: what the explanation predicts;
                both quantised, 0 to 9.
              </p>
              <ReadOut label="Examples it was scored on">
                <For each={byGroup(scored().examples)}>
                  {([group, examples]) => (
                    <>
                      <h3>{group}</h3>
                      <ul class="scored-list">
                        <For each={examples}>{(example) => <ScoredText example={example} />}</For>
                      </ul>
                    </>
                  )}
                </For>
              </ReadOut>
            </Show>
          )}
        </Show>
      </Show>
    </div>
  )
}

function ScoredText(props: { example: Scored }) {
  return (
    <li>
      <span class="tokens scored-text" dir="auto">
        <Index each={props.example.segments}>
          {(text, i) => {
            const truth = () => props.example.activations[i] ?? 0
            const predicted = () => props.example.predictions?.[i]
            return (
              <bdi
                class="token scored-token"
                data-focus={props.example.focus === i ? '' : undefined}
                data-values={valuesText(truth(), predicted())}
              >
                <span class="over" style={{ '--share': String(truth() / highest) }} />
                <span class="scored-word">{text()}</span>
                <span class="under" style={{ '--share': String((predicted() ?? 0) / highest) }} />
              </bdi>
            )
          }}
        </Index>
      </span>
    </li>
  )
}

const valuesText = (truth: number, predicted: number | undefined): string =>
  predicted === undefined
    ? `true ${truth}\nprediction not kept`
    : `true ${truth}\npredicted ${Number(predicted.toFixed(1))}`

/** Groups in the order in which they first appear. */
function byGroup(examples: readonly Scored[]): [group: string, examples: Scored[]][] {
  const groups = new Map<string, Scored[]>()
  for (const example of examples) groups.set(example.group, [...(groups.get(example.group) ?? []), example])
  return [...groups]
}
