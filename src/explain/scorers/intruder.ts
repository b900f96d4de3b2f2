import { z } from 'zod'
import { Random } from '../../random/random.js'
import type { FeatureEvidence, Scorer } from '../evidence.js'
import { notation } from '../llm/shown-example.js'
import { negativeKinds, type TextScorerOptions } from './detection.js'
import { activeTokens, type LabelledText, labelledTexts, textWithHighlights } from './labelled-texts.js'
import { noScore, scoreOf } from './score-of.js'

export interface IntruderScorerOptions extends Omit<TextScorerOptions, 'batch'> {
  /** texts of one question, the intruder included; default 5 */
  texts?: number
  /** questions about one feature; default 10 */
  questions?: number
}

/** One question: which of the texts does not belong? */
export interface IntruderQuestion {
  texts: readonly LabelledText[]
  /** index of the one in which the feature is silent */
  intruder: number
}

const system = `You see some numbered texts, in each of which some tokens are highlighted ⟦like this⟧. In all of them but one the highlighted tokens have something in common: a meaning, a form, or the context that they stand in. One text does not belong. Say which. ${notation}

Answer with JSON only: {"reasoning": "one or two sentences", "intruder": the number of the text}`

const schema = z.object({ reasoning: z.string(), intruder: z.int() })

/**
 * Intruder detection (EleutherAI, delphi): in all but one of n held-out texts the feature is active, and its active tokens are highlighted; which text does
 * not belong? No explanation is used: this measures how alike the texts of a feature are. The value is the share of right answers;
 * guessing gives 1 / n (`chance`).
 */
export function createIntruderScorer(options: IntruderScorerOptions): Scorer {
  const { client, tokenizer, texts: size = 5 } = options
  return {
    name: 'intruder',
    async score(_explanation, evidence, signal) {
      const questions = intruderQuestions(evidence, options)
      if (questions.length === 0)
        return [noScore('intruder', `too few held-out texts for questions of ${size}`)]
      const answers = await Promise.all(
        questions.map(({ texts }) =>
          client.ask(
            {
              purpose: 'intruder',
              system,
              messages: [{ role: 'user', content: questionText(texts, tokenizer) }],
              schema,
              check: ({ intruder }) =>
                intruder >= 1 && intruder <= texts.length
                  ? null
                  : `expected a number from 1 to ${texts.length}, got ${intruder}`,
            },
            signal,
          ),
        ),
      )
      const judged = questions.flatMap(({ texts, intruder }, i) => {
        const answer = answers[i]
        if (!answer.ok) return []
        return [{ right: answer.value.intruder === intruder + 1, kind: negativeKinds[texts[intruder].group] }]
      })
      const failure = answers.find((answer) => !answer.ok)
      if (judged.length === 0)
        return [
          noScore('intruder', failure && !failure.ok ? `${failure.kind}: ${failure.reason}` : 'no answers'),
        ]
      const shareOf = (some: typeof judged): number => some.filter(({ right }) => right).length / some.length
      const details: Record<string, number> = { chance: 1 / size, failed: questions.length - judged.length }
      for (const kind of new Set(judged.map((one) => one.kind)))
        details[`accuracy${kind}`] = shareOf(judged.filter((one) => one.kind === kind))
      return [scoreOf('intruder', shareOf(judged), judged.length, details)]
    },
  }
}

function questionText(texts: readonly LabelledText[], tokenizer: TextScorerOptions['tokenizer']): string {
  const lines = texts.map(({ example, active }, i) => {
    const places = active ? activeTokens(example) : [example.tokenIndex]
    return `text ${i + 1}: ${textWithHighlights(example, tokenizer, new Set(places))}`
  })
  return lines.join('\n\n')
}

/** The questions about a feature; each takes other texts as far as there are enough, and kinds of intruders take turns. */
export function intruderQuestions(
  evidence: FeatureEvidence,
  { seed = 0, texts: size = 5, questions = 10 }: Pick<IntruderScorerOptions, 'seed' | 'texts' | 'questions'>,
): IntruderQuestion[] {
  const random = Random.named(seed, `intruder ${evidence.feature}`)
  const all = labelledTexts(evidence, seed, 'intruder')
  const members = all.filter(({ active }) => active)
  const intruders = alternating(all.filter(({ active }) => !active))
  if (members.length < size - 1 || intruders.length === 0 || size < 2) return []
  return Array.from({ length: questions }, (_, q) => {
    // Around the list, so that no text comes twice in a question.
    const texts = Array.from({ length: size - 1 }, (_, i) => members[(q * (size - 1) + i) % members.length])
    const intruder = random.int(size)
    texts.splice(intruder, 0, intruders[q % intruders.length])
    return { texts, intruder }
  })
}

/** The same texts, one of each group after the other. */
function alternating(texts: readonly LabelledText[]): LabelledText[] {
  const turn = new Map<string, number>()
  const withTurn = texts.map((text) => {
    const count = turn.get(text.group) ?? 0
    turn.set(text.group, count + 1)
    return { text, count }
  })
  return withTurn.sort((a, b) => a.count - b.count).map(({ text }) => text)
}
