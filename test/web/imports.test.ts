import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** Modules of the server that exported pages run in the browser: they compute on plain data and need nothing of Node. */
const shared = ['list/select-features', 'list/search-features', 'site/site-layout', 'site/site-columns']

interface Import {
  specifier: string
  typeOnly: boolean
}

function importsOf(path: string): Import[] {
  const text = readFileSync(path, 'utf8')
  const statements = text.matchAll(
    /^(?:import|export)\s+(type\s)?([\w*{}\s,$]*?)\sfrom\s+'([^']+)'|\bimport\('([^']+)'\)/gm,
  )
  return [...statements].map(([, type, names = '', path, dynamic]) => ({
    specifier: path ?? dynamic,
    typeOnly: type !== undefined || /^\{(\s*type\s[^,}]+,?)+\s*\}\s*$/.test(names.trim()),
  }))
}

test('the app takes nothing but types from the server, and the few modules that it shares', () => {
  const files = readdirSync(join(root, 'web', 'src'), { recursive: true, encoding: 'utf8' })
  const found = files
    .filter((name) => /\.tsx?$/.test(name))
    .flatMap((name) => importsOf(join(root, 'web', 'src', name)))
    .filter(({ specifier }) => /\/src\/\w/.test(specifier))
  assert.ok(found.length > 10, 'the scan sees the imports')
  const code = found.filter(({ typeOnly }) => !typeOnly).map(({ specifier }) => specifier)
  assert.ok(code.length > 0, 'the scan tells code from types')
  assert.deepEqual(
    code.filter((specifier) => !shared.some((name) => specifier.endsWith(`/src/server/${name}`))),
    [],
  )
})

test('what the app shares with the server needs nothing of Node', () => {
  for (const name of shared) {
    const code = importsOf(join(root, 'src', 'server', `${name}.ts`)).filter(({ typeOnly }) => !typeOnly)
    const others = code.map(({ specifier }) => specifier).filter((specifier) => specifier !== 'minisearch')
    assert.deepEqual(
      others.filter(
        (specifier) => !shared.some((own) => own.endsWith(specifier.replace(/^\.{1,2}\/|\.js$/g, ''))),
      ),
      [],
      name,
    )
  }
})
