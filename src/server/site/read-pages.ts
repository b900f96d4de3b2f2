import { openOptionalParts } from '../optional-parts.js'
import { openPageMaker } from '../pages/page-maker.js'
import type { FeaturePage } from '../protocol.js'
import type { ServedRun } from '../served-run.js'
import { jsonOf } from '../stored-answer.js'

/** Pages of some features, ascending ids, in their order. */
export type ReadPages = (features: readonly number[]) => Promise<FeaturePage[]>

/** Reads pages as they were made before, or makes many at once, which is far quicker than one by one. */
export async function withPages<T>(run: ServedRun, use: (read: ReadPages) => Promise<T>): Promise<T> {
  if (run.pages.ready)
    return use((features) =>
      Promise.all(
        features.map(async (feature) => JSON.parse(String(await jsonOf(await run.pages.get(feature))))),
      ),
    )
  const maker = await openPageMaker(run.store, await openOptionalParts(run.directory))
  try {
    return await use(async (features) => (await maker.pages(features)).map((json) => JSON.parse(json)))
  } finally {
    maker.close()
  }
}
