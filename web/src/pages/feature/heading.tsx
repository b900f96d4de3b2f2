import { A } from '@solidjs/router'
import { type JSX, Show } from 'solid-js'
import type { FeatureNotes, FeaturePage, RunInfo } from '../../../../src/server/protocol'
import { number } from '../../components/tokens'
import { address } from '../../runs'
import { oneIn, percent, whole } from './figures'
import { HeadingActions } from './heading-actions'
import { nameOf } from './name'
import type { Step, Steps } from './steps'

interface HeadingProps {
  run: RunInfo
  feature: number
  /** undefined while they load */
  page: FeaturePage | undefined
  notes: FeatureNotes | undefined
  steps: Steps
}

/** Which feature this is, its figures, and the way to others. It keeps its height while the feature changes. */
export function Heading(props: HeadingProps) {
  const name = () => (props.notes ? nameOf(props.notes) : undefined)
  return (
    <header class="feature-head">
      <div class="spread">
        <p class="feature-kicker quiet small">
          <Show
            when={props.steps.list()}
            fallback={<A href={address.features(props.run.run)}>All features</A>}
          >
            {(list) => (
              <>
                <A href={list().href}>Back to the list</A> · {whole(list().at + 1)}
                <Show when={list().total !== null}> of {whole(list().total ?? 0)}</Show>
              </>
            )}
          </Show>
        </p>
        <nav class="steps" aria-label="Other features">
          <StepLink step={props.steps.previous()} label="Previous" keys="ArrowLeft [">
            ←
          </StepLink>
          <StepLink step={props.steps.next()} label="Next" keys="ArrowRight ]">
            →
          </StepLink>
        </nav>
      </div>
      <h1 aria-live="polite">
        <span class="feature-number">Feature {props.feature}</span>{' '}
        <Show when={name()}>
          <bdi class="feature-name">{name()}</bdi>
        </Show>
      </h1>
      <Figures {...props} />
      <HeadingActions {...props} />
    </header>
  )
}

/** A way to another feature; where there is none it stays in its place. */
function StepLink(props: { step: Step | null; label: string; keys: string; children: JSX.Element }) {
  const text = () => `${props.label}${props.step ? `: feature ${props.step.feature}` : ''}`
  return (
    <Show
      when={props.step}
      fallback={
        <span class="step none" aria-hidden="true">
          {props.children}
        </span>
      }
    >
      {(step) => (
        <A
          class="step"
          href={step().href}
          noScroll
          aria-label={text()}
          title={text()}
          aria-keyshortcuts={props.keys}
        >
          {props.children} <span class="number">{step().feature}</span>
        </A>
      )}
    </Show>
  )
}

function Figures(props: HeadingProps) {
  return (
    <div class="feature-figures">
      <Show when={props.page}>
        {(page) => (
          <>
            <Badges run={props.run} page={page()} />
            <Show when={page().fires > 0}>
              <Figure
                name="density"
                value={percent(page().density)}
                more={`${oneIn(page().density)} tokens`}
              />
              <Figure name="maximum" value={number(page().max)} />
              <Figure
                name="mean where it fires"
                value={page().mean === null ? '–' : number(page().mean ?? 0)}
              />
            </Show>
            <Figure name="hook point" value={page().hookName} />
          </>
        )}
      </Show>
    </div>
  )
}

const Figure = (props: { name: string; value: string; more?: string }) => (
  <span class="figure-pair">
    <span class="quiet">{props.name}</span> <b class="number">{props.value}</b>
    <Show when={props.more}>
      {' '}
      <span class="quiet">({props.more})</span>
    </Show>
  </span>
)

function Badges(props: { run: RunInfo; page: FeaturePage }) {
  return (
    <>
      <Show when={props.page.fires === 0}>
        <span class="badge warn">dead</span>
      </Show>
      <Show when={props.page.singleToken}>
        <span class="badge" title="at least 99% of its fires are on one token of the vocabulary">
          single token
        </span>
      </Show>
      <Show when={props.page.place}>
        {(place) => (
          <A class="badge" href={`${address.map(props.run.run)}?feature=${props.page.feature}`}>
            cluster {place().cluster}
          </A>
        )}
      </Show>
    </>
  )
}
