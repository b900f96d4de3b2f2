import { join } from 'node:path'
import type { Command } from 'commander'
import { addFlags, givenFlags, readFlags } from '../config/flags.js'
import { openCorpus } from '../corpus/corpus.js'
import { runCorpusStage } from '../corpus/corpus-stage.js'
import { MonosemError } from '../errors/monosem-error.js'
import type { EvalReport } from '../eval/eval-report.js'
import { readEvalReport, runEvalStage } from '../eval/eval-stage.js'
import { runAblationStage } from '../features/ablation-stage.js'
import { runMapStage } from '../features/feature-map.js'
import { runFeaturesStage } from '../features/features-stage.js'
import { readCaseStudies, runCaseStudiesStage } from '../interp/case-studies.js'
import { renderCaseStudies } from '../interp/render-case-studies.js'
import { runModelStage } from '../model/model-stage.js'
import type { SaeMetrics } from '../sae/sae-stage.js'
import { runFeaturePagesStage } from '../server/pages/feature-pages-stage.js'
import { writeFileAtomic } from '../storage/atomic-file.js'
import { readStageJson } from '../storage/open-stage.js'
import type { Json, StageResult } from '../storage/stage.js'
import { printable } from '../terminal/printable.js'
import { caseStudySummary } from './case-studies.js'
import { addCommand, printOutcome } from './command.js'
import { quoteWord } from './command-line.js'
import { demoSchema, type StageConfigs, type StageName, stageConfigs } from './demo-config.js'
import { explainAll, readExplainSummary, renderExplained } from './demo-explanations.js'
import { showFeatures } from './features.js'
import { sampleTexts } from './model.js'
import { openRunLog, type RunLog } from './run-log.js'
import { trainSae } from './sae.js'
import { serveRuns } from './serve.js'
import type { Outcome, Session } from './session.js'
import { renderSummary, type Summary } from './summary.js'

/** `monosem demo`: the whole path from text to features. */
export function addDemo(program: Command): void {
  const command = addCommand(
    program,
    'demo',
    {
      description:
        'Text in, features out, without a network: build the corpus, train the transformer and the sparse autoencoder, evaluate, ' +
        'collect, place, test and explain the features, run the case studies, and serve it all in the browser. Started again it ' +
        'goes on where it stopped.',
      example: "monosem demo --text 'notes/**/*.md' --out runs/notes",
    },
    async (session, command) => {
      const config = readFlags(command, demoSchema)
      const outcome = await runDemo(
        session,
        config.out,
        stageConfigs(config, givenFlags(command, demoSchema)),
      )
      // Where nobody looks at the output, a demo that never ends would only hang.
      const serves = config.serve ?? (process.stdout.isTTY && !session.options.json)
      return serves ? { ...outcome, afterwards: () => serveDemo(session, config.out) } : outcome
    },
  )
  addFlags(command, demoSchema)
}

