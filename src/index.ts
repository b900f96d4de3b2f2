// The public table of contents, in the order in which data flows.

// errors, random numbers, progress, stage directories: what everything else stands on
export * from './errors/monosem-error.js'
export * from './progress/progress.js'
export * from './progress/terminal-progress.js'
export * from './random/random.js'
export * from './storage/open-stage.js'
export * from './storage/stage.js'

// distributed: the processes of one job
export { type Communicator, singleRank, type Traffic } from './distributed/communicator.js'
export { shouldStop } from './distributed/agree.js'
export { inOrder } from './distributed/in-order.js'
export { type Launch, openRanks, readLaunch } from './distributed/launch.js'
export { createMesh, type Mesh, singleMesh, type Slice, sliceOf } from './distributed/mesh.js'
export { onFirstRank } from './distributed/on-first-rank.js'
export { requireSameOnAllRanks } from './distributed/same-on-all-ranks.js'

// formats: files that other programs read
export * from './formats/safetensors.js'

// kernels: everything that computes on tensors
export type * from './kernels/kernels.js'
export { loadKernels } from './kernels/load.js'

// corpus: text to tokens
export { trainBpe } from './corpus/bpe-trainer.js'
export * from './corpus/corpus.js'
export { type CorpusConfig, corpusConfigSchema } from './corpus/corpus-config.js'
export { runCorpusStage } from './corpus/corpus-stage.js'
export { loadTokenizer, type Tokenizer } from './corpus/tokenizer.js'
export * from './corpus/windows.js'

// model: the transformer
export { type ModelConfig, modelConfigSchema } from './model/model-config.js'
export { loadTransformer, type ModelMetrics, runModelStage } from './model/model-stage.js'
export * from './model/generate.js'
export { chainHooks, type HooksOption } from './model/hook-layers.js'
export { createLanguageModel, type LanguageModel, type WriteOptions } from './model/language-model.js'
export { type LoadModelOptions, loadModel } from './model/load-model.js'
export type { NdArray } from './kernels/nd-array.js'
export type { GradientOptions, GradientResult, LogitFunction, LogitTarget } from './model/run-gradients.js'
export type { RunOptions, RunResult } from './model/run-tokens.js'
export { type StreamedToken, streamTexts } from './model/stream-texts.js'
export type { TokenInput } from './model/token-batch.js'
export { sample } from './model/sample.js'
export {
  type GenerateConfig,
  generateConfigSchema,
  type SampleConfig,
  sampleConfigSchema,
} from './model/sample-config.js'
export * from './model/transformer.js'

// activations and sae: the autoencoder and what it is trained on
export { type ActivationStore, openActivations } from './activations/activation-store.js'
export { type HarvestConfig, harvestConfigSchema } from './activations/harvest-config.js'
export { runHarvestStage } from './activations/harvest-stage.js'
export { createLiveSource, type LiveSourceOptions } from './activations/live-source.js'
export { requireSaeFits } from './activations/sae-on-model.js'
export { reconstruction, type Splice, spliceHooks } from './activations/splice.js'
export { type SplicedRows, type WithSaeOptions, withSae } from './activations/with-sae.js'
export { type StoreInfo, shardFile, shardTensors } from './activations/store-info.js'
export { createStoredSource, type StoredSourceOptions } from './activations/stored-source.js'
export type { ActivationPair, ActivationSource } from './sae/activation-source.js'
export { setFeature } from './sae/edit-codes.js'
export { encodeFile, type EncodeFileOptions, type EncodeSummary } from './sae/encode-file.js'
export { convertSae, type ConvertSaeOptions, type SaeConversion } from './sae/formats/convert-sae.js'
export { describeSae, type SaeDescription } from './sae/formats/describe-sae.js'
export { type ReadSae, type ReadSaeOptions, readSae } from './sae/formats/read-sae.js'
export { type SaeConventions, type SaeFormat, saeFormats } from './sae/formats/sae-file.js'
export type { InputNormalization } from './sae/input-normalization.js'
export { resolveSaeConfig } from './sae/resolve-config.js'
export {
  decode,
  encode,
  encodeRows,
  type LoadSaeOptions,
  type LoadedSae,
  loadSae,
  reconstruct,
  type Sae,
  unloadSae,
} from './sae/sae.js'
export { type ResolvedSaeConfig, type SaeConfig, saeConfigSchema } from './sae/sae-config.js'
export { runSaeStage, type SaeMetrics, type SaeRequest, trainSaes } from './sae/sae-stage.js'
export type { TrainContext } from './sae/train-together.js'
export type { SaelensConfig } from './sae/formats/saelens-config.js'

