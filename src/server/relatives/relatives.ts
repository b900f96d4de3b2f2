import { readFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { readSplitting, type Splitting } from '../../compare/splitting-file.js'
import type { Universality } from '../../compare/universality-file.js'
import { readUniversality } from '../../compare/universality-stage.js'
import { sha256 } from '../../storage/atomic-file.js'
import { once } from '../once.js'
import { type StageDirectory, stageDirectories } from '../overview/stage-directories.js'
import type { Relatives } from '../protocol.js'
import { featureTree } from './feature-tree.js'
import { createOtherFeatures, type OtherFeatures } from './other-features.js'
import { matchOf } from './partner.js'

/** What comparisons of a run's dictionary with others say about its features. */
export interface RelativesStore {
  /** whether there is any comparison */
  any: boolean
  /** @throws MonosemError corrupt, missing */
  of(feature: number): Promise<Relatives>
  close(): void
}

/** A comparison with the dictionary of another model. */
interface Comparison {
  name: string
  /** which of the two this run's is */
  side: 'a' | 'b'
  /** directory of the other run as it is shown */
  other: string
  read: () => Promise<Universality>
  features: OtherFeatures
}

/**
 * Finds the comparisons in a run that its own autoencoder is part of. Their files are read when the first feature is asked for.
 * @param root absolute
 * @param shown the same as it was given
 */
export async function openRelatives(root: string, shown: string, features: number): Promise<RelativesStore> {
  const own = await readFile(join(root, 'sae', 'manifest.json')).catch(() => null)
  const found = own === null ? [] : await withInput(root, sha256(own))
  const trees = found.filter(({ manifest }) => manifest.stage === 'splitting')
  const comparisons = found
    .filter(({ manifest }) => manifest.stage === 'universality')
    .map((stage) => openComparison(stage, { root, shown, own: sha256(own as Buffer) }))
  const splitting = trees.length === 0 ? null : once(() => readSplitting(trees[0].directory))
  return {
    any: splitting !== null || comparisons.length > 0,
    async of(feature) {
      const answers = await Promise.all(comparisons.map((comparison) => partnerIn(comparison, feature)))
      return {
        tree: splitting && treeOf(await splitting(), features, feature),
        partners: answers.flatMap((answer) => answer.partner ?? []),
        withoutPartner: answers.flatMap(({ name, partner }) => (partner === null ? [name] : [])),
      }
    },
    close: () => {
      for (const comparison of comparisons) comparison.features.close()
    },
  }
}

/** The stages of a run that were made from something with this manifest, whatever its role. */
async function withInput(root: string, manifestSha256: string): Promise<StageDirectory[]> {
  const stages = await stageDirectories(root)
  return stages.filter(({ manifest }) =>
    Object.values(manifest.inputs ?? {}).some((input) => input.manifestSha256 === manifestSha256),
  )
}

function openComparison(
  { name, directory, manifest }: StageDirectory,
  { root, shown, own }: { root: string; shown: string; own: string },
): Comparison {
  const side = manifest.inputs.sae?.manifestSha256 === own ? 'a' : 'b'
  const pathOf = (role: string): string => resolve(directory, manifest.inputs[role].path)
  const shownPath = (path: string): string => join(shown, relative(root, path))
  const [model, sae] = side === 'a' ? ['with-model', 'with-sae'].map(pathOf) : ['model', 'sae'].map(pathOf)
  const other = dirname(sae)
  const parts = { corpus: pathOf('corpus'), model, sae, out: join(other, 'features') }
  const flags = Object.entries(parts).map(([name, path]) => `--${name} ${shownPath(path)}`)
  return {
    ...{ name, side, other: shownPath(other) },
    read: once(() => readUniversality(directory)),
    features: createOtherFeatures(sae, `monosem features build ${flags.join(' ')}`),
  }
}

async function partnerIn(
  { name, side, other, read, features }: Comparison,
  feature: number,
): Promise<{ name: string; partner: Relatives['partners'][number] | null }> {
  const match = matchOf(await read(), side, feature)
  if (match === null) return { name, partner: null }
  return { name, partner: { comparison: name, other, ...match, ...(await features.get(match.feature)) } }
}

/** Dictionaries of one comparison have different sizes, so the number of features says which is the run's. */
function treeOf(splitting: Splitting, features: number, feature: number): Relatives['tree'] {
  const size = splitting.summary.sizes.findIndex((each) => each.features === features)
  return size < 0 ? null : featureTree(splitting, size, feature)
}
