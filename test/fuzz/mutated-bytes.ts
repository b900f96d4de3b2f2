import fc from 'fast-check'

type Edit = (bytes: Buffer) => Buffer

/** Numbers that lengths and offsets of broken files like to be. */
const lengths = [
  0n,
  1n,
  2n,
  0x7fn,
  0xffn,
  0x7fffn,
  0xffffn,
  0x10000n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
].concat([1n << 32n, (1n << 53n) - 1n, 1n << 53n, 1n << 62n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n])

/** A position in bytes of any length: anywhere, or near the begin or the end, where formats have their headers. */
const position: fc.Arbitrary<(length: number) => number> = fc.oneof(
  fc.nat().map((n) => (length: number) => n % Math.max(1, length)),
  fc.nat(300).map((n) => (length: number) => Math.min(n, length)),
  fc.nat(300).map((n) => (length: number) => Math.max(0, length - n)),
)

const replace = (bytes: Buffer, at: number, length: number, by: Uint8Array): Buffer =>
  Buffer.concat([bytes.subarray(0, at), by, bytes.subarray(at + length)])

const flip: fc.Arbitrary<Edit> = fc.tuple(position, fc.nat(7)).map(([at, bit]) => (bytes) => {
  if (bytes.length > 0) bytes[Math.min(at(bytes.length), bytes.length - 1)] ^= 1 << bit
  return bytes
})

const cut: fc.Arbitrary<Edit> = position.map((at) => (bytes) => bytes.subarray(0, at(bytes.length)))

const remove: fc.Arbitrary<Edit> = fc.tuple(position, fc.integer({ min: 1, max: 64 })).map(
  ([at, length]) =>
    (bytes) =>
      replace(bytes, at(bytes.length), length, Buffer.alloc(0)),
)

const insert: fc.Arbitrary<Edit> = fc.tuple(position, fc.uint8Array({ minLength: 1, maxLength: 32 })).map(
  ([at, added]) =>
    (bytes) =>
      replace(bytes, at(bytes.length), 0, added),
)

/** A piece of the file stands at another place, too. */
const splice: fc.Arbitrary<Edit> = fc
  .tuple(position, position, fc.integer({ min: 1, max: 200 }), fc.boolean())
  .map(([from, to, length, over]) => (bytes) => {
    const piece = Buffer.from(bytes.subarray(from(bytes.length), from(bytes.length) + length))
    return replace(bytes, to(bytes.length), over ? piece.length : 0, piece)
  })

const relength: fc.Arbitrary<Edit> = fc
  .tuple(position, fc.constantFrom(1, 2, 4, 8), fc.constantFrom(...lengths), fc.boolean())
  .map(([at, width, value, big]) => (bytes) => {
    const number = Buffer.alloc(8)
    number.writeBigUInt64LE(value)
    const written = number.subarray(0, width)
    return replace(bytes, at(bytes.length), width, big ? written.reverse() : written)
  })

const edit = fc.oneof(
  { weight: 4, arbitrary: flip },
  { weight: 2, arbitrary: relength },
  cut,
  remove,
  insert,
  splice,
)

/** Copies of `original` with one to three things changed. */
export const mutatedBytes = (original: Uint8Array): fc.Arbitrary<Buffer> =>
  fc
    .array(edit, { minLength: 1, maxLength: 3 })
    .map((edits) => edits.reduce<Buffer>((bytes, edit) => edit(bytes), Buffer.from(original)))

/** Anything at all. */
export const randomBytes = (): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes))
