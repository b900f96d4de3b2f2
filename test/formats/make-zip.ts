import { crc32, deflateRawSync } from 'node:zlib'

/** What a header says, instead of the truth. */
export interface Lies {
  method?: number
  flags?: number
  crc?: number
  size?: number
  compressedSize?: number
  /** of the local header */
  offset?: number
}

export interface ZipPart {
  name: string
  data: Uint8Array
  deflate?: boolean
  lies?: Lies
}

export interface ZipLies {
  /** write ZIP64 records, sizes and offsets */
  zip64?: boolean
  entryCount?: number
  directoryOffset?: number
}

/** A zip archive with the given entries, honest or not. */
export function makeZip(parts: readonly ZipPart[], lies: ZipLies = {}): Buffer {
  const files: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const part of parts) {
    const bytes = part.deflate ? deflateRawSync(part.data) : Buffer.from(part.data)
    const facts = {
      method: part.deflate ? 8 : 0,
      flags: 0,
      crc: crc32(part.data),
      size: part.data.length,
      compressedSize: bytes.length,
      offset,
      ...part.lies,
    }
    const local = localHeader(part.name)
    files.push(local, bytes)
    directory.push(directoryHeader(part.name, facts, lies.zip64 ?? false))
    offset += local.length + bytes.length
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0)
  return Buffer.concat([...files, ...directory, endOfDirectory(parts.length, size, offset, lies)])
}

function localHeader(name: string): Buffer {
  const header = Buffer.alloc(30 + name.length)
  header.writeUInt32LE(0x04034b50)
  header.writeUInt16LE(name.length, 26)
  header.write(name, 30, 'latin1')
  return header
}

function directoryHeader(name: string, facts: Required<Lies>, zip64: boolean): Buffer {
  const extra = zip64 ? Buffer.alloc(28) : Buffer.alloc(0)
  if (zip64) {
    extra.writeUInt16LE(1)
    extra.writeUInt16LE(24, 2)
    extra.writeBigUInt64LE(BigInt(facts.size), 4)
    extra.writeBigUInt64LE(BigInt(facts.compressedSize), 12)
    extra.writeBigUInt64LE(BigInt(facts.offset), 20)
  }
  const header = Buffer.alloc(46)
  header.writeUInt32LE(0x02014b50)
  header.writeUInt16LE(facts.flags, 8)
  header.writeUInt16LE(facts.method, 10)
  header.writeUInt32LE(facts.crc, 16)
  header.writeUInt32LE(zip64 ? 0xffffffff : facts.compressedSize, 20)
  header.writeUInt32LE(zip64 ? 0xffffffff : facts.size, 24)
  header.writeUInt16LE(name.length, 28)
  header.writeUInt16LE(extra.length, 30)
  header.writeUInt32LE(zip64 ? 0xffffffff : facts.offset, 42)
  return Buffer.concat([header, Buffer.from(name, 'latin1'), extra])
}

function endOfDirectory(count: number, size: number, offset: number, lies: ZipLies): Buffer {
  const entries = lies.entryCount ?? count
  const begin = lies.directoryOffset ?? offset
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50)
  end.writeUInt16LE(lies.zip64 ? 0xffff : entries, 8)
  end.writeUInt16LE(lies.zip64 ? 0xffff : entries, 10)
  end.writeUInt32LE(size, 12)
  end.writeUInt32LE(lies.zip64 ? 0xffffffff : begin, 16)
  if (!lies.zip64) return end
  const record = Buffer.alloc(56)
  record.writeUInt32LE(0x06064b50)
  record.writeBigUInt64LE(44n, 4)
  record.writeBigUInt64LE(BigInt(entries), 24)
  record.writeBigUInt64LE(BigInt(entries), 32)
  record.writeBigUInt64LE(BigInt(size), 40)
  record.writeBigUInt64LE(BigInt(begin), 48)
  const locator = Buffer.alloc(20)
  locator.writeUInt32LE(0x07064b50)
  locator.writeBigUInt64LE(BigInt(offset + size), 8)
  locator.writeUInt32LE(1, 16)
  return Buffer.concat([record, locator, end])
}
