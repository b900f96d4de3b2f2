import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { trainBpe } from '../../src/corpus/bpe-trainer.js'
import { icuTexts } from '../../src/corpus/icu-texts.js'
import { variedTexts } from './varied-texts.js'

// Run by hand, before scripts/golden/tokenizer_golden.py: node dist/test/corpus/make-golden-tokenizer.js test/golden/tokenizer
const directory = process.argv[2]
if (!directory) throw new Error('usage: make-golden-tokenizer.js DIRECTORY')
const texts = variedTexts()
const training = [...texts, ...Array.from(icuTexts(200_000, 1), (document) => document.text)]
await writeFile(join(directory, 'tokenizer.json'), await trainBpe(training, { vocabularySize: 1200 }))
await writeFile(join(directory, 'texts.json'), `${JSON.stringify(texts)}\n`)
