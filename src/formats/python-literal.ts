/** What the headers of `.npy` files are made of. Tuples and lists are arrays. */
export type Literal = string | number | boolean | null | Literal[] | Map<string, Literal>

const token = /\s*('[^'\\\n]*'|"[^"\\\n]*"|True|False|None|\d{1,16}L?|[{}()[\]:,])/y

const maxDepth = 8

/**
 * Parses a Python literal of texts without escapes, natural numbers, True, False, None, tuples, lists and dicts with texts as keys.
 * Nothing is evaluated. Returns undefined for anything else.
 */
export function parseLiteral(text: string): Literal | undefined {
  const tokens = tokenize(text)
  if (!tokens) return undefined
  let at = 0

  const items = (close: string, depth: number, item: () => boolean): boolean => {
    if (depth > maxDepth) return false
    while (tokens[at] !== close) {
      if (!item()) return false
      if (tokens[at] === ',') at++
      else if (tokens[at] !== close) return false
    }
    at++
    return true
  }

  const sequence = (close: string, depth: number): Literal | undefined => {
    const list: Literal[] = []
    const item = () => {
      const value = parse(depth)
      if (value !== undefined) list.push(value)
      return value !== undefined
    }
    return items(close, depth, item) ? list : undefined
  }

  const dict = (depth: number): Literal | undefined => {
    const map = new Map<string, Literal>()
    const item = () => {
      const key = parse(depth)
      if (typeof key !== 'string' || tokens[at++] !== ':') return false
      const value = parse(depth)
      if (value !== undefined) map.set(key, value)
      return value !== undefined
    }
    return items('}', depth, item) ? map : undefined
  }

  const parse = (depth: number): Literal | undefined => {
    const next = tokens[at++]
    if (next === '{') return dict(depth + 1)
    if (next === '(') return sequence(')', depth + 1)
    if (next === '[') return sequence(']', depth + 1)
    return scalar(next)
  }

  const value = parse(0)
  return at === tokens.length ? value : undefined
}

/** The tokens, or undefined where the text has anything else. */
function tokenize(text: string): string[] | undefined {
  const trimmed = text.trimEnd()
  const tokens: string[] = []
  token.lastIndex = 0
  while (token.lastIndex < trimmed.length) {
    const match = token.exec(trimmed)
    if (!match) return undefined
    tokens.push(match[1])
  }
  return tokens
}

function scalar(text: string | undefined): Literal | undefined {
  if (text === undefined) return undefined
  if (text === 'True' || text === 'False') return text === 'True'
  if (text === 'None') return null
  if (/^\d/.test(text)) return Number.parseInt(text, 10)
  if (/^['"]/.test(text)) return text.slice(1, -1)
  return undefined
}
