import { z } from 'zod'
import type { Overview } from '../protocol.js'
import { type FigureMeaning, figuresFrom } from './figure.js'
import { openPart, readPartJson } from './part-files.js'

const countsSchema = z.object({
  documents: z.number(),
  bytes: z.number(),
  tokens: z.number(),
  bytesPerToken: z.number(),
})
const corpusSchema = z.object({
  vocabularySize: z.number(),
  splits: z.object({ train: countsSchema, validation: countsSchema }),
  kinds: z.record(z.string(), countsSchema),
})

const meanings: readonly FigureMeaning[] = (['train', 'validation'] as const).flatMap((split) => {
  const text = split === 'train' ? 'training' : 'validation'
  return [
    {
      name: `splits.${split}.documents`,
      label: `Documents, ${text}`,
      unit: 'count',
      explanation:
        split === 'train' ? 'texts that are learned from' : 'texts kept apart to measure on; none is in both',
    },
    {
      name: `splits.${split}.tokens`,
      label: `Tokens, ${text}`,
      unit: 'count',
      explanation: 'pieces that the texts are cut into, with one end mark for each document',
    },
    {
      name: `splits.${split}.bytesPerToken`,
      label: `Bytes per token, ${text}`,
      unit: 'number',
      explanation: 'UTF-8 bytes that a token stands for on average',
    },
  ]
})

const vocabulary: FigureMeaning = {
  name: 'vocabularySize',
  label: 'Vocabulary',
  unit: 'count',
  explanation: 'different tokens that there are, found by byte-pair encoding',
}

/** What the run was made from. @returns null without a corpus @throws MonosemError missing (unfinished), corrupt */
export async function readCorpusPart(directory: string): Promise<Overview['corpus']> {
  const stage = await openPart(directory, 'corpus')
  const corpus = stage && (await readPartJson(stage, 'corpus.json', corpusSchema))
  if (!corpus) return null
  const values: Record<string, number> = { vocabularySize: corpus.vocabularySize }
  for (const [split, counts] of Object.entries(corpus.splits))
    for (const [name, value] of Object.entries(counts)) values[`splits.${split}.${name}`] = value
  return {
    figures: figuresFrom('corpus/corpus.json', values, [vocabulary, ...meanings]),
    kinds: Object.entries(corpus.kinds).map(([name, { documents, bytes, tokens }]) => ({
      ...{ name, documents, bytes, tokens },
    })),
  }
}
