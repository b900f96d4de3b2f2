import { isBase64 } from '../../interp/base64.js'

/** A kind of text that a rule can be about. */
export interface TextClass {
  /** plural English, as in "active on ..." */
  name: string
}

/** Scripts that get a class of their own, by their Unicode names; Latin letters are told apart further. */
const scripts = [
  'Arabic',
  'Hebrew',
  'Cyrillic',
  'Greek',
  'Armenian',
  'Georgian',
  'Devanagari',
  'Bengali',
  'Gurmukhi',
  'Gujarati',
  'Tamil',
  'Telugu',
  'Kannada',
  'Malayalam',
  'Sinhala',
  'Thai',
  'Lao',
  'Tibetan',
  'Myanmar',
  'Khmer',
  'Ethiopic',
  'Hangul',
  'Hiragana',
  'Katakana',
  'Han',
] as const

const scriptRules = scripts.map((script): [string, RegExp] => [
  `${script} script`,
  new RegExp(`\\p{Script=${script}}`, 'u'),
])

/** Classes of one token by its text, the first that matches. */
const tokenRules: readonly [string, RegExp][] = [
  ...scriptRules,
  ['line breaks and indentation', /^\s*\n\s*$/],
  ['blanks', /^\s+$/],
  ['digits', /^ ?\p{Nd}+$/u],
  ['letters with accents', /[\u00c0-\u024f\u1e00-\u1eff]/],
  ['pieces of letters and digits', /^ ?(?=[a-z_]*\d)(?=\d*[a-z_])\w+$/i],
  ['upper-case pieces', /^ ?[A-Z_]+$/],
  ['capitalised words', /^ [A-Z][a-z]+$/],
  ['capitalised pieces of words', /^[A-Z][a-z]+$/],
  ['pieces with capitals inside', /^ ?(?=.*[a-z][A-Z]|[A-Z]{2,}[a-z])[A-Za-z]+$/],
  ['lower-case words', /^ [a-z]+$/],
  ['lower-case pieces of words', /^[a-z]+$/],
  ['brackets', /^\s*[()[\]{}<>]+$/],
  ['quotation marks', /^\s*["'`“”‘’«»]+$/],
  ['operators', /^\s*[=+*/%&|^~!?<>-]+$/],
  ['punctuation', /^\s*(?:(?!\ufffd)[\p{P}\p{S}])+\s*$/u],
]

/** What is left: pieces of characters, and tokens of several kinds. */
const restOfTokens = ['incomplete characters', 'other text'] as const

export const tokenClasses: readonly TextClass[] = [
  ...tokenRules.map(([name]) => ({ name })),
  ...restOfTokens.map((name) => ({ name })),
]

/** The class of a token, an index into `tokenClasses`. @param bytes UTF-8, perhaps a part of a character */
export function classOfToken(bytes: Uint8Array): number {
  const text = decodeLoosely(bytes)
  const found = tokenRules.findIndex(([, rule]) => rule.test(text))
  if (found >= 0) return found
  return tokenRules.length + (text.includes('\ufffd') ? 0 : 1)
}

const loose = new TextDecoder('utf-8')

/**
 * Text of bytes that may end inside a character. Where most characters that it can become are of one script, one of those stands for it: the
 * first two bytes of a Thai letter count as Thai.
 */
function decodeLoosely(bytes: Uint8Array): string {
  const text = loose.decode(bytes)
  const missing = missingBytes(bytes)
  if (missing <= 0) return text
  const found = new Map<number, string[]>()
  for (let fill = 0x80; fill <= 0xbf; fill++) {
    const filled = loose.decode(
      Uint8Array.from([...bytes, fill, 0x80, 0x80].slice(0, bytes.length + missing)),
    )
    const script = scriptRules.findIndex(([, rule]) => rule.test(filled))
    if (script >= 0) found.set(script, [...(found.get(script) ?? []), filled])
  }
  const [most, second] = [...found.values()].sort((a, b) => b.length - a.length)
  return most && most.length >= 16 && 3 * (second?.length ?? 0) < most.length ? most[0] : text
}

/** How many bytes the last character lacks. */
function missingBytes(bytes: Uint8Array): number {
  for (let at = bytes.length - 1; at >= Math.max(0, bytes.length - 3); at--) {
    const lead = bytes[at]
    if (lead < 0x80) return 0
    if (lead >= 0xc0) return at + (lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2) - bytes.length
  }
  return 0
}

/** Kinds of text by the letters and digits that lead up to a place, its own token included; the first that matches. */
const codedRules: readonly [string, (text: string) => boolean][] = [
  ['DNA', (text) => /[ACGT]{7,}\s*$/.test(text)],
  ['base64', (text) => looksLikeBase64(/[A-Za-z0-9+/]*$/.exec(text)?.[0] ?? '')],
  ['hexadecimal', (text) => /(?<![G-Zg-z])(?=[A-F]*\d|[a-f]*\d)(?:[0-9a-f]{7,}|[0-9A-F]{7,})$/.test(text)],
]

const plainRules: readonly [string, RegExp][] = [
  ['dates and times', /\d[-/.:]\d+[-/.:]?\d*$/],
  ['numbers', /\d[\d.,_]*$/],
  ['upper-case names', /[A-Z][A-Z0-9_]{2,}$/],
  ['the beginnings of lines', /(?:^|\n)[ \t]*[^\s\w]?\s?$/],
  ['camelCase names', /[a-z][A-Z][a-z]*$/],
  ['paths and member names', /\w[/.\\-][\w/.\\-]*$/],
  ['brackets of code', /[({[<]\s*\w*$/],
  ['quoted text', /["'`“‘]\w*$/],
  ['words with accents', /[\u00c0-\u024f]/],
  ['words', /[a-z] ?$/i],
  ['other text', /(?:)/],
]

/** Codes, then scripts, then the rest. */
export const contextClasses: readonly TextClass[] = [...codedRules, ...scriptRules, ...plainRules].map(
  ([name]) => ({ name }),
)

/** The class of the place at the end of a text, an index into `contextClasses`. */
export function classOfContext(text: string): number {
  const coded = codedRules.findIndex(([, rule]) => rule(text))
  if (coded >= 0) return coded
  const script = scriptOf(/(\p{L})[^\p{L}]*$/u.exec(text)?.[1] ?? '')
  if (script >= 0) return codedRules.length + script
  return codedRules.length + scriptRules.length + plainRules.findIndex(([, rule]) => rule.test(text))
}

const looksLikeBase64 = (run: string): boolean => run.length >= 10 && isBase64(run)

const scriptOfLetter = new Map<string, number>()

/** Script of a letter, an index into `scripts`; -1 for any other. */
function scriptOf(letter: string): number {
  if (letter < '\u0370') return -1
  let script = scriptOfLetter.get(letter)
  if (script === undefined) {
    script = scriptRules.findIndex(([, rule]) => rule.test(letter))
    scriptOfLetter.set(letter, script)
  }
  return script
}

/** How many tokens lead up to a place, its own included. */
const contextTokens = 6

/**
 * The context class of each of some consecutive tokens of one document.
 * @param tokenBytes what each token stands for
 */
export function contextClassesOf(
  tokens: ArrayLike<number>,
  tokenBytes: (token: number) => Uint8Array,
): Uint8Array {
  return Uint8Array.from(tokens, (_, i) => contextClassAt(tokens, i, tokenBytes))
}

/** The context class of one of some consecutive tokens of a document. */
export function contextClassAt(
  tokens: ArrayLike<number>,
  i: number,
  tokenBytes: (token: number) => Uint8Array,
): number {
  const parts: Uint8Array[] = []
  for (let j = Math.max(0, i - contextTokens + 1); j <= i; j++) parts.push(tokenBytes(tokens[j]))
  return classOfContext(loose.decode(Buffer.concat(parts)).replaceAll('\ufffd', ''))
}