// eval: how good the decomposition is
export { type EvalConfig, evalConfigSchema } from './eval/eval-config.js'
export type { EvalReport } from './eval/eval-report.js'
export { type AnalysisPaths, readEvalReport, runEvalStage } from './eval/eval-stage.js'
export {
  type Evaluation,
  type EvaluateInputs,
  evaluate,
  evaluateFeatures,
  type FeatureFigures,
} from './eval/evaluate.js'
export { readComparison, runCompareStage } from './eval/compare-evals.js'
export type { ComparedEval, EvalComparison } from './eval/eval-comparison.js'
export type { DecoderReport } from './eval/decoder-geometry.js'
export type { Underpowered } from './eval/power.js'

// baselines: what a dictionary has to beat
export { type BaselinesConfig, baselinesConfigSchema } from './baselines/baselines-config.js'
export type { BaselinesReport } from './baselines/baselines-report.js'
export { readBaselinesReport, runBaselines } from './baselines/baselines-stage.js'
export type { Verdict } from './baselines/verdict.js'
export { type RandomizeConfig, randomizeConfigSchema } from './model/randomize-config.js'
export { randomizeModel } from './model/randomize-model.js'

// synthetic: data whose features are known
export { createFeatureModel, type FeatureModel } from './synthetic/feature-model.js'
export { type FeatureModelConfig, featureModelConfigSchema } from './synthetic/feature-model-config.js'
export { createSampler, type Sampler } from './synthetic/sampler.js'
export { createSyntheticSource } from './synthetic/synthetic-source.js'
export { assign } from './synthetic/assignment.js'
export { matchFeatures } from './synthetic/match-features.js'
export { type LabelledSamples, measureRecovery, type Recovery } from './synthetic/recovery.js'
export type { RecoveryReport } from './synthetic/recovery-stage.js'
export { type SyntheticConfig, syntheticConfigSchema } from './synthetic/synthetic-config.js'
export { readSyntheticRun, type SyntheticRun, trainSynthetic } from './synthetic/synthetic-run.js'

// synthetic/toy: toy models of superposition
export { type Geometry, measureGeometry } from './synthetic/toy/geometry.js'
export { createHiddenSource } from './synthetic/toy/hidden-source.js'
export { meanMaxCosine } from './synthetic/toy/mean-max-cosine.js'
export { type FeatureDistribution, independentFeatures } from './synthetic/toy/sample-features.js'
export { type ToyConfig, toyConfigSchema } from './synthetic/toy/toy-config.js'
export type { ToyModel } from './synthetic/toy/toy-model.js'
export type { ToyReport } from './synthetic/toy/toy-report.js'
export { readToyReport, runToyStage } from './synthetic/toy/toy-stage.js'
export { type ToyTraining, trainToy } from './synthetic/toy/train-toy.js'

// scaling: loss against compute, and what a run will cost
export { type CostConfig, costConfigSchema } from './scaling/cost-config.js'
export { type CostEstimate, estimateCost } from './scaling/estimate-cost.js'
export { type ScalingFitConfig, scalingFitConfigSchema } from './scaling/fit-config.js'
export { readScalingReport, runScalingStage } from './scaling/fit-stage.js'
export { heldOutFromStore, heldOutFromText } from './scaling/held-out.js'
export { planJobs, type ScalingPlan } from './scaling/plan-jobs.js'
export { fitPowerLaw } from './scaling/power-law.js'
export { runJobs } from './scaling/run-jobs.js'
export { type ScalingConfig, scalingConfigSchema } from './scaling/scaling-config.js'
export type { ScalingReport } from './scaling/scaling-report.js'

// features: what each feature responds to
export { type AblationConfig, ablationConfigSchema } from './features/ablation-config.js'
export { type Ablation, readAblation, runAblationStage } from './features/ablation-stage.js'
export { type FeatureMap, readFeatureMap, runMapStage } from './features/feature-map.js'
export * from './features/feature-store.js'
export { type FeaturesConfig, featuresConfigSchema } from './features/features-config.js'
export { runFeaturesStage } from './features/features-stage.js'
export { type MapConfig, mapConfigSchema } from './features/map-config.js'

