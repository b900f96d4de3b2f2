import { createBase64Writer } from '../../src/corpus/base64-texts.js'
import { createDnaWriter } from '../../src/corpus/dna-texts.js'
import { createHexWriter } from '../../src/corpus/hex-texts.js'
import { icuDocument, icuLocales } from '../../src/corpus/icu-texts.js'
import { createVoice } from '../../src/corpus/icu-voice.js'
import { Random } from '../../src/random/random.js'

/** Strings that tokenizers disagree about when they disagree: odd spaces, marks, controls, contractions, long words. */
const ODD = [
  '',
  ' ',
  '   ',
  '\n',
  '\r\n\r\n',
  '\t\tx',
  'a  b   c',
  'a \n b\n\n  c  ',
  ' trailing   ',
  "it's we'll I'm they've you're he'd 'tis 's'S'LL",
  "don''t ''' 'x",
  'U+0085:\u0085next',
  'BOM:\uFEFFinside\uFEFF \uFEFF',
  'nbsp:\u00a0\u00a0x thin:\u2009y ideographic:\u3000z zwsp:\u200bw ogham:\u1680v mongolian:\u180eu',
  'line\u2028separator\u2029paragraph',
  '\u0000\u0001\u0007\u001b[31mred\u001b[0m\u007f',
  'e\u0301 \u0301alone \u0644\u0651\u0647 \u05e9\u05c1\u05b8',
  '\u200fעברית\u200e mixed \u202bالعربية\u202c',
  '👍 👩‍👩‍👧‍👦 🇪🇬🇮🇱 🏳️‍🌈 ✌🏽 ☃️',
  '𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐎠𐎡 𒀀𒀁 𓀀',
  '١٢٣ ४५६ ⅣⅫ ²³ ½ ٣٫١٤ 1,234.56',
  'x=1;y+=2;z**=3//4 ??!! ... --- ___ ```js',
  'CamelCaseWord snake_case_word kebab-case-word SCREAMING_CASE',
  '<|endoftext',
  '<| endoftext |>',
  '|>endoftext<|',
  'ﷺ ﷲ ﻻ Ǆ ŉ ẞ İi̇',
  'ไทยไม่มีช่องว่างระหว่างคำ 日本語もそうです。中文也是。',
  'a'.repeat(300),
  'ACGT'.repeat(100),
  `${'ab'.repeat(97)} ${'aab'.repeat(60)}`,
  `${'='.repeat(200)}\n${' '.repeat(150)}x`,
  '�￿￾',
]

/** Some 200 texts: the odd ones, and pieces of every generated language and kind. */
export function variedTexts(): string[] {
  const random = new Random(7)
  const texts = [...ODD]
  const cut = (text: string, most: number) => {
    const characters = [...text]
    const start = random.int(Math.max(1, characters.length - most))
    return characters.slice(start, start + 1 + random.int(most)).join('')
  }
  for (const locale of icuLocales) {
    const voice = createVoice(locale, random)
    for (let i = 0; i < 6; i++) texts.push(cut(icuDocument(voice), 120))
  }
  const sample = [texts.join(' ')]
  for (const write of [
    createDnaWriter(random),
    createBase64Writer(random, sample),
    createHexWriter(random, sample),
  ])
    for (let i = 0; i < 8; i++) texts.push(cut(write(), 200))
  return texts
}
