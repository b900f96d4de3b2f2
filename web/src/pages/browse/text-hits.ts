import { createResource } from 'solid-js'
import type { TextRequest, TextRun } from '../../../../src/server/protocol'
import { runText } from '../../api'

/** One feature that fires on a text, with the stretch of it where it fires most. */
export interface TextHit {
  feature: number
  name: string | null
  activation: number
  relative: number | null
  segments: string[]
  focus: number
  /** on how many segments it fires */
  fires: number
}

const around = 6

/** Features that fire on a text, strongest first. */
export const hitsOf = (run: TextRun): TextHit[] =>
  run.features.map(({ feature, name, activation, relative, segment, segments }) => {
    const from = Math.max(0, segment - around)
    const stretch = run.segments.slice(from, segment + around + 1).map(({ text }) => text)
    return { feature, name, activation, relative, segments: stretch, focus: segment - from, fires: segments }
  })

/** Runs the model on the text of the address, when there is one; a newer text takes the place of an older one. */
export function createTextRun(run: () => string, text: () => string | undefined) {
  let controller: AbortController | undefined
  return createResource(
    () => {
      const given = text() ?? ''
      return given.trim() !== '' && { run: run(), text: given }
    },
    ({ run, text }) => {
      controller?.abort()
      controller = new AbortController()
      const request: TextRequest = { text, top: 0, limit: 500 }
      return runText(run, request, controller.signal)
    },
  )
}
