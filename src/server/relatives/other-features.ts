import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type FeatureStore, openFeatureStore } from '../../features/feature-store.js'
import { requireMadeFrom } from '../../storage/made-from.js'
import { openStage } from '../../storage/open-stage.js'
import { once } from '../once.js'
import { exampleOf, shorter } from '../pages/example.js'
import type { Partner } from '../protocol.js'

/** What a feature of another dictionary fires on. */
export type FiresOn = Pick<Partner, 'tokens' | 'max' | 'examples' | 'missing'>

/** The feature store of another run, opened when it is first asked. */
export interface OtherFeatures {
  /** @throws MonosemError corrupt, config (the store is of another autoencoder) */
  get(feature: number): Promise<FiresOn>
  close(): void
}

const [mostTokens, mostExamples] = [8, 5]

/**
 * Looks beside an autoencoder for the features that were collected for it.
 * @param sae its directory
 * @param make the command that collects them
 */
export function createOtherFeatures(sae: string, make: string): OtherFeatures {
  const directory = join(dirname(sae), 'features')
  let opened: FeatureStore | null = null
  const open = once(async () => {
    await requireMadeFrom(await openStage(directory, 'features'), 'sae', sae)
    opened = await openFeatureStore(directory)
    return opened
  })
  return {
    async get(feature) {
      if (!existsSync(join(directory, 'manifest.json')))
        return { tokens: [], max: 0, examples: [], missing: make }
      return firesOn(await open(), feature)
    },
    close: () => opened?.close(),
  }
}

async function firesOn(store: FeatureStore, feature: number): Promise<FiresOn> {
  const { tokens, top, max } = await store.get(feature)
  return {
    tokens: tokens.slice(0, mostTokens).map(({ token }) => store.tokenizer.tokenText(token)),
    max: shorter(max),
    examples: top.slice(0, mostExamples).map((example) => exampleOf(example, store.tokenizer, null)),
    missing: null,
  }
}
