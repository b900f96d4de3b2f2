import { A } from '@solidjs/router'
import { createResource, For, type JSX, Match, Show, Switch } from 'solid-js'
import type { Overview, RunInfo } from '../../../src/server/protocol'
import { getOverview, reportAddress } from '../api'
import { Failure } from '../components/failure'
import { Histogram } from '../components/histogram'
import { number } from '../components/tokens'
import { address, useRun } from '../runs'
import { CaseStudies } from './overview/case-studies'
import { Corpus } from './overview/corpus'
import { Curves } from './overview/curves'
import { FigureTable, Headlines, headlines } from './overview/figures'
import { Frontier } from './overview/frontier'
import './overview.css'

/** The run's story in one page: what was read, what was trained, how good it is, what was found. */
export default function OverviewPage() {
  const run = useRun()
  return <Show when={run()}>{(found) => <Story run={found()} />}</Show>
}

function Story(props: { run: RunInfo }) {
  const [overview, { refetch }] = createResource(() => props.run.run, getOverview)
  return (
    <div class="overview">
      <header>
        <h1>
          <bdi>{props.run.run}</bdi>
        </h1>
        <p class="lead">
          {props.run.features.toLocaleString('en-US')} features of <code>{props.run.hookName}</code>, from{' '}
          <code>{props.run.directory}</code>
        </p>
        <Ways run={props.run} />
      </header>
      <Switch fallback={<Waiting />}>
        <Match when={overview.error}>
          <Failure error={overview.error} retry={refetch} />
        </Match>
        <Match when={overview()}>{(found) => <Parts overview={found()} run={props.run} />}</Match>
      </Switch>
    </div>
  )
}

/** Where to go from here. */
function Ways(props: { run: RunInfo }) {
  return (
    <p class="row">
      <A class="button primary" href={address.features(props.run.run)}>
        Browse the features
      </A>
      <Show when={props.run.has.map}>
        <A class="button" href={address.map(props.run.run)}>
          See the map
        </A>
      </Show>
    </p>
  )
}

const Waiting = () => (
  <ul class="headlines" aria-hidden="true">
    <For each={[0, 1, 2, 3, 4, 5]}>{() => <li class="panel headline placeholder" />}</For>
  </ul>
)

function Parts(props: PartsProps) {
  const figures = () => {
    const { corpus, model, sae, evaluation, explanations } = props.overview
    return [corpus, model, sae, evaluation, explanations].flatMap((part) => part?.figures ?? [])
  }
  return (
    <>
      <Problems problems={props.overview.problems} />
      <Headlines figures={headlines(figures())} />
      <div class="story">
        <Fidelity {...props} />
        <Findings {...props} />
      </div>
    </>
  )
}

/** Parts that are there and cannot be read. */
const Problems = (props: { problems: Overview['problems'] }) => (
  <Show when={props.problems.length > 0}>
    <section class="failure" role="alert">
      <h2>Parts of this run that cannot be read</h2>
      <ul>
        <For each={props.problems}>
          {({ part, message, hint }) => (
            <li>
              <strong>{part}</strong>: {message} <span class="quiet">{hint}</span>
            </li>
          )}
        </For>
      </ul>
    </section>
  </Show>
)

interface PartsProps {
  overview: Overview
  run: RunInfo
}

/** The command that makes a part of a run. */
const make = (run: RunInfo, command: string) => `monosem ${command} --run ${run.directory}`

/** How true the autoencoder is to the model, and how it was trained. */
function Fidelity(props: PartsProps) {
  const { evaluation, density, frontier, sae } = props.overview
  return (
    <div class="story">
      <div class="stack">
        <Part title="How well it explains the model" part={evaluation} make={make(props.run, 'eval')}>
          {({ figures }) => (
            <FigureTable figures={figures} caption="Measures of the autoencoder on held-out text" />
          )}
        </Part>
        <Part title="How often features fire" part={density} make={make(props.run, 'eval')}>
          {(found) => <Density density={found} />}
        </Part>
        <Show when={frontier.length > 1}>
          <section class="panel">
            <h2>Sparsity and fidelity</h2>
            <Frontier points={frontier} />
          </section>
        </Show>
      </div>
      <Part title="The autoencoder" part={sae} make={make(props.run, 'sae train')}>
        {({ architecture, figures, curves }) => (
          <>
            <p>
              Architecture: <strong>{architecture}</strong>
            </p>
            <FigureTable figures={figures} caption="The autoencoder" />
            <Curves curves={curves} />
          </>
        )}
      </Part>
    </div>
  )
}

/** What was found in the features, and what model and text they come from. */
function Findings(props: PartsProps) {
  const { caseStudies, explanations, reports, model, corpus } = props.overview
  return (
    <div class="story">
      <div class="stack">
        <Part title="Case studies" part={caseStudies} make={make(props.run, 'case-studies')}>
          {(studies) => <CaseStudies run={props.run.run} studies={studies} />}
        </Part>
        <Part title="Explanations" part={explanations} make={make(props.run, 'explain')}>
          {({ figures }) => <FigureTable figures={figures} caption="Scores of the explanations" />}
        </Part>
        <Show when={reports.length > 0}>
          <Reports run={props.run.run} reports={reports} />
        </Show>
      </div>
      <div class="stack">
        <Part title="The model" part={model} make={make(props.run, 'model train')}>
          {({ figures, curves }) => (
            <>
              <FigureTable figures={figures} caption="The language model" />
              <Curves curves={curves} />
            </>
          )}
        </Part>
        <Part title="The text" part={corpus} make={make(props.run, 'corpus build')}>
          {(found) => <Corpus corpus={found} />}
        </Part>
      </div>
    </div>
  )
}

const Reports = (props: { run: string; reports: Overview['reports'] }) => (
  <section class="panel">
    <h2>Reports</h2>
    <ul>
      <For each={props.reports}>
        {({ name, href }) => (
          <li>
            <a href={reportAddress(props.run, href)} rel="external">
              {name}
            </a>
          </li>
        )}
      </For>
    </ul>
  </section>
)

/** A part of the story, or how to make it where the run does not have it. */
function Part<T>(props: { title: string; part: T | null; make: string; children: (part: T) => JSX.Element }) {
  return (
    <section class="panel">
      <h2>{props.title}</h2>
      <Show
        when={props.part !== null}
        fallback={
          <p class="quiet">
            This run does not have it. Make it: <code>{props.make}</code>
          </p>
        }
      >
        {props.children(props.part as T)}
      </Show>
    </section>
  )
}

function Density(props: { density: NonNullable<Overview['density']> }) {
  const { edges, counts } = props.density
  const first = Math.max(
    0,
    counts.findIndex((count) => count > 0),
  )
  const last = Math.max(
    first,
    counts.findLastIndex((count) => count > 0),
  )
  return (
    <>
      <p class="small quiet">
        Features by the share of tokens on which they fire. {props.density.dead.toLocaleString('en-US')} never
        fired.
      </p>
      <Histogram
        label="Features by density"
        counts={counts.slice(first, last + 1)}
        low={edges[first]}
        high={edges[last + 1]}
        format={(log) => `${number(100 * 10 ** log)}%`}
        ticks
      />
      <details class="source">
        <summary class="small quiet">Source</summary>
        <code class="small">{props.density.source}</code>
      </details>
    </>
  )
}
