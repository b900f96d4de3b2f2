import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plot } from '../../src/report/plot.js'
import { renderReportPage } from '../../src/report/report-page.js'

test('a report page escapes every text and loads nothing', () => {
  const html = renderReportPage({
    title: 'a <b> & "c"',
    lead: '<script>',
    blocks: [
      { kind: 'heading', text: '<i>' },
      { kind: 'text', text: '<u>' },
      { kind: 'warning', text: '<s>' },
      {
        kind: 'table',
        columns: [{ heading: '<x>', align: 'left' }, { heading: 'n' }],
        rows: [['<y>', '1']],
        caption: '<z>',
      },
    ],
  })
  for (const tag of ['script', 'i', 'u', 's', 'x', 'y', 'z', 'b']) assert.ok(!html.includes(`<${tag}>`), tag)
  assert.ok(html.includes('a &lt;b&gt; &amp; &quot;c&quot;'))
  assert.ok(html.includes('<td class="left">&lt;y&gt;</td><td>1</td>'))
  assert.doesNotMatch(html, /(?:src|href)=/)
  assert.match(html, /default-src 'none'/)
})

test('a plot is an svg with its description and without a script', async () => {
  const points = [
    { x: 1, y: 2 },
    { x: 2, y: 4 },
  ]
  const svg = await plot((Plot) => ({
    ariaLabel: 'two points',
    marks: [Plot.dot(points, { x: 'x', y: 'y', stroke: '#0072b2' })],
  }))
  assert.match(svg, /<svg[^>]*aria-label="two points"/)
  assert.equal(svg.match(/<circle/g)?.length, 2)
  assert.ok(!svg.includes('<script'))
})