async function runDemo(session: Session, run: string, configs: StageConfigs): Promise<Outcome> {
  const started = performance.now()
  const log = await openRunLog(run)
  const before = log.stageSeconds()
  const directories = await runStages(session, run, configs, log)
  const samples = await continueDocuments(session, directories, configs.model.seed)
  const inStages = log.stageSeconds() - before
  const rest = (performance.now() - started) / 1000 - inStages
  const summary = await summarise(directories, {
    seconds: log.stageSeconds() + rest,
    peakRssMiB: log.peakRssMiB(),
    threads: (await session.kernels()).threads,
  })
  await writeFileAtomic(join(run, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`)
  return {
    json: summary as unknown as Json,
    text: await renderDemo(session, run, directories, summary, samples),
  }
}

/** Serves what was made; the figures have been printed. A port that is taken must not spoil the end of a long run. */
async function serveDemo(session: Session, run: string): Promise<void> {
  const served = await serveRuns(session, { runs: [run] }).catch((error: unknown) => {
    if (error instanceof MonosemError && error.code === 'busy')
      return serveRuns(session, { runs: [run], port: 0 })
    throw error
  })
  process.stdout.write('\n')
  printOutcome(served, session.options)
  await served.afterwards?.()
}

type Directories = Record<StageName, string>

/** Runs every stage that is not there yet. */
async function runStages(
  session: Session,
  run: string,
  configs: StageConfigs,
  log: RunLog,
): Promise<Directories> {
  const at = (stage: StageName): string => join(run, stage)
  const context = { ...session.context, kernels: await session.kernels() }
  const [corpus, model, sae, features] = [at('corpus'), at('model'), at('sae'), at('features')]
  const analysis = (stage: StageName) => ({ corpus, model, sae, out: at(stage) })
  const stages: Record<StageName, () => Promise<StageResult>> = {
    corpus: () => runCorpusStage(configs.corpus, { out: corpus }, context),
    model: () => runModelStage(configs.model, { corpus, out: model }, context),
    sae: () => trainSae(session, configs.sae, { corpus, model }, sae),
    eval: () => runEvalStage(configs.eval, analysis('eval'), context),
    features: () => runFeaturesStage(configs.features, analysis('features'), context),
    'feature-map': () =>
      runMapStage(configs['feature-map'], { sae, features, out: at('feature-map') }, context),
    ablation: () => runAblationStage(configs.ablation, { ...analysis('ablation'), features }, context),
    'case-studies': () => runCaseStudiesStage(configs['case-studies'], analysis('case-studies'), context),
    explanations: () => explainAll(session, configs.explanations, run),
    'feature-pages': () => runFeaturePagesStage(run, context),
  }
  for (const stage of Object.keys(stages) as StageName[]) {
    const { reused } = await log.measure(stage, stages[stage])
    if (reused) context.progress.note(`${stage}: finished earlier, used as it is`)
  }
  return Object.fromEntries(
    Object.keys(stages).map((stage) => [stage, at(stage as StageName)]),
  ) as Directories
}

/** Reads what the stages measured into the one object that scripts read. */
async function summarise(
  directories: Directories,
  run: Pick<Summary, 'seconds' | 'peakRssMiB' | 'threads'>,
): Promise<Summary> {
  const model = await readStageJson<Summary['model']>(directories.model, 'model', 'metrics.json')
  const training = await readStageJson<SaeMetrics>(directories.sae, 'sae', 'metrics.json')
  const report: EvalReport = await readEvalReport(directories.eval)
  return {
    ...run,
    model: {
      valLoss: model.valLoss,
      bigramLoss: model.bigramLoss,
      unigramLoss: model.unigramLoss,
      bitsPerByte: model.bitsPerByte,
      tokensPerSecond: model.tokensPerSecond,
    },
    sae: {
      features: report.features,
      l0: report.l0,
      explainedVariance: report.explainedVariance,
      lossRecovered: report.lossRecovered,
      lossRecoveredMean: report.lossRecoveredMean,
      deadFraction: report.deadFraction,
      samplesPerSecond: training.samplesPerSecond,
    },
    caseStudies: (await readCaseStudies(directories['case-studies'])).map(caseStudySummary),
    explanations: await readExplainSummary(directories.explanations),
  }
}

/** A text and how the model goes on from it. */
interface Continuation {
  prompt: string
  continuation: string
}

/** The beginnings of four validation documents, evenly spaced in the split, continued by the model. */
async function continueDocuments(
  session: Session,
  directories: Directories,
  seed: number,
): Promise<Continuation[]> {
  const { tokenizer, validation } = await openCorpus(directories.corpus)
  const { documentStarts, tokens } = validation
  const prompts = [0, 1, 2, 3].map((i) => {
    const document = Math.floor(((i + 0.5) / 4) * documentStarts.length)
    const first = documentStarts[document] + 1
    const end = Math.min(first + 24, documentStarts[document + 1] ?? tokens.length)
    // The tokens may end in the middle of a character; what that leaves behind is not part of the prompt.
    return tokenizer.decode(tokens.slice(first, end)).replaceAll('\ufffd', '')
  })
  const configs = prompts.map((prompt, i) => ({ prompt, maxTokens: 48, temperature: 0.8, seed: seed + i }))
  const texts = await sampleTexts(session, directories.model, configs)
  return prompts.map((prompt, i) => ({ prompt, continuation: texts[i] }))
}

async function renderDemo(
  session: Session,
  run: string,
  directories: Directories,
  summary: Summary,
  samples: readonly Continuation[],
): Promise<string> {
  const found = summary.caseStudies.flatMap(({ feature }) => (feature === null ? [] : [feature]))
  const shown = await showFeatures(session, directories.features, found)
  return [
    'How the transformer goes on from the beginning of a document it has not seen (‖ is where it takes over):',
    ...samples.map(({ prompt, continuation }) => `${indent(`${prompt.trimStart()}‖${continuation}`)}\n`),
    'Some features, each with the text on which it is strongest:',
    shown.text,
    '',
    renderSummary(summary),
    '',
    renderCaseStudies(await readCaseStudies(directories['case-studies'])),
    '',
    await renderExplained(directories, found, session.width),
    '',
    'What to look at next:',
    `  monosem serve ${quoteWord(run)}`,
    `  monosem features list --run ${run} --sort density`,
    `  monosem features show ${shown.ids[0] ?? 0} --run ${run}`,
    `  monosem model sample --run ${run} --prompt 'The '`,
    `  monosem baselines --run ${run} --train-tokens 500_000   does it beat anything?`,
    `  monosem compare splitting --run ${run} --sizes 1024,2048,4096 --train-tokens 500_000`,
    `  monosem compare universality --run ${run} --seed 1`,
    `  ${join(run, 'eval', 'report.html')} shows the evaluation, ${join(run, 'summary.json')} holds the figures above`,
  ].join('\n')
}

const indent = (text: string): string => `  | ${printable(text).trim().replaceAll('\n', '\n  | ')}`
