import { createSignal, For, Show } from 'solid-js'
import type { Explanation, FeatureNotes, RunInfo } from '../../../../src/server/protocol'
import { Failure } from '../../components/failure'
import { withMinus } from './figures'
import type { Loaded } from './load'
import { ScoredExamplesList } from './scored-examples'

type Score = Explanation['scores'][number]

/** What explainers said about the feature, and how well that predicts it. */
export function ExplanationsPanel(props: {
  run: RunInfo
  feature: number
  notes: Loaded<FeatureNotes>
  dead: boolean
}) {
  return (
    <section class="panel explanations" aria-labelledby="explanations" aria-busy={props.notes.loading()}>
      <h2 id="explanations">Explanations</h2>
      <Show
        when={!props.notes.error()}
        fallback={<Failure error={props.notes.error()} retry={props.notes.retry} />}
      >
        <Show when={props.notes.value()} fallback={<span class="placeholder" />}>
          {(notes) => (
            <Show when={notes().explanations.length > 0} fallback={<Nothing dead={props.dead} />}>
              <ul class="explanation-list">
                <For each={notes().explanations}>
                  {(explanation) => <OneExplanation {...props} explanation={explanation} />}
                </For>
              </ul>
            </Show>
          )}
        </Show>
      </Show>
    </section>
  )
}

const Nothing = (props: { dead: boolean }) => (
  <p class="quiet">
    <Show when={!props.dead} fallback="None: what never fires cannot be explained.">
      Nobody has explained it yet: <code>monosem explain --run DIR</code>
    </Show>
  </p>
)

function OneExplanation(props: { run: RunInfo; feature: number; explanation: Explanation }) {
  const [open, setOpen] = createSignal(false)
  return (
    <li>
      <p class="explanation-text">
        <bdi>{props.explanation.text}</bdi>
      </p>
      <p class="quiet small">
        by {props.explanation.explainer},{' '}
        <time dateTime={props.explanation.created}>{props.explanation.created.slice(0, 10)}</time>
      </p>
      <Show when={props.explanation.scores.length > 0} fallback={<p class="quiet small">Not scored.</p>}>
        <ul class="scores" aria-label="Scores">
          <For each={spearmanFirst(props.explanation.scores)}>{(score) => <OneScore score={score} />}</For>
        </ul>
      </Show>
      <Show when={props.explanation.hasExamples}>
        <details onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary>Examples it was scored on</summary>
          <Show when={open()}>
            <ScoredExamplesList
              run={props.run.run}
              feature={props.feature}
              explanation={props.explanation.id}
            />
          </Show>
        </details>
      </Show>
    </li>
  )
}

/** What the scores that everybody meets are. */
const meanings: Record<string, string> = {
  spearman: 'rank correlation of predicted and true quantised activations on held-out text; 0 is chance',
  pearson: 'correlation of predicted and true quantised activations on held-out text',
  shuffled: 'control: the Spearman score of this explanation on another feature',
  neuron: 'control: the Spearman score of the best explanation of the nearest neuron',
  detection: 'which held-out texts make it fire: balanced accuracy',
  fuzzing: 'which highlighted texts are highlighted rightly: balanced accuracy',
  embedding: 'area under the ROC curve of the similarity of explanation and text',
  intruder: 'which text does not belong: share of right answers; needs no explanation',
}

function OneScore(props: { score: Score }) {
  return (
    <li
      class="badge"
      classList={{ accent: props.score.scorer === 'spearman', warn: props.score.value === null }}
    >
      <span title={meanings[props.score.scorer]}>
        {props.score.scorer} <b class="number">{scoreText(props.score)}</b>
      </span>
      <Show when={props.score.value === null && props.score.reason}>: {props.score.reason}</Show>
    </li>
  )
}

const scoreText = ({ value }: Score): string =>
  value === null ? 'failed' : withMinus(Number(value.toFixed(2)))

const spearmanFirst = (scores: readonly Score[]): Score[] =>
  [...scores].sort((a, b) => Number(b.scorer === 'spearman') - Number(a.scorer === 'spearman'))
