import { splitWords } from '../byte-level.js'
import { compilePattern } from './library.js'
import type { PreTokenizerStep } from './tokenizer-document.js'

/** Cuts a stretch of text into pieces. `first`: whether it begins the whole text. */
export type PreTokenizer = (text: string, first: boolean) => string[]

/**
 * Makes the cutting that comes before the model. ByteLevel's change of alphabet is left out: pieces are text.
 * @throws Error (a pattern that JavaScript cannot express, or a step after ByteLevel)
 */
export function createPreTokenizer(steps: readonly PreTokenizerStep[]): PreTokenizer {
  if (steps.slice(0, -1).some((step) => step.type === 'ByteLevel'))
    throw new Error('pre_tokenizer: expected ByteLevel as the last step')
  const cuts = steps.map(createStep)
  return (text, first) =>
    cuts.reduce((pieces, cut) => pieces.flatMap((piece, i) => cut(piece, first && i === 0)), [text])
}

function createStep(step: PreTokenizerStep): PreTokenizer {
  switch (step.type) {
    case 'ByteLevel':
      return (text) => {
        const spaced = step.add_prefix_space && !text.startsWith(' ') ? ` ${text}` : text
        return step.use_regex ? splitWords(spaced) : [spaced]
      }
    case 'Split': {
      const cut = createSplit(compilePattern(step.pattern), step.behavior)
      const matches = step.invert ? (piece: Piece): Piece => ({ ...piece, match: !piece.match }) : null
      return (text) => cut(text, matches)
    }
    case 'Digits': {
      const cut = createSplit(/\p{N}/gu, step.individual_digits ? 'Isolated' : 'Contiguous')
      return (text) => cut(text, null)
    }
    case 'Metaspace':
      return createMetaspace(step)
  }
}

/** Spaces become ▁, which also stands before the text; words begin at it. */
function createMetaspace(step: PreTokenizerStep & { type: 'Metaspace' }): PreTokenizer {
  const { replacement, split } = step
  const scheme = step.prepend_scheme ?? (step.add_prefix_space === false ? 'never' : 'always')
  const words = createSplit(new RegExp(replacement, 'gu'), 'MergedWithNext')
  return (text, first) => {
    const replaced = text.replaceAll(' ', replacement)
    const prefixed = scheme === 'always' || (scheme === 'first' && first)
    const whole = prefixed && !replaced.startsWith(replacement) ? replacement + replaced : replaced
    return split ? words(whole, null) : [whole]
  }
}

type Behavior = (PreTokenizerStep & { type: 'Split' })['behavior']

interface Piece {
  text: string
  match: boolean
}

function createSplit(pattern: RegExp, behavior: Behavior) {
  return (text: string, change: ((piece: Piece) => Piece) | null): string[] => {
    const pieces = cutAtMatches(text, pattern)
    return joinPieces(change ? pieces.map(change) : pieces, behavior)
  }
}

function cutAtMatches(text: string, pattern: RegExp): Piece[] {
  const pieces: Piece[] = []
  let done = 0
  for (const { 0: found, index } of text.matchAll(pattern)) {
    if (found === '') continue
    if (index > done) pieces.push({ text: text.slice(done, index), match: false })
    pieces.push({ text: found, match: true })
    done = index + found.length
  }
  if (done < text.length) pieces.push({ text: text.slice(done), match: false })
  return pieces
}

/** What becomes of the matches: SplitDelimiterBehavior of Hugging Face's `tokenizers`. */
function joinPieces(pieces: readonly Piece[], behavior: Behavior): string[] {
  if (behavior === 'Isolated') return pieces.map((piece) => piece.text)
  if (behavior === 'Removed') return pieces.filter((piece) => !piece.match).map((piece) => piece.text)
  const out: string[] = []
  for (const [i, { text, match }] of pieces.entries()) {
    const before = pieces[i - 1]
    const joins =
      before !== undefined &&
      (behavior === 'Contiguous'
        ? before.match === match
        : behavior === 'MergedWithNext'
          ? before.match && !match
          : !before.match && match)
    if (joins) out[out.length - 1] += text
    else out.push(text)
  }
  return out
}
