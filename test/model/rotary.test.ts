import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type Rotary, rotaryFrequencies, rotaryTables } from '../../src/model/rotary.js'

interface Golden {
  positions: number[]
  dimensions: number
  cases: Record<string, { frequencies: number[]; cos: number[]; sin: number[] }>
}

// Made by scripts/golden/rotary_golden.py; this file runs from dist/test/model.
const path = new URL('../../../test/golden/rotary.json', import.meta.url)
const golden = JSON.parse(readFileSync(path, 'utf8')) as Golden

const scaled: Record<string, Rotary> = {
  default: { dimensions: golden.dimensions, base: 10_000, scaling: null },
  linear: { dimensions: golden.dimensions, base: 10_000, scaling: { kind: 'linear', factor: 4 } },
  llama3: {
    dimensions: golden.dimensions,
    base: 500_000,
    scaling: {
      kind: 'llama3',
      factor: 8,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalContext: 8192,
    },
  },
}

for (const [name, rotary] of Object.entries(scaled)) {
  const { frequencies, cos, sin } = golden.cases[name]

  test(`${name}: frequencies are those of transformers`, () => {
    const got = rotaryFrequencies(rotary)
    assert.equal(got.length, frequencies.length)
    for (const [i, frequency] of frequencies.entries())
      assert.ok(Math.abs(got[i] - frequency) <= 2e-7 * frequency, `pair ${i}: ${frequency}, got ${got[i]}`)
  })

  test(`${name}: cosines and sines are those of transformers`, () => {
    const pairs = golden.dimensions / 2
    const tables = rotaryTables(rotary, Math.max(...golden.positions) + 1)
    assert.deepEqual(tables.shape, [131_072, pairs])
    for (const [row, position] of golden.positions.entries())
      for (let i = 0; i < pairs; i++) {
        // An angle is only as exact as f32 is at its size.
        const tolerance = 2e-6 + 2e-7 * position * frequencies[i]
        for (const [got, expected] of [
          [tables.cos, cos],
          [tables.sin, sin],
        ] as const) {
          const [ours, theirs] = [got[position * pairs + i], expected[row * pairs + i]]
          assert.ok(
            Math.abs(ours - theirs) <= tolerance,
            `position ${position}, pair ${i}: ${theirs}, got ${ours}`,
          )
        }
      }
  })
}
