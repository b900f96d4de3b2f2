import fc from 'fast-check'

/** Values that programs forget to think of. */
const oddValues: unknown[] = [
  ...[
    null,
    true,
    false,
    '',
    'a',
    '\u0000',
    '\ud800',
    '1',
    'constructor',
    '__proto__',
    'toString',
    'x'.repeat(10_000),
  ],
  ...[
    0,
    -0,
    -1,
    1,
    2,
    7,
    0.5,
    -1.5,
    1e-300,
    1e300,
    2 ** 16,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32,
    2 ** 53 - 1,
    2 ** 53,
    2 ** 64,
  ],
  ...[[], [[]], [null], [-1], [2 ** 31, 2 ** 31], {}, { a: 1 }, JSON.parse('{"__proto__": {"a": 1}}')],
  nested(2000),
]

function nested(depth: number): unknown {
  let value: unknown = []
  for (let i = 0; i < depth; i++) value = [value]
  return value
}

type Container = Record<string, unknown>

interface Place {
  container: Container
  key: string
}

/** Every place in a document that holds a value. */
function placesIn(value: unknown, found: Place[] = []): Place[] {
  if (typeof value !== 'object' || value === null) return found
  for (const key of Object.keys(value)) {
    found.push({ container: value as Container, key })
    placesIn((value as Container)[key], found)
  }
  return found
}

/** Documents hold far more entries of their largest tables than fields: half of the changes are near the top. */
function choose(document: unknown, n: number): Place {
  const places = placesIn(document)
  const top = places.filter(({ container }) => container === document || n % 3 === 0)
  const from = n % 2 === 0 ? top : places
  return from[n % from.length]
}

type Edit = (document: unknown) => void

const replace: fc.Arbitrary<Edit> = fc
  .tuple(fc.nat(), fc.constantFrom(...oddValues))
  .map(([n, odd]) => (document) => {
    const { container, key } = choose(document, n)
    container[key] = odd
  })

const remove: fc.Arbitrary<Edit> = fc.nat().map((n) => (document) => {
  const { container, key } = choose(document, n)
  if (Array.isArray(container)) container.splice(Number(key), 1)
  else delete container[key]
})

const swap: fc.Arbitrary<Edit> = fc.tuple(fc.nat(), fc.nat()).map(([n, m]) => (document) => {
  const [a, b] = [choose(document, n), choose(document, m)]
  const kept = structuredClone(a.container[a.key])
  a.container[a.key] = structuredClone(b.container[b.key])
  b.container[b.key] = kept
})

const scale: fc.Arbitrary<Edit> = fc
  .tuple(fc.nat(), fc.constantFrom(0.5, 2, 3, 1e9, -1))
  .map(([n, factor]) => (document) => {
    const { container, key } = choose(document, n)
    const value = container[key]
    if (typeof value === 'number') container[key] = value * factor
    else if (typeof value === 'string') container[key] = value.slice(1)
  })

const rename: fc.Arbitrary<Edit> = fc
  .tuple(fc.nat(), fc.constantFrom('__proto__', 'constructor', '', 'a'))
  .map(([n, name]) => (document) => {
    const { container, key } = choose(document, n)
    if (Array.isArray(container)) return
    Object.defineProperty(container, name, {
      value: container[key],
      enumerable: true,
      configurable: true,
      writable: true,
    })
    if (name !== key) delete container[key]
  })

/** The JSON text of copies of `original` with one or two things changed. */
export const mutatedJson = (original: unknown): fc.Arbitrary<string> =>
  fc
    .array(fc.oneof({ weight: 4, arbitrary: replace }, remove, swap, scale, rename), {
      minLength: 1,
      maxLength: 2,
    })
    .map((edits) => {
      const document = structuredClone(original)
      for (const edit of edits) if (placesIn(document).length > 0) edit(document)
      return JSON.stringify(document)
    })
