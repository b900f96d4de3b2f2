import { escapeHtml } from './escape-html.js'

/** A page that tells what was measured: a file of its own, without scripts, which loads nothing. */
export interface ReportPage {
  title: string
  /** what was measured, on what: one or two sentences under the title */
  lead: string
  blocks: readonly Block[]
}

export type Block =
  | { kind: 'heading'; text: string }
  | { kind: 'text'; text: string }
  /** what the reader must know before believing the numbers: a sample that is too small, a dictionary that does not beat its baselines */
  | { kind: 'warning'; text: string }
  | {
      kind: 'table'
      columns: readonly ReportColumn[]
      rows: readonly (readonly string[])[]
      caption?: string
    }
  /** figures side by side where there is room */
  | { kind: 'figures'; figures: readonly Figure[] }
  /** trusted HTML of our own making, e.g. a tree as nested lists; every text in it went through `escapeHtml` */
  | { kind: 'html'; html: string }

export interface ReportColumn {
  heading: string
  /** default: right, for numbers */
  align?: 'left' | 'right'
}

export interface Figure {
  /** result of `plot`, or other trusted HTML */
  html: string
  /** what is to be seen, and how to read it */
  caption: string
}

/** The whole file, as text. Everything but figures and `html` blocks is escaped. */
export function renderReportPage({ title, lead, blocks }: ReportPage): string {
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">`,
    `<title>${escapeHtml(title)} · Monosem</title>`,
    `<style>${style}</style>`,
    '</head>',
    '<body>',
    '<main>',
    `<h1>${escapeHtml(title)}</h1>`,
    `<p class="lead">${escapeHtml(lead)}</p>`,
    ...blocks.map(renderBlock),
    '</main>',
    '</body>',
    '</html>',
    '',
  ].join('\n')
}

function renderBlock(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return `<h2>${escapeHtml(block.text)}</h2>`
    case 'text':
      return `<p>${escapeHtml(block.text)}</p>`
    case 'warning':
      return `<p class="warning" role="note">${escapeHtml(block.text)}</p>`
    case 'table':
      return renderTable(block)
    case 'figures':
      return `<div class="figures">${block.figures.map(renderFigure).join('\n')}</div>`
    case 'html':
      return block.html
  }
}

function renderTable({ columns, rows, caption }: Block & { kind: 'table' }): string {
  const cell = (tag: 'th' | 'td', text: string, i: number): string =>
    `<${tag}${columns[i].align === 'left' ? ' class="left"' : ''}>${escapeHtml(text)}</${tag}>`
  return [
    '<div class="scroll"><table>',
    caption === undefined ? '' : `<caption>${escapeHtml(caption)}</caption>`,
    `<thead><tr>${columns.map(({ heading }, i) => cell('th', heading, i)).join('')}</tr></thead>`,
    '<tbody>',
    ...rows.map((row) => `<tr>${row.map((text, i) => cell('td', text, i)).join('')}</tr>`),
    '</tbody>',
    '</table></div>',
  ].join('\n')
}

const renderFigure = ({ html, caption }: Figure): string =>
  `<section class="figure">${html}<p class="caption">${escapeHtml(caption)}</p></section>`

const style = `
:root { color-scheme: light dark; --page: #f6f6f3; --panel: #ffffff; --text: #1d1f24; --quiet: #575a63; --line: #dcdcd5; --warn: #fbeecb; }
@media (prefers-color-scheme: dark) {
  :root { --page: #16181c; --panel: #1f2228; --text: #e8e9ec; --quiet: #a3a7b2; --line: #383c45; --warn: #4a3c12; }
}
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 84rem; margin: 0 auto; padding: 1.5rem; }
h1 { margin: 0 0 0.25rem; font-size: 1.75rem; }
h2 { margin: 2.25rem 0 0.5rem; font-size: 1.25rem; }
p { max-width: 48rem; }
.lead, .caption, caption { color: var(--quiet); }
.warning { padding: 0.6rem 0.9rem; background: var(--warn); border-radius: 0.4rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 34rem), 1fr)); gap: 1rem; margin: 1rem 0; }
.figure { padding: 1rem; background: var(--panel); border: 1px solid var(--line); border-radius: 0.4rem; overflow-x: auto; }
.figure svg { max-width: 100%; height: auto; }
.figure figure { margin: 0; }
.caption { margin: 0.5rem 0 0; font-size: 0.9rem; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; background: var(--panel); font-variant-numeric: tabular-nums; font-size: 0.95rem; }
caption { text-align: left; padding-bottom: 0.4rem; }
th, td { padding: 0.3rem 0.8rem; border: 1px solid var(--line); text-align: right; vertical-align: top; }
th.left, td.left { text-align: left; }
`
