import { displayWidth, fitToWidth } from './display-width.js'

/** One column of a table: its heading, and which side its cells are pushed to. */
export interface Column {
  heading: string
  /** default 'right', as figures are read */
  align?: 'left' | 'right'
  /** neighbouring columns of one group get one heading above their own */
  group?: string
}

const gap = '  '

/**
 * Plain columns with a rule under the headings, for terminals, logs and Markdown code blocks alike. Without any heading there is
 * no rule either.
 */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ heading }, i) =>
    Math.max(displayWidth(heading), ...rows.map((row) => displayWidth(row[i] ?? ''))),
  )
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align = 'right' }, i) => fitToWidth(cells[i] ?? '', widths[i], align))
      .join(gap)
      .trimEnd()
  const body = rows.map(line)
  if (columns.every(({ heading }) => heading === '')) return body.join('\n')
  const groups = columns.some(({ group }) => group) ? [groupLine(columns, widths)] : []
  const headings = line(columns.map(({ heading }) => heading))
  const rule = widths.map((width) => '─'.repeat(width)).join(gap)
  return [...groups, headings, rule, ...body].join('\n')
}

/** The groups' names, each in the middle of a rule over its columns. */
function groupLine(columns: readonly Column[], widths: readonly number[]): string {
  const cells: string[] = []
  for (let start = 0; start < columns.length; ) {
    const { group } = columns[start]
    let end = start + 1
    while (group && columns[end]?.group === group) end++
    const width = widths.slice(start, end).reduce((a, b) => a + b) + gap.length * (end - start - 1)
    cells.push(group ? centred(group, width) : ' '.repeat(width))
    start = end
  }
  return cells.join(gap).trimEnd()
}

function centred(name: string, width: number): string {
  const rest = width - displayWidth(name) - 2
  if (rest < 0) return fitToWidth(name, width)
  const left = Math.floor(rest / 2)
  return `${'─'.repeat(left)} ${name} ${'─'.repeat(rest - left)}`
}