// interp: how specific features are
export { readCaseStudies, runCaseStudiesStage } from './interp/case-studies.js'
export { type CaseStudiesConfig, caseStudiesConfigSchema } from './interp/case-studies-config.js'
export { type CaseStudy, studyPredicates } from './interp/study-predicates.js'
export { type FeatureSpecificity, measureSpecificity } from './interp/measure-specificity.js'
export { loadPredicateFile } from './interp/predicate-file.js'
export {
  builtInPredicates,
  choosePredicates,
  type Predicate,
  regexPredicate,
  scriptPredicate,
} from './interp/predicates.js'
export { type SpecificityConfig, specificityConfigSchema } from './interp/specificity-config.js'

// compare: dictionaries side by side
export type { Columns } from './compare/columns.js'
export { type JointPass, type JointPassOptions, jointPass } from './compare/joint-pass.js'
export { measureSplitting } from './compare/splitting.js'
export { type SplittingConfig, splittingConfigSchema } from './compare/splitting-config.js'
export {
  type Fate,
  readSplitting,
  readSplittingSummary,
  type Splitting,
  type SplittingFeature,
  type SplittingSize,
  type SplittingStep,
  type SplittingSummary,
} from './compare/splitting-file.js'
export { runSplittingStage, type SplittingPaths } from './compare/splitting-stage.js'
export { leavesOf, rootOf, subtreeOf } from './compare/subtrees.js'
export { summariseUniversality } from './compare/summarise-universality.js'
export { type DictionaryOnModel, measureUniversality } from './compare/universality.js'
export { type UniversalityConfig, universalityConfigSchema } from './compare/universality-config.js'
export type { FeaturePartners, Universality } from './compare/universality-file.js'
export {
  readUniversality,
  runUniversalityStage,
  type UniversalityPaths,
} from './compare/universality-stage.js'

// explain: what features mean
export * from './explain/collect-evidence.js'
export { createExplainer } from './explain/create-explainer.js'
export type * from './explain/evidence.js'
export { type EvidenceConfig, evidenceConfigSchema } from './explain/evidence-config.js'
export { explainConfigSchema } from './explain/explain-config.js'
export { explainFeatures } from './explain/explain-features.js'
export { type ExplanationStore, openExplanations } from './explain/explanations.js'
export { scorePrediction } from './explain/statistics/predicted-score.js'
export { createStatisticsExplainer } from './explain/statistics/statistics-explainer.js'

// explain, asking a language model
export { type ExplainPromptOptions, explainMessages } from './explain/llm/explain-prompt.js'
export * from './explain/llm/llm-client.js'
export { type LlmConfig, llmConfigSchema } from './explain/llm/llm-config.js'
export { createLlmExplainer, type LlmExplainerOptions } from './explain/llm/llm-explainer.js'
export { describeUsage, type FailureKind, type LlmUsage } from './explain/llm/llm-usage.js'
export { createRemoteCalls, type RemoteCalls } from './explain/llm/remote-calls.js'
export { createRemoteEmbedder } from './explain/llm/remote-embedder.js'
export type { Embedder } from './explain/scorers/embedder.js'
export { createEmbeddingScorer, type EmbeddingScorerOptions } from './explain/scorers/embedding.js'
export {
  createLlmScorers,
  type LlmScorerName,
  type LlmScorersOptions,
  llmScorerNames,
} from './explain/scorers/llm-scorers.js'

// steer and attribution: what features do
export { type AttributeOptions, attribute } from './attribution/attribute.js'
export type { Attribution } from './attribution/attribution.js'
export { type Metric, singleToken } from './model/logit-metric.js'
export { promptTokens } from './model/prompt-tokens.js'
export { type EditOptions, featureEdits } from './steer/feature-edits.js'
export { conceptFeatures, tryFeatures } from './steer/find-feature.js'
export { type Influence, type InfluenceOptions, measureInfluence } from './steer/influence.js'
export { judgeTexts, type TextJudgement } from './steer/judge-texts.js'
export { neutralPrompts } from './steer/neutral-prompts.js'
export { type NextTokenChange, nextTokenChange } from './steer/next-token.js'
export {
  createSteering,
  type FeatureEdit,
  type Steering,
  type SteeringOptions,
  type TokenScope,
} from './steer/steering.js'
export { type SteerInputs, strengthSweep } from './steer/strength-sweep.js'

// probe: features as classifiers of texts
export { type LabelledTexts, readLabelledTexts } from './probe/labelled-texts.js'
export { type ProbeConfig, probeConfigSchema } from './probe/probe-config.js'
export { type ProbeReport, runProbes } from './probe/run-probes.js'

// export: features in the layouts of other programs
export { type ExportConfig, exportConfigSchema } from './export/export-config.js'
export { type ExportFormat, runExport } from './export/run-export.js'
export { type DashboardBatch, readDashboards } from './export/saedashboard.js'
