import { RE2JS } from 're2js'
import { MonosemError } from '../../errors/monosem-error.js'
import { choosePredicates, type Predicate, scriptPredicate } from '../../interp/predicates.js'
import type { Span } from '../../interp/spans.js'
import type { Concept } from '../protocol.js'

/**
 * The property of tokens that a request names.
 * @throws MonosemError config (no such script or name, no expression of RE2)
 */
export function predicateOf(concept: Concept): Predicate {
  if (concept.kind === 'script') return scriptPredicate(concept.script)
  if (concept.kind === 'named') return choosePredicates([concept.name], [])[0]
  return linearPredicate(concept.regex, concept.ignoreCase)
}

/** Matches of an expression in RE2's syntax, each found in time that grows with the text and not faster. */
function linearPredicate(source: string, ignoreCase: boolean): Predicate {
  const name = `/${source}/${ignoreCase ? 'i' : ''}`
  const expression = compile(source, ignoreCase)
  return { name, description: `matches of ${name}`, spans: (text) => spansOf(expression, text) }
}

function compile(source: string, ignoreCase: boolean): RE2JS {
  try {
    return RE2JS.compile(source, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0)
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message.replace('error parsing regexp: ', '') : 'it failed'
    throw new MonosemError('config', `regular expression: ${problem}`, {
      cause,
      hint: 'RE2 knows no look-around, no back-references and no repetition above 1,000; a script is written \\p{Arabic}',
    })
  }
}

/** Empty matches are skipped. */
function spansOf(expression: RE2JS, text: string): Span[] {
  const spans: Span[] = []
  for (const matcher = expression.matcher(text); matcher.find(); ) {
    const [first, end] = [matcher.start(), matcher.end()]
    if (end > first) spans.push({ first, end })
  }
  return spans
}
