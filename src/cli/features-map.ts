import type { Command } from 'commander'
import { addFlags, readFlags } from '../config/flags.js'
import { readFeatureMap, runMapStage } from '../features/feature-map.js'
import { openFeatureStore } from '../features/feature-store.js'
import { mapConfigSchema } from '../features/map-config.js'
import { renderClusters } from '../features/render-map.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { madeOrReused, renderJson } from './outcome.js'
import { addPaths, readPaths } from './run-paths.js'

/** `monosem features map` */
export function addFeatureMap(features: Command): void {
  const command = addCommand(
    features,
    'map',
    {
      description:
        'Lay the features out on a map (UMAP of decoder directions), with nearest features, list order and clusters.',
      example: 'monosem features map --run runs/demo --resolution 8 --out runs/demo/map-fine',
    },
    async (session, command) => {
      const paths = readPaths(command, ['sae', 'features'], 'feature-map')
      const config = readFlags(command, mapConfigSchema)
      const result = await runMapStage(config, paths, {
        ...session.context,
        kernels: await session.kernels(),
      })
      const map = await readFeatureMap(result.directory)
      const store = await openFeatureStore(paths.features)
      try {
        const rows = await store.list({ sort: 'id', limit: map.summary.features })
        const clusters = renderClusters(map, rows, { tokenizer: store.tokenizer, width: session.width })
        const summary = map.summary as unknown as Record<string, Json>
        return {
          json: { ...result, ...summary },
          text: `${madeOrReused(result)}\n${renderJson(summary)}\n\n${clusters}`,
        }
      } finally {
        store.close()
      }
    },
  )
  addFlags(addPaths(command, ['sae', 'features'], 'feature-map'), mapConfigSchema)
}
