import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

/** The folders of src/ that a folder may import from, besides itself. ARCHITECTURE.md shows the same table. */
const base = ['errors', 'random', 'distributed', 'progress', 'config', 'storage', 'formats', 'hub']
const analysis = ['terminal', 'report', ...base, 'kernels', 'corpus', 'model', 'sae', 'activations']
const allowed: Record<string, readonly string[]> = {
  errors: [],
  random: [],
  addons: ['errors'],
  distributed: ['errors', 'addons'],
  progress: ['errors', 'distributed'],
  config: ['errors'],
  storage: ['errors', 'distributed'],
  formats: ['errors', 'distributed', 'storage'],
  hub: ['errors', 'progress', 'storage'],
  kernels: ['errors', 'addons', 'distributed'],
  corpus: base,
  model: [...base, 'kernels', 'corpus'],
  sae: [...base, 'kernels'],
  activations: [...base, 'kernels', 'corpus', 'model', 'sae'],
  terminal: [],
  report: [],
  eval: analysis,
  synthetic: ['terminal', 'report', ...base, 'kernels', 'sae', 'eval'],
  baselines: [...analysis, 'eval'],
  scaling: [...analysis, 'eval'],
  features: [...analysis, 'eval'],
  interp: [...analysis, 'eval', 'features'],
  compare: [...analysis, 'eval', 'features', 'interp'],
  explain: [...analysis, 'eval', 'features', 'interp'],
  steer: [...analysis, 'eval', 'features', 'interp'],
  attribution: [...analysis, 'eval', 'features', 'interp'],
  probe: [...analysis, 'eval', 'features', 'interp'],
  export: [...analysis, 'eval', 'features', 'interp', 'explain'],
  server: [...analysis, 'eval', 'features', 'interp', 'explain', 'steer', 'attribution', 'export', 'compare'],
  cli: [
    ...[...analysis, 'synthetic', 'eval', 'baselines', 'scaling', 'features', 'interp', 'compare'],
    ...['explain', 'steer', 'attribution', 'probe', 'export', 'server'],
  ],
}

interface Import {
  from: string
  to: string
  typeOnly: boolean
}

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..')
const source = join(root, 'src')

/** Every import and re-export of a file in src/ by another file in src/. */
function importsOf(file: string, text: string): Import[] {
  const statements = text.matchAll(
    /^\s*(?:import|export)\s+(type\s+)?(?:(?:[\w*{}\s,$]|\btype\b)*?\sfrom\s+)?['"](\.{1,2}\/[^'"]+)['"]|\bimport\(\s*['"](\.{1,2}\/[^'"]+)['"]/gm,
  )
  return [...statements].map(([statement, type, path, dynamic]) => ({
    from: relative(source, file).split(sep).join('/'),
    to: relative(source, resolve(dirname(file), (path ?? dynamic)!.replace(/\.js$/, '.ts')))
      .split(sep)
      .join('/'),
    typeOnly: type !== undefined || onlyTypeNames(statement),
  }))
}

/** `import { type A, type B }`: erased like `import type`. */
function onlyTypeNames(statement: string): boolean {
  const names = /\{([^}]*)\}/.exec(statement)?.[1]
  if (!names || /^\s*(?:import|export)\s+\w+\s*,/.test(statement)) return false
  return names.split(',').every((name) => name.trim() === '' || name.trim().startsWith('type '))
}

const folderOf = (file: string): string => (file.includes('/') ? file.slice(0, file.indexOf('/')) : '')

function forbidden(imports: readonly Import[]): string[] {
  return imports
    .filter(({ from, to }) => folderOf(from) !== '' && folderOf(from) !== folderOf(to))
    .filter(({ from, to }) => !allowed[folderOf(from)]?.includes(folderOf(to)))
    .map(({ from, to }) => `${from} imports ${to}`)
}

/** The first cycle between files that remains when types are erased, as a path, or null. */
function findCycle(imports: readonly Import[]): string[] | null {
  const edges = new Map<string, string[]>()
  for (const { from, to, typeOnly } of imports)
    if (!typeOnly) edges.set(from, [...(edges.get(from) ?? []), to])
  const done = new Set<string>()
  const visit = (file: string, path: string[]): string[] | null => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return null
    for (const next of edges.get(file) ?? []) {
      const cycle = visit(next, [...path, file])
      if (cycle) return cycle
    }
    done.add(file)
    return null
  }
  for (const file of edges.keys()) {
    const cycle = visit(file, [])
    if (cycle) return cycle
  }
  return null
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join(source, name))
const imports = files.flatMap((file) => importsOf(file, readFileSync(file, 'utf8')))

test('every folder of src/ is in the table of layers, and the scan sees its imports', () => {
  const folders = new Set(files.map((file) => folderOf(relative(source, file).split(sep).join('/'))))
  folders.delete('')
  assert.deepEqual([...folders].sort(), Object.keys(allowed).sort())
  assert.ok(imports.length > files.length, `${imports.length} imports in ${files.length} files`)
})

test('every import points to a file of src/', () => {
  const known = new Set(files.map((file) => relative(source, file).split(sep).join('/')))
  assert.deepEqual(
    imports.filter(({ to }) => !known.has(to)),
    [],
  )
})

test('a folder imports only from the layers below it', () => {
  assert.deepEqual(forbidden(imports), [])
})

test('the table of layers itself has no cycle', () => {
  const table = Object.entries(allowed).flatMap(([from, tos]) =>
    tos.map((to) => ({ from, to, typeOnly: false })),
  )
  assert.equal(findCycle(table), null)
})

test('no files import one another in a circle', () => {
  assert.equal(findCycle(imports), null)
})

test('the check finds forbidden imports and cycles, of every form of import statement', () => {
  const scan = (file: string, text: string): Import[] => importsOf(join(source, file), text)
  const bad = [
    ...scan('sae/a.ts', "import { x } from '../model/transformer.js'"),
    ...scan('sae/b.ts', "import type {\n  X,\n  Y,\n} from '../corpus/x.js'"),
    ...scan('kernels/c.ts', "export * from '../sae/x.js'"),
    ...scan('errors/d.ts', "import '../random/random.js'"),
    ...scan('kernels/e.ts', "const x = await import('../storage/stage.js')"),
  ]
  assert.equal(forbidden(bad).length, 5)
  const types = scan(
    'sae/f.ts',
    "import { type A, type B } from './g.js'\nimport { c, type D } from './g.js'",
  )
  assert.deepEqual(
    types.map((i) => i.typeOnly),
    [true, false],
  )
  const circle = [
    ...scan('sae/a.ts', "import { b } from './b.js'"),
    ...scan('sae/b.ts', "export { a } from './a.js'"),
  ]
  assert.deepEqual(findCycle(circle), ['sae/a.ts', 'sae/b.ts', 'sae/a.ts'])
})
