import { Random } from '../random/random.js'
import { type CorpusDocument, utf8Length } from './document.js'
import type { RegionFacts } from './icu-names.js'
import { createVoice, hasLocale, type Voice } from './icu-voice.js'
import { type Grammar, type LocalePhrases, localeGrammars, localePhrases } from './phrases.js'

/** Share of each language in the multilingual part. Arabic and Hebrew are the only languages of their scripts. */
const WEIGHTS: Readonly<Record<string, number>> = {
  ar: 1.2,
  he: 1.2,
  en: 5,
  ru: 5,
  hi: 4.5,
  zh: 4.5,
  ja: 4.5,
  ko: 4.5,
  el: 5,
  th: 4,
  ta: 3.5,
  bn: 3,
  uk: 3,
  bg: 2.5,
  ka: 3,
  hy: 3,
  vi: 2.5,
  tr: 2,
  de: 3,
  fr: 3,
  es: 3,
  pl: 2,
  fi: 2,
}

/** Languages of the multilingual part. */
export const icuLocales: readonly string[] = Object.keys(WEIGHTS)

/** The languages of `locales` that this Node has no data for (built with small ICU). */
export function missingLocales(locales: readonly string[] = icuLocales): string[] {
  return locales.filter((locale) => !hasLocale(locale))
}

/**
 * Documents of a few KB, kind "text-<language>", written with the names, dates and amounts of Node's ICU data.
 * Languages without data are left out and their share goes to the others.
 * @param bytes wanted in all, UTF-8
 */
export function* icuTexts(bytes: number, seed: number): Generator<CorpusDocument> {
  const locales = icuLocales.filter(hasLocale)
  const total = locales.reduce((sum, locale) => sum + (WEIGHTS[locale] as number), 0)
  for (const locale of locales) {
    const voice = createVoice(locale, Random.named(seed, `text ${locale}`))
    const kind = `text-${locale}`
    const wanted = (bytes * (WEIGHTS[locale] as number)) / total
    for (let written = 0, i = 0; written < wanted; i++) {
      const text = icuDocument(voice)
      written += utf8Length(text)
      yield { kind, source: `icu/${locale}`, group: `icu/${locale}/${i}`, text }
    }
  }
}

/** One document in a random form. */
export function icuDocument(voice: Voice): string {
  const phrases = localePhrases[voice.locale] as LocalePhrases
  const roll = voice.random.uniform()
  const topic = createTopic(voice, phrases)
  if (roll < 0.5) return article(topic)
  if (roll < 0.72) return diary(topic)
  if (roll < 0.82) return facts(topic)
  if (roll < 0.88) return prices(topic)
  if (roll < 0.94) return timetable(topic)
  return glossary(topic)
}

/** What a document is about, and how its sentences are filled in. */
interface Topic {
  voice: Voice
  home: RegionFacts
  sentence(): string
  heading(): string
}

function createTopic(voice: Voice, phrases: LocalePhrases): Topic {
  const { random } = voice
  const home = random.pick(voice.facts)
  const frames = phrases.sentences.split('\n')
  const grammar = localeGrammars[voice.locale] as Grammar
  // A document uses some of the frames only, and keeps coming back to its region: texts differ from one another.
  const own = random.shuffle([...frames]).slice(0, Math.ceil(frames.length * (0.3 + 0.5 * random.uniform())))
  return {
    voice,
    home,
    heading: () => fill(random.pick(phrases.headings), voice, home),
    sentence: () => {
      const about = random.uniform() < 0.6 ? home : random.pick(voice.facts)
      if (random.uniform() < 0.6) return capitalise(fill(expand(grammar, 'S', random), voice, about))
      const frame = random.pick(own)
      return fill(random.uniform() < 0.2 ? opened(random.pick(phrases.openers), frame) : frame, voice, about)
    },
  }
}

function opened(opener: string, frame: string): string {
  const text = frame.charAt(0).toLowerCase() + frame.slice(1)
  if (/[，、]$/u.test(opener)) return opener + text
  return `${opener}${/[\u0600-\u06ff]/u.test(opener) ? '،' : ','} ${text}`
}

/** Georgian has capital letters in Unicode, but does not begin sentences with them. */
const capitalise = (text: string): string =>
  text.replace(/^(?!\p{Script=Georgian})\p{Ll}/u, (letter) => letter.toUpperCase())

const alternatives = new WeakMap<Grammar, Map<string, string[]>>()

/** A random sentence of a grammar; slots stay to be filled. */
function expand(grammar: Grammar, symbol: string, random: Random): string {
  const known = alternatives.get(grammar) ?? new Map<string, string[]>()
  alternatives.set(grammar, known)
  const choices = known.get(symbol) ?? (grammar[symbol] as string).split('|').map((text) => text.trim())
  known.set(symbol, choices)
  return random.pick(choices).replace(/<(\w+)>/g, (_, inner: string) => expand(grammar, inner, random))
}

