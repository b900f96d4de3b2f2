import { cutToWidth, displayWidth, fitToWidth } from './display-width.js'

const separator = ' │ '
/** Keeps a terminal that reorders right-to-left text from moving it out of its column. No columns wide. */
const leftToRightMark = '\u200e'
const rightToLeft = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u

/** Breaks text into lines of at most `width` columns, at blanks where there are any; line feeds break too. */
export function wrapToWidth(text: string, width: number): string[] {
  return text.split('\n').flatMap((line) => wrapLine(line, width))
}

function wrapLine(line: string, width: number): string[] {
  const lines: string[] = []
  let rest = line
  while (displayWidth(rest) > width) {
    const fitting = cutToWidth(rest, width) || Array.from(rest)[0]
    const blank = fitting.lastIndexOf(' ')
    const end = rest[fitting.length] === ' ' || blank <= 0 ? fitting.length : blank
    lines.push(rest.slice(0, end))
    rest = rest.slice(end).replace(/^ /, '')
  }
  return rest === '' && lines.length > 0 ? lines : [...lines, rest]
}

/** Texts beside one another, each wrapped in its own column under its heading; together at most `width` columns. */
export function renderTextColumns(
  columns: readonly { heading: string; text: string }[],
  width: number,
  bold: (text: string) => string = (text) => text,
): string {
  const each = Math.floor((width - separator.length * (columns.length - 1)) / columns.length)
  const wrapped = columns.map(({ text }) => wrapToWidth(text, each))
  const line = (cells: readonly string[]): string => {
    const fitted = cells.map((cell) => fitToWidth(cell, each))
    if (!rightToLeft.test(fitted.join(''))) return fitted.join(separator).trimEnd()
    return fitted
      .map((cell) => leftToRightMark + cell + leftToRightMark)
      .join(separator)
      .replace(/ +\u200e$/, leftToRightMark)
  }
  const rows = Array.from({ length: Math.max(...wrapped.map((lines) => lines.length)) }, (_, i) =>
    line(wrapped.map((lines) => lines[i] ?? '')),
  )
  const headings = columns.map(({ heading }) => bold(fitToWidth(heading, each)))
  const rules = columns.map(() => '─'.repeat(each))
  return [headings.join(separator).trimEnd(), rules.join('─┼─'), ...rows].join('\n')
}
