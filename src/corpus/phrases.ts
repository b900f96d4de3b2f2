import { otherGrammars } from './grammar-others.js'
import { semiticGrammars } from './grammar-semitic.js'
import { asianPhrases } from './phrases-asian.js'
import { europeanPhrases } from './phrases-european.js'
import { semiticPhrases } from './phrases-semitic.js'

/**
 * Frames that turn the names, dates and amounts of ICU into sentences. Slots:
 * {r} {r2} regions, {R} list of regions, {l} main language of r, {l2} another language, {L} list of languages, {c} currency of r,
 * {C} list of currencies, {s} script, {z} time zone of r, {w} weekday (the first of r's week), {m} month, {cal} calendar, {d} date,
 * {y} year, {t} time, {ago} past and {in} future relative time, {p} amount of money, {km} distance, {kg} weight, {dur} duration, {pc} percentage,
 * {n} number.
 */
export interface LocalePhrases {
  /** frames of titles */
  headings: string[]
  /** what may stand before a sentence, joined with a comma and a space unless it ends in a comma of its own */
  openers: string[]
  /** frames of sentences, one a line */
  sentences: string
}

/** Every language that the corpus has sentences in. */
export const localePhrases: Readonly<Record<string, LocalePhrases>> = {
  ...semiticPhrases,
  ...asianPhrases,
  ...europeanPhrases,
}

/**
 * A context-free grammar for sentences without news in them: symbol to alternatives, divided by "|"; `<X>` stands for symbol X,
 * `{r}` for a slot as in LocalePhrases. The start symbol is S.
 */
export type Grammar = Readonly<Record<string, string>>

/** A grammar for every language of localePhrases. */
export const localeGrammars: Readonly<Record<string, Grammar>> = { ...semiticGrammars, ...otherGrammars }
