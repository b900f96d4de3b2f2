import { openStage } from '../../storage/open-stage.js'
import type { FrontierPoint } from '../protocol.js'
import { readEvaluation } from './evaluation-part.js'
import { readArchitecture } from './sae-part.js'
import { stageDirectories } from './stage-directories.js'

/**
 * All evaluations that lie directly in a run, each with the autoencoder that it was made from.
 * @param run its name in addresses
 * @param failed is told of an evaluation that cannot be read
 */
export async function frontierOf(
  run: string,
  root: string,
  failed: (name: string, error: unknown) => void,
): Promise<FrontierPoint[]> {
  const points: FrontierPoint[] = []
  for (const { name, directory, manifest } of await stageDirectories(root)) {
    if (manifest.stage !== 'eval') continue
    try {
      const stage = await openStage(directory, 'eval')
      const evaluation = await readEvaluation(stage)
      if (!evaluation) continue
      const architecture = await readArchitecture(await openStage(await stage.input('sae'), 'sae'))
      const { features, l0, lossRecovered } = evaluation
      points.push({ run, name, architecture, features, l0, lossRecovered })
    } catch (error) {
      failed(name, error)
    }
  }
  return points
}
