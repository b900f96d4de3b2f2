import { createSignal, For, Show } from 'solid-js'
import type { Curve as CurveData } from '../../../../src/server/protocol'
import { Curve } from '../../components/curve'

/** Names of curves as they are written in the files of training, in words; the ones shown at first, best first. */
const first: Record<string, string> = {
  loss: 'Loss',
  valLoss: 'Validation loss',
  explainedVariance: 'Explained variance',
  l0: 'L0',
  dead: 'Dead features',
}
const others: Record<string, string> = {
  learningRate: 'Learning rate',
  gradientNorm: 'Gradient norm',
  squaredError: 'Squared error',
  sparsity: 'Sparsity penalty',
  sparsityCoefficient: 'Sparsity coefficient',
  auxLoss: 'Auxiliary loss',
  meanDensity: 'Mean density',
  maxDensity: 'Largest density',
}

/** Curves of training: the ones that tell most, the others on demand. */
export function Curves(props: { curves: readonly CurveData[] }) {
  const [all, setAll] = createSignal(false)
  const main = () =>
    Object.keys(first).flatMap((name) => props.curves.find((curve) => curve.name === name) ?? [])
  const rest = () => props.curves.filter(({ name }) => !(name in first))
  return (
    <>
      <div class="curves">
        <For each={main()}>{(curve) => <Curve curve={curve} title={first[curve.name]} />}</For>
        <Show when={all()}>
          <For each={rest()}>
            {(curve) => <Curve curve={curve} title={others[curve.name] ?? curve.name} />}
          </For>
        </Show>
      </div>
      <Show when={rest().length > 0}>
        <button type="button" class="plain" aria-expanded={all()} onClick={() => setAll(!all())}>
          {all() ? 'Fewer curves' : `${rest().length} more curves`}
        </button>
      </Show>
    </>
  )
}
