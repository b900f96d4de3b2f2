import { Random } from '../random/random.js'
import { createBase64Writer } from './base64-texts.js'
import { createDnaWriter } from './dna-texts.js'
import type { CorpusDocument } from './document.js'
import { utf8Length } from './document.js'
import { createHexWriter } from './hex-texts.js'

/** The generated kinds. */
export type GeneratedKind = 'dna' | 'base64' | 'hex'

/**
 * Documents of about 1 to 4 KB that hold DNA sequences, base64 or hexadecimal.
 * @param bytes wanted in all, UTF-8
 * @param samples texts that base64 and hex dumps encode
 */
export function* generatedTexts(
  kind: GeneratedKind,
  bytes: number,
  seed: number,
  samples: readonly string[],
): Generator<CorpusDocument> {
  const random = Random.named(seed, `generated ${kind}`)
  const writers = { dna: createDnaWriter, base64: createBase64Writer, hex: createHexWriter }
  const write = writers[kind](random, samples)
  for (let written = 0, i = 0; written < bytes; i++) {
    const text = write()
    written += utf8Length(text)
    yield { kind, source: `generated/${kind}`, group: `generated/${kind}/${i}`, text }
  }
}
