import type { Command } from 'commander'
import { MonosemError } from '../errors/monosem-error.js'
import type { StoredExplanation } from '../explain/explanations.js'
import { describeSource, firstTexts, readFeatureExplanations } from '../explain/feature-explanations.js'
import { readEffects } from '../features/ablation-stage.js'
import { type MapRow, readMapRows } from '../features/feature-map.js'
import type { FeatureFindings } from '../features/render-feature.js'
import { requireMadeFrom } from '../storage/made-from.js'
import { openStage } from '../storage/open-stage.js'
import { optionalPath } from './run-paths.js'

/**
 * Explanations of some features, where there are any.
 * @param features their directory
 * @param ids default: all
 */
export async function explanationsOf(
  command: Command,
  features: string,
  ids?: readonly number[],
): Promise<Map<number, StoredExplanation[]>> {
  const directory = optionalPath(command, 'explanations')
  return directory === null ? new Map() : readFeatureExplanations(directory, features, ids)
}

/**
 * One explanation for each feature of an autoencoder, for commands that read the autoencoder and not its feature store. The run's own
 * explanations are left aside where another autoencoder than the run's was asked for.
 * @throws MonosemError config, when explanations were asked for that are about another autoencoder's features
 */
export async function namesForSae(command: Command, sae: string): Promise<Map<number, string>> {
  const asked = command.getOptionValue('explanations') !== undefined
  const features = optionalPath(command, 'features')
  if (!asked && (features === null || command.getOptionValue('sae') !== undefined)) return new Map()
  if (features === null)
    throw new MonosemError('config', '--explanations: expected the features that they are about too', {
      hint: 'pass --feature-store DIR, or --run DIR',
    })
  const found = await explanationsOf(command, features)
  if (found.size > 0) await requireMadeFrom(await openStage(features, 'features'), 'sae', sae)
  return firstTexts(found)
}

/** Nearest features by decoder of some features, by feature, where there is a map. */
export async function mapRowsOf(
  command: Command,
  features: string,
  ids?: readonly number[],
): Promise<Map<number, MapRow>> {
  const directory = optionalPath(command, 'feature-map')
  const rows = directory === null ? [] : await readMapRows(directory, features, ids)
  return new Map(rows.map((row) => [row.feature, row]))
}

/** What other stages found out about a feature: as it is shown, and the explanations as they are stored. */
export type Findings = FeatureFindings & { explained: StoredExplanation[] }

/** All that other stages found out about some features, with what explains their neighbours. */
export async function findingsOf(
  command: Command,
  features: string,
  ids: readonly number[],
): Promise<Map<number, Findings>> {
  const places = await mapRowsOf(command, features, ids)
  const neighbours = [...places.values()].flatMap(({ neighbours }) =>
    neighbours.map(({ feature }) => feature),
  )
  const explanations = await explanationsOf(command, features, [...new Set([...ids, ...neighbours])])
  const names = firstTexts(explanations)
  const ablation = optionalPath(command, 'ablation')
  const effects = ablation === null ? new Map() : await readEffects(ablation, features, ids)
  return new Map(
    ids.map((id) => {
      const explained = explanations.get(id) ?? []
      const lines = explained.map((one) => ({ text: one.text, source: describeSource(one) }))
      return [
        id,
        { explained, explanations: lines, place: places.get(id), names, effects: effects.get(id) },
      ] as const
    }),
  )
}
