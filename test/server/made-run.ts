import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openNotes } from '../../src/server/notes/notes-store.js'
import type { OverviewSource } from '../../src/server/overview/overview.js'
import { findReports } from '../../src/server/overview/reports.js'
import { runStage } from '../../src/storage/stage.js'
import { type Lifetime, temporaryDirectory } from '../temporary-directory.js'

/** Texts by the name of the file; what is no text becomes JSON. */
type Files = Record<string, unknown>

/** A finished stage directory with these files. */
export async function madeStage(
  root: string,
  name: string,
  files: Files,
  { stage = name, inputs = {} }: { stage?: string; inputs?: Record<string, string> } = {},
): Promise<string> {
  const out = join(root, name)
  await runStage({ stage, out, config: {}, inputs }, async (partial) => {
    for (const [file, content] of Object.entries(files))
      await writeFile(join(partial, file), typeof content === 'string' ? content : JSON.stringify(content))
  })
  return out
}

const counts = (documents: number, bytes: number, tokens: number) => ({
  ...{ documents, bytes, tokens, bytesPerToken: bytes / tokens },
})
export const corpusFile = {
  vocabularySize: 300,
  splits: { train: counts(8, 1000, 400), validation: counts(2, 300, 150) },
  kinds: { code: counts(7, 900, 350), dna: counts(3, 400, 200) },
  skipped: {},
}

export const evalFile = {
  ...{ hookName: 'h', features: 16, l0: 3.5, explainedVariance: 0.8, lossRecovered: 0.9 },
  ...{ lossRecoveredMean: null, kl: 0.06, cosine: 0.95, mse: 0.01, deadFraction: 0.125, tokens: 150 },
  losses: { clean: 3, spliced: 3.1, zeroAblated: 4, meanAblated: 3.9 },
  lossIntervals: { clean: [2.9, 3.1], spliced: [3, 3.2], zeroAblated: null, meanAblated: null },
  intervals: { l0: [3.25, 3.75], explainedVariance: [0.75, 0.85], lossRecovered: null },
  density: { dead: 2, histogram: { edges: [-2, -1, 0], counts: [6, 8] } },
}

export const lines = (count: number, line: (i: number) => object): string =>
  Array.from({ length: count }, (_, i) => `${JSON.stringify(line(i))}\n`).join('')

/** A run directory with everything that an overview tells of, made by hand. */
export async function madeRun(t: Lifetime): Promise<string> {
  const root = await temporaryDirectory(t)
  await madeStage(root, 'features', {})
  await madeStage(root, 'corpus', { 'corpus.json': corpusFile })
  await madeStage(root, 'model', {
    'model.json': { layers: 1, dModel: 8, heads: 2, dMlp: 12, context: 16 },
    'metrics.json': { valLoss: 3.5, bigramLoss: 4, unigramLoss: 7, bitsPerByte: 2, parameters: 1000 },
    'metrics.jsonl': lines(3, (i) => ({ step: i, tokens: 10 * i, loss: 8 - i, learningRate: 0.1 })),
  })
  const sae = await madeStage(root, 'sae', {
    'cfg.json': { architecture: 'standard', d_in: 4, d_sae: 16, monosem: { architecture: 'relu' } },
    'metrics.json': { l0: 3.25, explainedVariance: 0.75, deadFraction: 0.125, samplesPerSecond: 9, steps: 2 },
    'metrics.jsonl': lines(2, (i) => ({ tokens: 5 * i, loss: 2, l0: i, ...(i === 0 && { threshold: 0.5 }) })),
  })
  await madeStage(root, 'eval', { 'eval.json': evalFile }, { inputs: { sae } })
  const study = { name: 'dna', feature: 3, correlation: 0.5, precisionAboveHalfMax: 1, recall: null }
  const studies = [{ ...study, bestNeuronCorrelation: 0.25, description: 'more' }]
  await madeStage(root, 'case-studies', { 'case-studies.json': studies })
  return root
}

/** A run directory as the overview takes it. */
export async function overviewSource(t: Lifetime, root: string, run = 'demo'): Promise<OverviewSource> {
  const notes = await openNotes(join(root, 'explanations'), join(root, 'features'), 16)
  t.after(() => notes.close())
  const has = { model: true, map: false, explanations: false, ablation: false, relatives: false }
  const info = { run, directory: root, hookName: 'h', features: 16, context: 16, has }
  return { info, directory: root, notes, reports: await findReports(root), warnings: [] }
}
