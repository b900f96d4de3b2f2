import type {
  Relatives,
  ScoredExamples,
  Specificity,
  SpecificityList,
  SpecificityRequest,
} from '../../../../src/server/protocol'
import { get, send } from '../../api'

/* Requests that only the feature page makes. */

const at = (run: string, feature: number): string => `/runs/${run}/features/${feature}`

/** The held-out examples that an explanation was scored on. */
export const getScoredExamples = (run: string, feature: number, explanation: number, signal: AbortSignal) =>
  get<ScoredExamples>(`${at(run, feature)}/explanations/${explanation}/examples`, signal)

/** What was measured already: case studies, and what was asked for since the server started. */
export const getSpecificity = (run: string, feature: number, signal: AbortSignal) =>
  get<SpecificityList>(`${at(run, feature)}/specificity`, signal)

export const measureSpecificity = (
  run: string,
  feature: number,
  request: SpecificityRequest,
  signal: AbortSignal,
) => send<Specificity>('POST', `${at(run, feature)}/specificity`, request, signal)

/** The feature across dictionary sizes, and its partners in dictionaries of other models. */
export const getRelatives = (run: string, feature: number, signal: AbortSignal) =>
  get<Relatives>(`${at(run, feature)}/relatives`, signal)
