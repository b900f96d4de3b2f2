import { A } from '@solidjs/router'
import type { RunInfo } from '../../../../src/server/protocol'
import { usePage } from '../../page'
import { address } from '../../runs'
import { whole } from './figures'

/** For a feature that this run does not have: says which there are, and the way back. */
export function OutOfRange(props: { run: RunInfo; asked: string }) {
  usePage(() => ['No such feature', props.run.run])
  const last = () => props.run.features - 1
  const nearest = () => {
    const number = Number(props.asked)
    return Number.isFinite(number) ? Math.max(0, Math.min(last(), Math.round(number))) : 0
  }
  return (
    <section class="panel">
      <h1>
        There is no feature <bdi>{props.asked.slice(0, 40)}</bdi>
      </h1>
      <p>
        Features of {props.run.run} are numbered 0 to {whole(last())}.
      </p>
      <p class="row">
        <A href={address.feature(props.run.run, nearest())}>Feature {nearest()}, the nearest</A>
        <span aria-hidden="true">·</span>
        <A href={address.features(props.run.run)}>List of all features</A>
      </p>
    </section>
  )
}