const several = <T>(random: Random, least: number, most: number, make: (i: number) => T): T[] =>
  Array.from({ length: least + random.int(most - least + 1) }, (_, i) => make(i))

/** Fills the slots of a frame (phrases.ts) around a region. */
function fill(frame: string, voice: Voice, about: RegionFacts): string {
  const { random } = voice
  const some = (make: () => string) => voice.list([...new Set(several(random, 2, 5, make))])
  const slots: Record<string, () => string> = {
    r: () => voice.region(about.region),
    r2: () => voice.anyRegion(),
    R: () => some(voice.anyRegion),
    l: () => voice.language(about.language),
    l2: () => voice.anyLanguage(),
    L: () => some(voice.anyLanguage),
    c: () => voice.currency(about.currency),
    C: () => some(voice.anyCurrency),
    s: () => voice.script(about.script),
    z: () => voice.zone(about.timeZone),
    w: () => voice.weekday(about.firstDay),
    m: () => voice.month(),
    cal: () =>
      voice.calendar(
        random.pick(['gregory', 'islamic', 'hebrew', 'chinese', 'coptic', 'persian', 'ethiopic', 'buddhist']),
      ),
    d: () => voice.date(),
    y: () => voice.year(),
    t: () => voice.time(),
    ago: () => voice.relative(-1),
    in: () => voice.relative(1),
    p: () => voice.money(random.int(2) ? about.currency : undefined),
    km: () => voice.quantity('distance'),
    kg: () => voice.quantity('weight'),
    dur: () => voice.quantity('duration'),
    pc: () => voice.percent(),
    n: () => voice.number(),
  }
  return frame.replace(/\{(\w+)\}/g, (whole, slot: string) => slots[slot]?.() ?? whole)
}

/** Chinese and Japanese put nothing between sentences. */
const joiner = (locale: string): string => (locale === 'zh' || locale === 'ja' ? '' : ' ')

const paragraph = (topic: Topic): string =>
  several(topic.voice.random, 2, 6, topic.sentence).join(joiner(topic.voice.locale))

function article(topic: Topic): string {
  const mark = topic.voice.random.pick(['', '# ', '## ', ''])
  return `${mark}${topic.heading()}\n\n${several(topic.voice.random, 2, 6, () => paragraph(topic)).join('\n\n')}\n`
}

function diary(topic: Topic): string {
  const { voice } = topic
  return several(voice.random, 3, 7, () => `${voice.date()}\n${paragraph(topic)}\n`).join('\n')
}

function facts(topic: Topic): string {
  const { voice } = topic
  const bullet = voice.random.pick(['- ', '* ', '• ', ''])
  const separator = voice.random.pick([': ', ' — ', ' - ', '; '])
  const lines = voice.random
    .shuffle([...voice.facts])
    .slice(0, 12 + voice.random.int(20))
    .map((fact) => {
      const parts = [
        voice.language(fact.language),
        voice.currency(fact.currency),
        voice.zone(fact.timeZone),
        voice.money(fact.currency),
        voice.number(),
      ]
      const chosen = voice.random.shuffle(parts).slice(0, 1 + voice.random.int(3))
      return `${bullet}${voice.region(fact.region)}${separator}${chosen.join(separator === '; ' ? ', ' : '; ')}`
    })
  return `${topic.heading()}\n${lines.join('\n')}\n\n${paragraph(topic)}\n`
}

function prices(topic: Topic): string {
  const { voice } = topic
  const bar = voice.random.int(2) ? ' | ' : ' = '
  const lines = several(
    voice.random,
    10,
    25,
    () => `${voice.quantity()}${bar}${voice.money(topic.home.currency)}`,
  )
  return `${topic.heading()}\n\n${paragraph(topic)}\n\n${lines.join('\n')}\n`
}

function timetable(topic: Topic): string {
  const { voice } = topic
  const days = several(voice.random, 2, 4, () => {
    const stops = several(voice.random, 3, 8, () => `  ${voice.time()}  ${voice.anyRegion()}`)
    return `${voice.weekday(1 + voice.random.int(7))}, ${voice.date()}\n${stops.join('\n')}`
  })
  return `${topic.heading()}\n\n${days.join('\n\n')}\n\n${paragraph(topic)}\n`
}

/** English names beside the language's own; English itself has codes beside its names. */
function glossary(topic: Topic): string {
  const { voice } = topic
  const separator = voice.random.pick([' — ', ': ', '\t', ' = '])
  const type = voice.random.pick(['region', 'language', 'currency'] as const)
  const english = new Intl.DisplayNames('en', { type })
  const codes = [...new Set(voice.facts.map((fact) => fact[type]))]
  const lines = voice.random
    .shuffle(codes)
    .slice(0, 15 + voice.random.int(25))
    .map((code) => `${voice.locale === 'en' ? code : english.of(code)}${separator}${voice[type](code)}`)
  return `${topic.heading()}\n\n${lines.join('\n')}\n\n${paragraph(topic)}\n`
}
