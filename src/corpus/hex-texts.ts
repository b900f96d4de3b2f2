import type { Random } from '../random/random.js'

/**
 * A writer of documents with hexadecimal: lists of hashes, hex dumps, constants, UUIDs, colours, commit logs.
 * @param samples texts to dump
 */
export function createHexWriter(random: Random, samples: readonly string[]): () => string {
  const forms = [hashList, hashList, hexDump, hexDump, constants, uuids, colours, commitLog]
  return () => random.pick(forms)(random, samples)
}

const hex = (random: Random, digits: number): string => {
  let out = ''
  while (out.length < digits) out += random.uint32().toString(16).padStart(8, '0')
  return out.slice(0, digits)
}

const lines = (random: Random, least: number, most: number, make: (i: number) => string): string =>
  `${Array.from({ length: least + random.int(most - least + 1) }, (_, i) => make(i)).join('\n')}\n`

const WORDS = [
  'index',
  'main',
  'core',
  'util',
  'parser',
  'stream',
  'token',
  'buffer',
  'client',
  'server',
  'config',
  'schema',
  'cache',
  'types',
]
const EXTENSIONS = ['.js', '.ts', '.json', '.md', '.c', '.h', '.tar.gz', '.zip', '.whl', '.so']

const fileName = (random: Random): string =>
  `${random.pick(['src', 'lib', 'dist', 'test', 'docs'])}/${random.pick(WORDS)}${random.int(3) ? '' : `-${random.pick(WORDS)}`}${random.pick(EXTENSIONS)}`

function hashList(random: Random): string {
  const digits = random.pick([32, 40, 64])
  const title = { 32: 'MD5', 40: 'SHA1', 64: 'SHA256' }[digits]
  const bsd = random.int(3) === 0
  return lines(random, 12, 30, () =>
    bsd
      ? `${title} (${fileName(random)}) = ${hex(random, digits)}`
      : `${hex(random, digits)}  ${fileName(random)}`,
  )
}

function hexDump(random: Random, samples: readonly string[]): string {
  const sample = samples.length > 0 ? random.pick(samples) : ''
  const start = random.int(Math.max(1, sample.length - 600))
  const bytes = random.int(3)
    ? Buffer.from(sample.slice(start, start + 300 + random.int(300)), 'utf8')
    : Buffer.from(hex(random, 800), 'hex')
  const rows: string[] = []
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16)
    const digits = Array.from(row, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const text = Array.from(row, (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join(
      '',
    )
    rows.push(`${at.toString(16).padStart(8, '0')}  ${digits.padEnd(47)}  |${text}|`)
  }
  return `${rows.join('\n')}\n`
}

function constants(random: Random): string {
  const digits = random.pick([2, 4, 8, 8, 16])
  const perLine = digits === 16 ? 4 : 64 / (digits * 2)
  const rows = lines(
    random,
    10,
    30,
    () => `  ${Array.from({ length: perLine }, () => `0x${hex(random, digits)}`).join(', ')},`,
  )
  return `static const uint${digits * 4}_t ${random.pick(WORDS)}_table[] = {\n${rows}};\n`
}

function uuids(random: Random): string {
  const uuid = () =>
    `${hex(random, 8)}-${hex(random, 4)}-4${hex(random, 3)}-${random.pick(['8', '9', 'a', 'b'])}${hex(random, 3)}-${hex(random, 12)}`
  const form = random.pick([
    () => uuid(),
    () => `{"id": "${uuid()}", "name": "${random.pick(WORDS)}", "size": ${random.int(5000)}}`,
    () =>
      `${random.pick(['GET', 'POST', 'DELETE'])} /api/${random.pick(WORDS)}/${uuid()} ${random.pick(['200', '201', '404'])}`,
  ])
  return lines(random, 15, 35, form)
}

function colours(random: Random): string {
  return lines(random, 15, 40, () => {
    const colour = `#${hex(random, 6)}`
    return random.pick([
      `  --color-${random.pick(WORDS)}-${1 + random.int(9)}00: ${colour};`,
      `.${random.pick(WORDS)} { color: ${colour}; background: #${hex(random, 3)}; }`,
    ])
  })
}

function commitLog(random: Random): string {
  const verbs = ['Fix', 'Add', 'Remove', 'Refactor', 'Document', 'Test', 'Update', 'Simplify']
  return lines(random, 10, 30, () => {
    const digits = random.pick([7, 10, 40])
    return `${hex(random, digits)} ${random.pick(verbs)} the ${random.pick(WORDS)} ${random.pick(WORDS)} (#${random.int(9000)})`
  })
}
