import type { EvalReport } from '../eval/eval-report.js'
import { baselineKinds } from './baseline-kinds.js'
import type { BaselineName } from './baselines-config.js'
import type { MadeBaselines, MadeDictionary } from './make-baselines.js'
import { judge, type Verdict } from './verdict.js'

/** Figures of one dictionary. */
export interface DictionaryFigures {
  report: EvalReport
  /** tokens that it was trained on; null where that is not known or nothing was trained */
  trainTokens: number | null
}

/** A baseline beside the dictionary. */
export interface JudgedBaseline extends DictionaryFigures {
  name: BaselineName
  /** how it is called in tables and sentences */
  label: string
  /** what it was compared with: the dictionary, or the one that was trained on as many tokens */
  against: 'dictionary' | 'same budget'
  /** whether it reads activations of the dictionary's own model */
  ownModel: boolean
  verdicts: Verdict[]
}

/** The content of baselines.json. */
export interface BaselinesReport {
  hookName: string
  dictionary: DictionaryFigures
  /** the dictionary once more, trained on as many tokens as the baselines; null where that is the dictionary */
  sameBudget: DictionaryFigures | null
  baselines: JudgedBaseline[]
  /** whether every headline beats every baseline; false where one is not known */
  beatsAll: boolean
}

/** Judges a dictionary by its baselines. */
export function baselinesReport({ dictionary, sameBudget, baselines }: MadeBaselines): BaselinesReport {
  const judged = [...baselines].map(([name, baseline]): JudgedBaseline => {
    const { label, made } = baselineKinds[name]
    const own = made === 'basis' ? dictionary : sameBudget
    const ownModel = made !== 'model'
    return {
      ...{ name, label, ...figuresOf(baseline), ownModel },
      against: own === dictionary ? 'dictionary' : 'same budget',
      verdicts: judge(own.measured, baseline.measured, ownModel),
    }
  })
  return {
    hookName: dictionary.measured.report.hookName,
    dictionary: figuresOf(dictionary),
    sameBudget: sameBudget === dictionary ? null : figuresOf(sameBudget),
    baselines: judged,
    beatsAll: judged.every(({ verdicts }) => verdicts.every(({ outcome }) => outcome === 'beats')),
  }
}

const figuresOf = ({ measured, trainTokens }: MadeDictionary): DictionaryFigures => ({
  report: measured.report,
  trainTokens,
})
