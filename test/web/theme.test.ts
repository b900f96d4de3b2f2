import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const css = readFileSync(fileURLToPath(new URL('../../../web/src/theme.css', import.meta.url)), 'utf8')
const coloursOf = (block: string): Map<string, string> =>
  new Map([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, value]) => [name, value]))
const [light, dark] = css.split('[data-theme="dark"]').map(coloursOf)
const themes = { light, dark }

/** WCAG 2.2, relative luminance and contrast ratio. */
function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const c = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y)
  return (high + 0.05) / (low + 0.05)
}

const surfaces = ['page', 'panel', 'sunken', 'hover']
const steps = (name: string, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `${name}-${from + i}`)
const texts = [
  ...surfaces.flatMap((surface) =>
    ['text', 'quiet', 'accent', 'danger', 'up', 'down'].map((text) => [text, surface]),
  ),
  ...['accent-soft', 'danger-soft', 'warn-soft', ...steps('up', 1, 4), ...steps('down', 1, 4)].map(
    (surface) => ['text', surface],
  ),
  ...steps('heat', 1, 6).map((step) => [`on-${step}`, step]),
  ['accent', 'accent-soft'],
  ['quiet', 'accent-soft'],
  ['danger', 'danger-soft'],
  ['quiet', 'danger-soft'],
  ['accent-text', 'accent'],
]
const marks = [
  ...['page', 'panel', 'sunken'].flatMap((surface) => ['bar', 'line-strong'].map((mark) => [mark, surface])),
  ...[...steps('scale', 2, 8), ...steps('cluster', 0, 9)].map((mark) => [mark, 'panel']),
]

function tooWeak(pairs: string[][], least: number): string[] {
  return Object.entries(themes).flatMap(([theme, colours]) =>
    pairs.flatMap(([front, back]) => {
      const [a, b] = [front, back].map(
        (name) => colours.get(name) ?? assert.fail(`${theme}: no colour ${name}`),
      )
      const ratio = contrast(a, b)
      return ratio < least ? [`${theme}: ${front} on ${back} ${ratio.toFixed(2)}`] : []
    }),
  )
}

test('text has a contrast of at least 4.5 on every background that it stands on', () =>
  assert.deepEqual(tooWeak(texts, 4.5), []))

test('bars, edges of controls and points have a contrast of at least 3', () =>
  assert.deepEqual(tooWeak(marks, 3), []))

test('the steps of each scale grow monotonously in contrast with the panel', () => {
  for (const [theme, colours] of Object.entries(themes))
    for (const names of [steps('heat', 1, 6), steps('scale', 0, 8), steps('up', 1, 4), steps('down', 1, 4)]) {
      const ratios = names.map((name) => contrast(colours.get(name) ?? '', colours.get('panel') ?? ''))
      for (let i = 1; i < ratios.length; i++)
        assert.ok(ratios[i] > ratios[i - 1], `${theme}: ${names[i]} is weaker than ${names[i - 1]}`)
    }
})

test('both themes name the same colours', () => assert.deepEqual([...dark.keys()], [...light.keys()]))
