import { createMemo, For, Match, Show, Switch } from 'solid-js'
import { Failure } from '../../components/failure'
import { number, visibleToken } from '../../components/tokens'
import { isRunning, type SteerRun } from './steer-run'
import { describeRun, judgementSentence } from './words'

/** What came of a run: both texts side by side, the next token, the judgement. */
export function Results(props: { run: SteerRun; retry: () => void }) {
  return (
    <>
      <p role="status" class="status run-state" data-phase={props.run.phase}>
        {describeRun(props.run)}
      </p>
      <Show when={props.run.error}>
        <Failure error={props.run.error} retry={props.retry} />
      </Show>
      <Show when={props.run.truncated}>
        <p class="quiet">The prompt is longer than the model's context: only its end was read.</p>
      </Show>
      <div class="sides">
        <Side title="Unsteered" text={props.run.unsteered} run={props.run} />
        <Side title="Steered" text={props.run.steered} run={props.run} />
      </div>
      <section class="panel" aria-labelledby="next-heading">
        <h2 id="next-heading">The token after the prompt</h2>
        <Next run={props.run} />
      </section>
      <section class="panel" aria-labelledby="judgement-heading">
        <h2 id="judgement-heading">What steering did to the text</h2>
        <Judgements run={props.run} />
      </section>
    </>
  )
}

/** A continuation after its prompt. Lines stand right or left by their own script. */
function Side(props: { title: string; text: string; run: SteerRun }) {
  const prompt = () => props.run.request?.prompt ?? ''
  return (
    <section class="panel side" aria-label={`${props.title} text`} aria-busy={isRunning(props.run)}>
      <h2>{props.title}</h2>
      <p class="written" dir="auto">
        <span class="prompt">{prompt()}</span>
        {props.text}
      </p>
    </section>
  )
}

function Next(props: { run: SteerRun }) {
  const scale = createMemo(() => {
    const next = props.run.next
    return Math.max(1e-9, ...[...(next?.up ?? []), ...(next?.down ?? [])].flatMap((m) => [m.before, m.after]))
  })
  return (
    <Show
      when={props.run.next}
      fallback={<p class="quiet next-wait">Which tokens become more and less probable is shown here.</p>}
    >
      {(next) => (
        <>
          <p>
            KL divergence <b class="number">{number(next().klDivergence)}</b> nats{' '}
            <span class="quiet">(0: the prediction did not change)</span>
          </p>
          <div class="movers">
            <Movers title="More probable" way="up" movers={next().up} scale={scale()} />
            <Movers title="Less probable" way="down" movers={next().down} scale={scale()} />
          </div>
        </>
      )}
    </Show>
  )
}

type Mover = NonNullable<SteerRun['next']>['up'][number]

function Movers(props: { title: string; way: 'up' | 'down'; movers: readonly Mover[]; scale: number }) {
  return (
    <table class="data mover-table" data-way={props.way}>
      <caption>{props.title}</caption>
      <thead>
        <tr>
          <th scope="col">Token</th>
          <th scope="col" class="number">
            Before
          </th>
          <th scope="col" class="number">
            After
          </th>
          <td />
        </tr>
      </thead>
      <tbody>
        <For each={props.movers} fallback={<EmptyRow />}>
          {(mover) => (
            <tr>
              <th scope="row">
                <bdi class="some-token">{visibleToken(mover.token)}</bdi>
              </th>
              <td class="number">{percent(mover.before)}</td>
              <td class="number">{percent(mover.after)}</td>
              <td class="bars" aria-hidden="true">
                <span class="share before" style={{ '--share': mover.before / props.scale }} />
                <span class="share after" style={{ '--share': mover.after / props.scale }} />
              </td>
            </tr>
          )}
        </For>
      </tbody>
    </table>
  )
}

const EmptyRow = () => (
  <tr>
    <td colSpan={4} class="quiet">
      none
    </td>
  </tr>
)

const percent = (share: number): string =>
  share > 0 && share < 0.0001 ? '< 0.01%' : `${(100 * share).toFixed(share < 0.1 ? 2 : 1)}%`

function Judgements(props: { run: SteerRun }) {
  const rows = () => {
    const found = props.run.judgements
    return (
      found && [
        { name: 'Unsteered', ...found.unsteered },
        { name: 'Steered', ...found.steered },
      ]
    )
  }
  return (
    <Switch>
      <Match when={rows()}>
        {(both) => (
          <>
            <table class="data judgements">
              <caption>nats per token, under the unsteered model</caption>
              <thead>
                <tr>
                  <th scope="col">Text</th>
                  <th scope="col" class="number">
                    Tokens
                  </th>
                  <th scope="col" class="number">
                    Loss
                  </th>
                  <th scope="col" class="number">
                    KL
                  </th>
                </tr>
              </thead>
              <tbody>
                <For each={both()}>
                  {({ name, tokens, loss, klDivergence }) => (
                    <tr>
                      <th scope="row">{name}</th>
                      <td class="number">{tokens}</td>
                      <td class="number">{figure(loss)}</td>
                      <td class="number">{figure(klDivergence)}</td>
                    </tr>
                  )}
                </For>
              </tbody>
            </table>
            <p>{props.run.judgements && judgementSentence(props.run.judgements)}</p>
          </>
        )}
      </Match>
      <Match when={true}>
        <p class="quiet judgement-wait">
          When both texts are written, the unsteered model reads them: how likely it finds them, and how far
          steering bent its predictions, is shown here.
        </p>
      </Match>
    </Switch>
  )
}

const figure = (value: number | null): string => (value === null ? '–' : value.toFixed(2))
