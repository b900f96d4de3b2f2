import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { spread } from '../eval/sample-windows.js'
import { readExplainReport } from '../explain/explain-features.js'
import { type ExplainReport, scoreNamed } from '../explain/explain-report.js'
import { openExplanations } from '../explain/explanations.js'
import { renderAggregates, renderExplanations } from '../explain/render-explain.js'
import { openFeatureStore } from '../features/feature-store.js'
import { readCaseStudies } from '../interp/case-studies.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import type { StageResult } from '../storage/stage.js'
import type { StageConfigs } from './demo-config.js'
import { explainRun, explainSummary } from './explain.js'
import type { Session } from './session.js'
import type { ExplainSummary } from './summary.js'

type SampleConfig = StageConfigs['explanations']

/** What the demo's last step explained: the options, and the features. */
const sampleFile = 'demo.json'

/** The demo's last step: explains the features of the case studies, and an even sample of the others. */
export async function explainSample(
  session: Session,
  config: SampleConfig,
  run: string,
): Promise<StageResult> {
  const at = (role: string): string => join(run, role)
  const { sample, ...options } = config
  const features = options.features.length > 0 ? options.features : await sampleOf(run, sample)
  const asked = { ...options, features }
  const report = await explainRun(session, asked, {
    corpus: at('corpus'),
    model: at('model'),
    sae: at('sae'),
    features: at('features'),
    explanations: at('explanations'),
  })
  await writeFileAtomic(join(at('explanations'), sampleFile), `${JSON.stringify(asked, null, 2)}\n`)
  return { directory: at('explanations'), reused: report.made === 0 }
}

async function sampleOf(run: string, sample: number): Promise<string[]> {
  const studies = await readCaseStudies(join(run, 'case-studies'))
  const store = await openFeatureStore(join(run, 'features'))
  try {
    const found = studies.flatMap(({ feature }) => (feature === null ? [] : [feature]))
    const others = spread(store.summary.features, Math.max(0, sample - found.length))
    return [...new Set([...found, ...others])].map(String)
  } finally {
    store.close()
  }
}

/** What the step made, read back. */
async function readSample(explanations: string): Promise<ExplainReport> {
  const config = JSON.parse(await readFile(join(explanations, sampleFile), 'utf8'))
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
  return explainSummary(await readSample(explanations))
}

/** Explanations for the end of the demo: of the case studies' features, then of the best explained. */
export async function renderExplained(
  directories: { explanations: string },
  found: readonly number[],
  width: number,
): Promise<string> {
  const report = await readSample(directories.explanations)
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
