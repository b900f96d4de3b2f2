import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type SplittingFeature,
  type SplittingSummary,
  writeSplitting,
} from '../../../src/compare/splitting-file.js'
import type { FeaturePartners } from '../../../src/compare/universality-file.js'
import { runStage } from '../../../src/storage/stage.js'
import { smallFeatures } from '../../small-run.js'

/** A feature of a dictionary, in the tree. */
export function treeRow(
  size: number,
  feature: number,
  parent: number | null,
  children: number[],
): SplittingFeature {
  return {
    ...{ size, feature, parent, children, fires: 10 * (size + 1), fate: 'split' },
    ...{ cosine: parent === null ? null : 0.9, correlation: parent === null ? null : 0.8, overlap: null },
    ...{ nearest: null, nearestCosine: null, mostCorrelated: null, bestCorrelation: null, cluster: null },
    ...{ x: null, y: null, tokens: [`t${feature}`], shares: [1], concepts: [], explanation: null },
  }
}

/** The same partner, or none, for each feature. */
export const partners = (partner: (number | null)[], byLogits: (number | null)[] | null): FeaturePartners => {
  const each = (value: number) => partner.map((found) => (found === null ? null : value))
  return {
    fires: partner.map(() => 100),
    activation: { partner, similarity: each(0.75), heldOut: each(0.5), logitSimilarity: each(0.25) },
    logitWeights: byLogits && {
      partner: byLogits,
      similarity: byLogits.map((found) => (found === null ? null : 0.625)),
    },
  }
}

/**
 * Puts comparisons into a small run, as if it had been compared with a dictionary of two features (feature 1 splits into all of the run's), and with a
 * copy of its own autoencoder, whose feature 2 is the partner of feature 0.
 */
export async function addComparisons(root: string, { collected }: { collected: boolean }): Promise<void> {
  const other = join(root, 'seed-1')
  for (const part of ['model', 'sae', ...(collected ? ['features'] : [])])
    await cp(join(root, part), join(other, part), { recursive: true })
  const [corpus, model, sae] = ['corpus', 'model', 'sae'].map((part) => join(root, part))
  const split = { stage: 'splitting', out: join(root, 'splitting'), config: {} }
  await runStage({ ...split, inputs: { corpus, model, 'sae-0': model, 'sae-1': sae } }, async (partial) => {
    const ids = Array.from({ length: smallFeatures }, (_, i) => i)
    await writeSplitting(partial, {
      summary: { sizes: [{ features: 2 }, { features: smallFeatures }] } as SplittingSummary,
      features: [[treeRow(0, 0, null, []), treeRow(0, 1, null, ids)], ids.map((i) => treeRow(1, i, 1, []))],
    })
  })
  const universal = { stage: 'universality', out: join(root, 'universality'), config: {} }
  const inputs = { corpus, model, sae, 'with-model': join(other, 'model'), 'with-sae': join(other, 'sae') }
  await runStage({ ...universal, inputs }, async (partial) => {
    const none = Array<null>(smallFeatures - 1).fill(null)
    const aToB = partners([2, ...none], [1, ...none])
    await writeFile(
      join(partial, 'universality.json'),
      JSON.stringify({ version: 1, aToB, bToA: partners([null, null, 0, ...none.slice(2)], null) }),
    )
  })
}
