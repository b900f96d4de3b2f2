import type { Command } from 'commander'
import { addFlags, readFlags } from '../config/flags.js'
import { ablationConfigSchema } from '../features/ablation-config.js'
import { type Ablation, readAblation, runAblationStage } from '../features/ablation-stage.js'
import { type FeatureStore, openFeatureStore } from '../features/feature-store.js'
import { byEffect, renderEffects } from '../features/render-ablation.js'
import { formatNumber } from '../progress/rate.js'
import type { Json } from '../storage/stage.js'
import { percent } from '../terminal/figures.js'
import { addCommand } from './command.js'
import { madeOrReused } from './outcome.js'
import { addPaths, readPaths } from './run-paths.js'
import type { Session } from './session.js'

/** Features listed at either end. */
const shown = 10

/** `monosem features ablate` */
export function addAblate(features: Command): void {
  const command = addCommand(
    features,
    'ablate',
    {
      description:
        'Measure what features do to the predictions: take each out of its examples and record the change of next-token log-likelihood.',
      example:
        'monosem features ablate --run runs/demo --examples-per-feature 12 --out runs/demo/ablation-12',
    },
    async (session, command) => {
      const paths = readPaths(command, ['corpus', 'model', 'sae', 'features'], 'ablation')
      const config = readFlags(command, ablationConfigSchema)
      const result = await runAblationStage(config, paths, {
        ...session.context,
        kernels: await session.kernels(),
      })
      const ablation = await readAblation(result.directory)
      const store = await openFeatureStore(paths.features)
      try {
        return {
          json: { ...result, ...ablation.summary, effects: ablation.features } as unknown as Json,
          text: `${madeOrReused(result)}\n${await describe(session, ablation, store)}`,
        }
      } finally {
        store.close()
      }
    },
  )
  addFlags(addPaths(command, ['corpus', 'model', 'sae', 'features'], 'ablation'), ablationConfigSchema)
}

async function describe(session: Session, ablation: Ablation, store: FeatureStore): Promise<string> {
  const { examples, features, meanTotal, helpful } = ablation.summary
  if (examples === 0) return 'no feature has an example'
  const sorted = byEffect(ablation)
  const worst = sorted.slice(0, shown)
  const best = sorted.slice(shown).slice(-shown).reverse()
  const details = new Map(
    await Promise.all(
      [...worst, ...best].map(async ({ feature }) => [feature, await store.get(feature)] as const),
    ),
  )
  const options = { tokenizer: store.tokenizer, color: session.color, width: session.width }
  const table = (list: typeof worst) => renderEffects(list, ablation, details, options)
  return [
    `${formatNumber(examples)} examples of ${formatNumber(features)} features; in ${percent(helpful)} the text becomes less likely without the feature`,
    `mean change of log-likelihood over a context: ${meanTotal?.toFixed(3)} nats`,
    `\nmost missed when taken out (nats per example)\n${table(worst)}`,
    ...(best.length > 0 ? [`\nleast missed\n${table(best)}`] : []),
  ].join('\n')
}
