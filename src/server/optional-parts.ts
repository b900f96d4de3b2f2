import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { requireMadeFrom } from '../storage/made-from.js'
import { type OpenStage, openStage } from '../storage/open-stage.js'

/** What a run may have besides its features and what is made from those. */
export interface OptionalParts {
  /** map.parquet, checked against its hash; null: there is no map of these features */
  map: string | null
  /** ablation.parquet, the same */
  ablation: string | null
  /** why something that is there is not used */
  warnings: string[]
}

/**
 * Looks for the map and the effects of ablation of a run. Those of other features are left out, with a warning.
 * @throws MonosemError corrupt, missing (something is there and is not finished)
 */
export async function openOptionalParts(run: string): Promise<OptionalParts> {
  const warnings: string[] = []
  const find = async (role: string, file: string): Promise<string | null> => {
    const stage = await stageOfFeatures(run, role, warnings)
    return stage ? stage.file(file) : null
  }
  const map = await find('feature-map', 'map.parquet')
  return { map, ablation: await find('ablation', 'ablation.parquet'), warnings }
}

/**
 * A stage of the run that was made from the run's features; null where there is none.
 * @param warnings gets the reason where there is one of other features
 */
async function stageOfFeatures(
  run: string,
  role: string,
  warnings: string[],
): Promise<OpenStage<unknown> | null> {
  const directory = join(run, role)
  if (!existsSync(directory)) return null
  const stage = await openStage(directory, role)
  try {
    await requireMadeFrom(stage, 'features', join(run, 'features'))
    return stage
  } catch (error) {
    if (!(error instanceof MonosemError) || error.code !== 'config') throw error
    warnings.push(error.message)
    return null
  }
}
