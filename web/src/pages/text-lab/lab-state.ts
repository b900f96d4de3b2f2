import { useSearchParams } from '@solidjs/router'
import { createEffect, createMemo, createSignal, on } from 'solid-js'
import type { Attribution } from '../../../../src/server/protocol'
import { runText as askText, send } from '../../api'
import { checked } from './attribution-panel'
import type { Target } from './next-tokens'
import type { Shade } from './reading'
import { createRequest } from './request'

type Address = { text?: string; feature?: string; target?: string; word?: string }

/** What shades the text: a traced feature by its number, or the attribution. */
export type ShadedBy = number | 'attribution' | undefined

/** Features that are traced at once, at most. */
const mostTraces = 32

/** Features that an attribution lists. */
const attributed = 60

/** Whether a text goes into the address: longer ones would be refused on their way. */
export const fitsAddress = (text: string): boolean =>
  text.length <= 1500 && encodeURIComponent(text).length <= 6000

/** Numbers of a list like `1,2`; what is not a number is left out. */
const parseFeatures = (text: string | undefined): number[] => [
  ...new Set(
    (text ?? '')
      .split(',')
      .filter((part) => /^\d{1,9}$/.test(part))
      .map(Number),
  ),
]

/** What the lab asks the server for. */
function createLabRequests(run: () => string) {
  const ofText = createRequest(async (text: string, signal) => ({
    text,
    run: await askText(run(), { text, top: 12, limit: 50 }, signal),
  }))
  const ofTraces = createRequest(async ({ text, features }: { text: string; features: number[] }, signal) => {
    const body = { text, features, top: 0, limit: 0 }
    const { traces } = await askText(run(), body, signal)
    return { text, traces }
  })
  const ofAttribution = createRequest(
    ({ text, target, verify }: { text: string; target: Target; verify: boolean }, signal) =>
      send<Attribution>(
        'POST',
        `/runs/${run()}/attribution`,
        { text, target, top: attributed, verify: verify ? checked : 0 },
        signal,
      ),
  )
  return { run: ofText, traces: ofTraces, attribution: ofAttribution }
}

/**
 * Everything the lab knows: the text and the choices in the address, the answers of the server, and what is shown of them.
 * @param featureCount F: features of the address that are none of them are not traced
 */
export function createLab(run: () => string, featureCount: number) {
  const [params, setParams] = useSearchParams<Address>()
  const setAddress = (change: Address) => setParams(change, { replace: true, scroll: false })
  const [draft, setDraft] = createSignal(params.text ?? '')
  const [text, setText] = createSignal('')
  const [selected, setSelected] = createSignal(0)
  const [shadedBy, setShadedBy] = createSignal<ShadedBy>()
  const [verify, setVerify] = createSignal(false)

  const requests = createLabRequests(run)

  const asked = createMemo(() => parseFeatures(params.feature))
  const features = createMemo(() =>
    asked()
      .filter((feature) => feature < featureCount)
      .slice(-mostTraces),
  )
  const missing = () => asked().filter((feature) => feature >= featureCount)
  const target = (): Target | undefined =>
    params.target !== undefined && /^\d+$/.test(params.target) ? Number(params.target) : params.word
  const shown = () => requests.run.answer()?.run
  const traces = createMemo(() => {
    const answer = requests.traces.answer()
    if (!answer || answer.text !== requests.run.answer()?.text) return []
    return features().flatMap((feature) => answer.traces.find((trace) => trace.feature === feature) ?? [])
  })

  const runText = (next: string) => {
    setText(next)
    requests.run.ask(next)
    setAddress({ text: fitsAddress(next) ? next : undefined })
  }
  createEffect(
    on(
      () => params.text,
      (given) => {
        if (given === undefined || given === text()) return
        setDraft(given)
        runText(given)
      },
    ),
  )
  createEffect(
    on([text, features], ([text, features]) => {
      if (text === '' || features.length === 0) requests.traces.clear()
      else requests.traces.ask({ text, features })
    }),
  )
  createEffect(
    on([text, target, verify], ([text, target, verify]) => {
      if (text === '' || target === undefined) requests.attribution.clear()
      else requests.attribution.ask({ text, target, verify })
    }),
  )
  createEffect(
    on(requests.run.answer, (answer) => {
      if (answer) setSelected(Math.max(answer.run.segments.length - 1, 0))
    }),
  )
  if (features().length > 0) setShadedBy(features()[0])
  else if (target() !== undefined) setShadedBy('attribution')

  const setFeatures = (next: number[]) => setAddress({ feature: next.join(',') || undefined })
  const untrace = (feature: number) => {
    setFeatures(features().filter((other) => other !== feature))
    if (shadedBy() === feature) setShadedBy(undefined)
  }
  const trace = (feature: number) => {
    if (features().includes(feature)) return untrace(feature)
    setFeatures([...features(), feature].slice(-mostTraces))
    setShadedBy(feature)
  }
  const setTarget = (target: Target | undefined) => {
    setAddress({
      target: typeof target === 'number' ? String(target) : undefined,
      word: typeof target === 'string' ? target : undefined,
    })
    setShadedBy(target === undefined ? features()[0] : 'attribution')
  }

  const shade = createMemo((): Shade => {
    const by = shadedBy()
    const length = shown()?.segments.length ?? 0
    if (by === 'attribution') {
      const found = requests.attribution.answer()
      return found && found.segments.length === length ? shadeBy(found) : undefined
    }
    const trace = traces().find(({ feature }) => feature === by)
    if (!trace || trace.activations.length !== length) return undefined
    return {
      kind: 'activation',
      values: trace.activations,
      max: Math.max(trace.max, ...trace.activations),
    }
  })
  return {
    ...{ draft, setDraft, text, runText, requests, shown, selected, setSelected, shade, shadedBy },
    ...{ setShadedBy, features, missing, traces, trace, untrace, target, setTarget, verify, setVerify },
  }
}

/** Attribution by segment: the sum over the features that are listed. */
function shadeBy({ segments, features }: Attribution): Shade {
  const values = new Array<number>(segments.length).fill(0)
  for (const { segment, gradientTimesActivation } of features)
    if (segment in values) values[segment] += gradientTimesActivation
  return { kind: 'signed', values, max: Math.max(...values.map(Math.abs), 1e-12) }
}
