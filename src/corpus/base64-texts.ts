import type { Random } from '../random/random.js'

/**
 * A writer of documents with base64: PEM blocks, MIME parts, data URIs, JSON fields, lists of tokens. What is encoded is
 * partly text (`samples`, so that there is something to predict), partly random bytes behind the magic numbers of real files.
 */
export function createBase64Writer(random: Random, samples: readonly string[]): () => string {
  const content: Content = (length) => encoded(random, samples, length)
  const forms = [pem, pem, mime, mime, dataUris, jsonFields, tokens, bare]
  return () => random.pick(forms)(random, content)
}

/** Base64 of about `length` bytes. */
type Content = (length: number) => string

/** First bytes of PNG, JPEG, GIF, gzip, zip, PDF, WebAssembly, DER certificates, ELF. */
const MAGIC = [
  '89504e470d0a1a0a0000000d49484452',
  'ffd8ffe000104a46494600010100',
  '47494638396101000100',
  '1f8b0800000000000003',
  '504b0304140000000800',
  '255044462d312e340a',
  '0061736d01000000',
  '308203',
  '7f454c460201010000',
]

function encoded(random: Random, samples: readonly string[], length: number): string {
  if (samples.length > 0 && random.uniform() < 0.7) {
    const sample = random.pick(samples)
    const start = random.int(Math.max(1, sample.length - length))
    return Buffer.from(sample.slice(start, start + length), 'utf8').toString('base64')
  }
  const magic = random.int(2) ? Buffer.from(random.pick(MAGIC), 'hex') : Buffer.alloc(0)
  return Buffer.concat([magic, randomBytes(random, length)]).toString('base64')
}

/** Random bytes with runs of zeros, as binary files have them. */
function randomBytes(random: Random, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let i = 0; i < length; i++) {
    if (random.int(40) === 0) i += random.int(12)
    else bytes[i] = random.int(256)
  }
  return bytes
}

const wrap = (text: string, width: number): string =>
  text.match(new RegExp(`.{1,${width}}`, 'g'))?.join('\n') ?? ''

const repeat = (random: Random, least: number, most: number, make: (i: number) => string): string =>
  Array.from({ length: least + random.int(most - least + 1) }, (_, i) => make(i)).join('\n')

function pem(random: Random, content: Content): string {
  return `${repeat(random, 1, 3, () => {
    const label = random.pick([
      'CERTIFICATE',
      'PUBLIC KEY',
      'RSA PRIVATE KEY',
      'EC PRIVATE KEY',
      'CERTIFICATE REQUEST',
    ])
    return `-----BEGIN ${label}-----\n${wrap(content(300 + random.int(900)), 64)}\n-----END ${label}-----`
  })}\n`
}

const FILES = [
  'report.pdf',
  'photo.jpg',
  'logo.png',
  'notes.txt',
  'archive.zip',
  'data.bin',
  'invoice.pdf',
  'song.ogg',
]
const TYPES = [
  'application/pdf',
  'image/jpeg',
  'image/png',
  'text/plain',
  'application/zip',
  'application/octet-stream',
]

function mime(random: Random, content: Content): string {
  const boundary = `----=_Part_${random.int(1e6)}`
  const parts = repeat(random, 1, 3, () =>
    [
      `--${boundary}`,
      `Content-Type: ${random.pick(TYPES)}; name="${random.pick(FILES)}"`,
      'Content-Transfer-Encoding: base64',
      'Content-Disposition: attachment',
      '',
      wrap(content(300 + random.int(900)), 76),
    ].join('\n'),
  )
  return `MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="${boundary}"\n\n${parts}\n--${boundary}--\n`
}

function dataUris(random: Random, content: Content): string {
  return `${repeat(random, 2, 6, () => {
    const uri = `data:${random.pick(TYPES)};base64,${content(100 + random.int(300))}`
    return random.pick([
      `<img src="${uri}" alt="icon">`,
      `.icon-${random.int(100)} { background: url(${uri}) no-repeat; }`,
      `const image = '${uri}'`,
      `![](${uri})`,
    ])
  })}\n`
}

function jsonFields(random: Random, content: Content): string {
  const entries = repeat(random, 3, 9, (i) => {
    const field = random.pick(['data', 'signature', 'payload', 'content', 'key', 'nonce', 'thumbnail'])
    return `  { "id": ${i + 1}, "encoding": "base64", "${field}": "${content(60 + random.int(260))}" },`
  })
  return `[\n${entries.slice(0, -1)}\n]\n`
}

function tokens(random: Random, content: Content): string {
  return `${repeat(random, 6, 14, () => {
    const urlSafe = (length: number) =>
      content(length).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
    return random.pick([
      () => `Authorization: Bearer ${urlSafe(24)}.${urlSafe(90)}.${urlSafe(32)}`,
      () => `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${content(32)} user${random.int(50)}@host`,
      () => `"integrity": "sha512-${content(64)}",`,
      () => `Cookie: session=${urlSafe(60 + random.int(80))}`,
      () => `Sec-WebSocket-Key: ${content(16)}`,
    ])()
  })}\n`
}

function bare(random: Random, content: Content): string {
  return `${wrap(content(600 + random.int(1500)), random.pick([64, 76, 120]))}\n`
}
