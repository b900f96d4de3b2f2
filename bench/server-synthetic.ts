import { existsSync } from 'node:fs'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { openExplanations } from '../src/explain/explanations.js'
import { mapColumns } from '../src/features/feature-map.js'
import { openFeatureStore } from '../src/features/feature-store.js'
import { createTableWriter } from '../src/features/feature-tables.js'
import { Random } from '../src/random/random.js'
import { openOptionalParts } from '../src/server/optional-parts.js'
import { writeArchiveFile } from '../src/server/pages/feature-pages-stage.js'
import { archiveFeatures, indexFile, recordBytes } from '../src/server/pages/page-archive.js'
import { openPageMaker } from '../src/server/pages/page-maker.js'
import { storedAnswer } from '../src/server/stored-answer.js'
import { runStage } from '../src/storage/stage.js'
import { writeSyntheticStore } from './features-synthetic.js'

/** Words that explanations are made of. */
export const words = Array.from('aeiou').flatMap((a) =>
  Array.from('bdfgklmnprst').flatMap((b) => Array.from('aeiou').map((c) => `${b}${a}${b}${c}n`)),
)

const neighbours = 15
const clusters = 200

/**
 * A run of random numbers with as much in it as a real one has: features, a map, an explanation of each feature, and pages. What is there already
 * is kept. Beside it, `<directory>-tables` is the same run without pages.
 */
export async function writeSyntheticRun(directory: string, features: number): Promise<void> {
  const part = (role: string): string => join(directory, role)
  await mkdir(directory, { recursive: true })
  if (!existsSync(part('features'))) await writeSyntheticStore(part('features'), features)
  await writeMap(part('feature-map'), part('features'), features)
  if (!existsSync(part('explanations'))) await writeExplanations(directory, features)
  await writePages(directory, features)
  await mkdir(`${directory}-tables`, { recursive: true })
  for (const role of ['features', 'feature-map', 'explanations'])
    if (!existsSync(join(`${directory}-tables`, role)))
      await symlink(resolve(part(role)), join(`${directory}-tables`, role))
}

async function writeMap(out: string, from: string, features: number): Promise<void> {
  const random = Random.named(1, 'bench.map')
  const other = (): number => Math.floor(random.uniform() * features)
  await runStage({ stage: 'feature-map', out, config: {}, inputs: { features: from } }, async (partial) => {
    const table = await createTableWriter(join(partial, 'map.parquet'), mapColumns)
    for (let feature = 0; feature < features; feature++)
      table.add({
        ...{ feature, x: random.uniform() * 20, y: random.uniform() * 20 },
        ...{ order: (feature * 7919) % features, cluster: Math.floor(random.uniform() ** 2 * clusters) },
        neighbours: Array.from({ length: neighbours }, other),
        cosines: Array.from({ length: neighbours }, () => random.uniform()),
      })
    await table.close()
  })
}

async function writeExplanations(directory: string, features: number): Promise<void> {
  const random = Random.named(1, 'bench.explanations')
  const word = (): string => words[Math.floor(random.uniform() ** 2 * words.length)]
  const store = await openExplanations(join(directory, 'explanations'), join(directory, 'features'))
  await store.append(
    Array.from({ length: features }, (_, feature) => ({
      ...{ feature, explainer: 'statistics', configuration: 'synthetic', examples: null },
      text: `‘${word()}’, ‘${word()}’, ‘${word()}’ and others in ${word()} script`,
      scores: [{ scorer: 'spearman', value: random.uniform(), reason: null, n: 100, details: {} }],
    })),
  )
}

/** A real archive, with the pages of the first file again and again. */
async function writePages(directory: string, features: number): Promise<void> {
  const inputs = { features: join(directory, 'features'), 'feature-map': join(directory, 'feature-map') }
  const request = { stage: 'feature-pages', out: join(directory, 'feature-pages'), config: {}, inputs }
  await runStage(request, async (partial) => {
    const store = await openFeatureStore(inputs.features)
    const maker = await openPageMaker(store, await openOptionalParts(directory))
    const ids = Array.from({ length: Math.min(archiveFeatures, features) }, (_, i) => i)
    const pages = await Promise.all((await maker.pages(ids)).map((json) => storedAnswer(json)))
    const index = Buffer.alloc(features * recordBytes)
    for (let first = 0; first < features; first += archiveFeatures)
      await writeArchiveFile(partial, first, pages.slice(0, features - first), index)
    await writeFile(join(partial, indexFile), index)
    maker.close()
    store.close()
  })
}
