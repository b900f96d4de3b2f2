import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readExplainReport } from '../explain/explain-features.js'
import { type ExplainReport, scoreNamed } from '../explain/explain-report.js'
import { openExplanations } from '../explain/explanations.js'
import { renderAggregates, renderExplanations } from '../explain/render-explain.js'
import { openFeatureStore } from '../features/feature-store.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import type { StageResult } from '../storage/stage.js'
import type { StageConfigs } from './demo-config.js'
import { explainRun, explainSummary } from './explain.js'
import type { Session } from './session.js'
import type { ExplainSummary } from './summary.js'

/** What was explained: the options, by which it is found again. */
const askedFile = 'demo.json'

/** Explains the features of a demo run: all that are active, unless some are named. */
export async function explainAll(
  session: Session,
  config: StageConfigs['explanations'],
  run: string,
): Promise<StageResult> {
  const at = (role: string): string => join(run, role)
  const report = await explainRun(session, config, {
    corpus: at('corpus'),
    model: at('model'),
    sae: at('sae'),
    features: at('features'),
    explanations: at('explanations'),
  })
  await writeFileAtomic(join(at('explanations'), askedFile), `${JSON.stringify(config, null, 2)}\n`)
  return { directory: at('explanations'), reused: report.made === 0 }
}

/** What the step made, read back. */
async function readExplained(explanations: string): Promise<ExplainReport> {
  const config = JSON.parse(await readFile(join(explanations, askedFile), 'utf8'))
  const features = join(explanations, '..', 'features')
  const store = await openFeatureStore(features)
  try {
    const kept = await openExplanations(explanations, features)
    return await readExplainReport(config, store.summary.features, kept)
  } finally {
    store.close()
  }
}

export async function readExplainSummary(explanations: string): Promise<ExplainSummary> {
  return explainSummary(await readExplained(explanations))
}

/** Explanations for the end of the demo: of the case studies' features, then of the best explained. */
export async function renderExplained(
  directories: { explanations: string },
  found: readonly number[],
  width: number,
): Promise<string> {
  const report = await readExplained(directories.explanations)
  const best = [...report.features].sort(
    (a, b) => (scoreNamed(b.scores, 'spearman') ?? -1) - (scoreNamed(a.scores, 'spearman') ?? -1),
  )
  const chosen = [...report.features.filter(({ feature }) => found.includes(feature)), ...best]
  const shown = [...new Set(chosen)].slice(0, 16)
  return [
    'Explanations by statistics, scored on text that they were not made from:',
    renderExplanations(shown, { width }),
    '',
    renderAggregates(report),
  ].join('\n')
}
