import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readCaseStudies } from '../../interp/case-studies.js'
import type { CaseStudy } from '../../interp/study-predicates.js'
import { requireMadeFrom } from '../../storage/made-from.js'
import { openStage } from '../../storage/open-stage.js'
import { once } from '../once.js'
import type { Specificity } from '../protocol.js'

/** What is known of the specificity of a run's features: its case studies, and what was measured since the server started. */
export interface SpecificityMemory {
  /** Newest first, then the case studies. @throws MonosemError corrupt, config (case studies of another autoencoder) */
  of(feature: number): Promise<Specificity[]>
  /** Takes the place of an earlier result for the same feature and concept. */
  add(result: Specificity): void
}

/** Results that are kept; the oldest goes first. */
const mostResults = 500

/** @param run the run's directory, @param maxima largest activation of each feature in the store */
export function createSpecificityMemory(run: string, maxima: Float64Array): SpecificityMemory {
  const results = new Map<string, Specificity>()
  const studied = once(async () => {
    const directory = join(run, 'case-studies')
    if (!existsSync(directory)) return []
    await requireMadeFrom(await openStage(directory, 'case-studies'), 'sae', join(run, 'sae'))
    return (await readCaseStudies(directory)).flatMap((study) => studyOf(study, maxima) ?? [])
  })
  return {
    async of(feature) {
      const own = (all: Iterable<Specificity>) => [...all].filter((one) => one.feature === feature)
      return [...own(results.values()).reverse(), ...own(await studied())]
    },
    add(result) {
      const key = `${result.feature} ${result.concept}`
      results.delete(key)
      results.set(key, result)
      const [oldest] = results.keys()
      if (results.size > mostResults) results.delete(oldest)
    },
  }
}

/** A case study of the feature that it chose. It kept shares of the maximum as levels, and no columns. */
function studyOf(study: CaseStudy, maxima: Float64Array): Specificity | null {
  if (study.feature === null) return null
  const max = maxima[study.feature]
  return {
    feature: study.feature,
    source: 'case-study',
    concept: study.name,
    description: study.description,
    reason: study.reason,
    tokens: study.tokens.heldOut,
    positives: study.positives.heldOut,
    fires: study.levels[0]?.tokens ?? 0,
    correlation: study.correlation,
    levels: study.levels.map(({ fraction, tokens, precision, logLikelihoodRatio }) => ({
      above: fraction * max,
      to: max,
      tokens,
      holds: precision,
      logLikelihoodRatio,
    })),
    columns: { holds: [], others: [] },
    max,
  }
}
