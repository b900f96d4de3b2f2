import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { MonosemError } from '../errors/monosem-error.js'
import { type FeatureStore, openFeatureStore } from '../features/feature-store.js'

/**
 * Opens the features of a run directory, and reads one of them, so that a store of another version is noticed now.
 * @throws MonosemError missing (no run, or no finished features), corrupt, format (another version), io: each names the directory as it was given
 * and says what to do
 */
export async function openFeatures(directory: string): Promise<FeatureStore> {
  requireRun(directory)
  const features = join(directory, 'features')
  const build = `monosem features build --run ${directory}`
  if (!existsSync(features)) throw noFeatures(directory, build)
  try {
    return await openAndTry(features)
  } catch (error) {
    if (!(error instanceof MonosemError)) throw anotherVersion(features, build, error)
    if (error.code === 'io' || error.code === 'busy') throw error
    throw new MonosemError(error.code, error.message, {
      cause: error,
      hint: `remove ${features} and make it again: ${build}`,
    })
  }
}

async function openAndTry(features: string): Promise<FeatureStore> {
  const store = await openFeatureStore(features)
  try {
    if (store.summary.features > 0) await store.get(0)
    return store
  } catch (error) {
    store.close()
    throw error
  }
}

function requireRun(directory: string): void {
  const found = statSync(directory, { throwIfNoEntry: false })
  if (!found)
    throw new MonosemError('missing', `${directory}: no such run directory`, {
      hint: `check the path; monosem demo --out ${directory} makes a run there`,
    })
  if (!found.isDirectory())
    throw new MonosemError('missing', `${directory}: expected a run directory, got a file`, {
      hint: 'pass the directory that holds corpus, model, sae and features',
    })
}

function noFeatures(directory: string, build: string): MonosemError {
  if (existsSync(join(directory, 'features.partial')))
    return new MonosemError('missing', `${directory}: its features are not finished`, {
      hint: `finish them: ${build}`,
    })
  if (existsSync(join(directory, 'manifest.json')))
    return new MonosemError('missing', `${directory} is one part of a run, not the run`, {
      hint: `pass the directory around it: monosem serve ${dirname(directory)}`,
    })
  return new MonosemError('missing', `${directory} has no features`, { hint: `make them: ${build}` })
}

const anotherVersion = (features: string, build: string, cause: unknown): MonosemError =>
  new MonosemError('format', `${features} was made by another version, or by another program`, {
    cause,
    hint: `remove it and make it again: ${build}`,
  })
