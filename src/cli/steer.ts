import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { addFlags, readFlags } from '../config/flags.js'
import { MonosemError } from '../errors/monosem-error.js'
import { requireSaeFits } from '../eval/sae-on-model.js'
import { type FeatureStore, openFeatureStore } from '../features/feature-store.js'
import { readCaseStudies } from '../interp/case-studies.js'
import { choosePredicates, type Predicate } from '../interp/predicates.js'
import { continueTexts } from '../model/generate.js'
import { loadTransformer } from '../model/model-stage.js'
import { promptTokens } from '../model/prompt-tokens.js'
import type { GenerateConfig } from '../model/sample-config.js'
import { loadSae } from '../sae/sae.js'
import { featureEdits, parseFeatureList } from '../steer/feature-edits.js'
import { conceptFeatures, tryFeatures } from '../steer/find-feature.js'
import { measureInfluence } from '../steer/influence.js'
import { judgeTexts } from '../steer/judge-texts.js'
import { neutralPrompts } from '../steer/neutral-prompts.js'
import { nextTokenChange } from '../steer/next-token.js'
import {
  judgementLegend,
  readableText,
  renderEdits,
  renderInfluence,
  renderJudgement,
  renderNextToken,
  renderSideBySide,
  renderSweep,
  renderTrials,
} from '../steer/render-steer.js'
import {
  type InfluenceConfig,
  influenceConfigSchema,
  parseStrengths,
  type SteerConfig,
  steerConfigSchema,
} from '../steer/steer-config.js'
import { createSteering, type TokenScope } from '../steer/steering.js'
import { type SteerInputs, strengthSweep } from '../steer/strength-sweep.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { addPaths, addRunArgument, readPaths, runDirectory } from './run-paths.js'
import type { Outcome, Session } from './session.js'

/** `monosem steer` */
export function addSteer(program: Command): void {
  const command = addCommand(
    program,
    'steer',
    {
      description:
        'Let the model write while features are clamped, raised or ablated, beside what it writes without.',
      example: "monosem steer --run runs/demo --feature 42 --strength 5 --prompt 'The weather today is'",
    },
    async (session, command) => {
      const config = readFlags(command, steerConfigSchema)
      return withInputs(session, command, (inputs) =>
        config.sweep === '' ? steerOnce(session, inputs, config) : sweep(session, inputs, config),
      )
    },
  )
  addFlags(addPaths(addRunArgument(command), ['model', 'sae', 'features']), steerConfigSchema)
}

/** `monosem influence` */
export function addInfluence(program: Command): void {
  const command = addCommand(
    program,
    'influence',
    {
      description:
        'Measure how much steering a feature raises the share of a concept in continuations of neutral prompts.',
      example: 'monosem influence --run runs/demo --concept arabic --strength 5',
    },
    async (session, command) => {
      const config = readFlags(command, influenceConfigSchema)
      const studies = runDirectory(command, 'case-studies')
      return withInputs(session, command, (inputs) => influence(session, inputs, config, studies))
    },
  )
  addFlags(addPaths(addRunArgument(command), ['model', 'sae', 'features']), influenceConfigSchema)
}

/** Opens what steering needs, and closes it. */
async function withInputs(
  session: Session,
  command: Command,
  use: (inputs: SteerInputs & { store: FeatureStore }) => Promise<Outcome>,
): Promise<Outcome> {
  const paths = readPaths(command, ['model', 'sae', 'features'])
  const kernels = await session.kernels()
  const model = await loadTransformer(kernels, paths.model)
  const sae = await loadSae(kernels, paths.sae)
  requireSaeFits(model, sae)
  const store = await openFeatureStore(paths.features)
  try {
    return await use({ model, sae, store, tokenizer: store.tokenizer })
  } finally {
    store.close()
  }
}

/** One prompt, written on with and without steering. */
async function steerOnce(session: Session, inputs: SteerInputs, config: SteerConfig): Promise<Outcome> {
  const { model, sae, tokenizer, store } = inputs
  const { mode, unit, strength, prompt } = config
  const given = promptTokens(model, tokenizer, prompt)
  const edits = await featureEdits(store, parseFeatureList(config.feature), { mode, unit, strength })
  const steering = createSteering(model, sae, tokenizer.startOfText, edits, {
    scope: scopeOf(config),
    keepError: mode !== 'replace',
  })
  const { signal } = session.context
  const write = async (hooks?: typeof steering.hooks) =>
    (await continueTexts(model, tokenizer, [prompt], writingOf(config), { signal, hooks }))[0]
  const nextToken = await nextTokenChange(model, tokenizer, given, steering, config.movers)
  const [unsteered, steered] = [await write(), await write(steering.hooks)]
  const judge = ({ tokens }: typeof steered) =>
    judgeTexts(model, sae, [{ tokens: [...given, ...tokens], promptLength: given.length }], steering)
  const judgements = { unsteered: await judge(unsteered), steered: await judge(steered) }
  steering.free()
  const texts = {
    unsteered: readableText(unsteered.tokens, tokenizer),
    steered: readableText(steered.tokens, tokenizer),
  }
  return {
    json: { prompt, edits, nextToken, unsteered, steered, judgements } as unknown as Json,
    text: [
      `${JSON.stringify(prompt)} · ${renderEdits(edits)}`,
      renderNextToken(nextToken, session),
      renderSideBySide(texts, session),
      `${renderJudgement(judgements.steered, judgements.unsteered)}\n${judgementLegend(session)}`,
    ].join('\n\n'),
  }
}

async function sweep(session: Session, inputs: SteerInputs, config: SteerConfig): Promise<Outcome> {
  const { mode, unit, samples, prompt, concept } = config
  if (mode === 'ablate')
    throw new MonosemError('config', '--sweep: ablate has no strength to vary', {
      hint: 'choose --mode clamp or add',
    })
  const features = parseFeatureList(config.feature)
  const points = await strengthSweep(
    inputs,
    {
      ...{ features, mode, unit, samples, prompt, scope: scopeOf(config), writing: writingOf(config) },
      strengths: parseStrengths(config.sweep),
      concept: concept === '' ? null : conceptOf(concept),
    },
    session.context,
  )
  const heading = `${JSON.stringify(prompt)} · feature${features.length > 1 ? 's' : ''} ${features.join(', ')} · ${samples} texts each`
  return {
    json: points as unknown as Json,
    text: `${heading}\n\n${renderSweep(points, { ...session, tokenizer: inputs.tokenizer })}\n${judgementLegend(session)}`,
  }
}

/** Steers with the features that were named, or finds one that serves. @param studies directory of case studies, where there is one */
async function influence(
  session: Session,
  inputs: SteerInputs & { store: FeatureStore },
  config: InfluenceConfig,
  studies: string | null,
): Promise<Outcome> {
  const { mode, unit, strength, samples, resamples } = config
  const common = {
    scope: scopeOf(config),
    concept: conceptOf(config.concept),
    prompts: config.prompts.length > 0 ? config.prompts : neutralPrompts,
    writing: writingOf(config),
  }
  const named = config.feature === '' ? null : parseFeatureList(config.feature)
  const candidates = named ? [] : await candidatesFor(inputs, common.concept, studies, config.candidates)
  const trials = named
    ? []
    : await tryFeatures(inputs, { ...common, mode, unit, strength, candidates }, session.context)
  const features = named ?? [trials[0].feature]
  const edits = await featureEdits(inputs.store, features, { mode, unit, strength })
  const options = { ...common, edits, samples, resamples, keepError: mode !== 'replace' }
  const found = await measureInfluence(inputs, options, session.context)
  const tried = named ? [] : [renderTrials(trials, common.concept.name)]
  return {
    json: { ...found, trials } as unknown as Json,
    text: [
      ...tried,
      renderEdits(edits),
      renderInfluence(found, { ...session, tokenizer: inputs.tokenizer }),
    ].join('\n\n'),
  }
}

/** Features by their output tokens, and those that the run's case studies found to track the concept. */
async function candidatesFor(
  { store, tokenizer }: SteerInputs & { store: FeatureStore },
  concept: Predicate,
  studies: string | null,
  limit: number,
): Promise<number[]> {
  const known = studies && existsSync(studies) ? await readCaseStudies(studies) : []
  const tracked = known.find(({ name }) => name === concept.name)?.candidates ?? []
  const found = [
    ...tracked.map(({ feature }) => feature),
    ...(await conceptFeatures(store, tokenizer, concept)),
  ]
  return [...new Set(found)].slice(0, limit)
}

/** A built-in predicate by its name, or the user's own. */
const conceptOf = (concept: string): Predicate =>
  choosePredicates(concept.includes('=') ? [] : [concept], concept.includes('=') ? [concept] : [])[0]

function scopeOf({
  scope,
  positions,
  skipBos,
}: Pick<SteerConfig, 'scope' | 'positions' | 'skipBos'>): TokenScope {
  if ((scope === 'positions') !== positions.length > 0)
    throw new MonosemError(
      'config',
      `--scope ${scope} and --positions ${positions.join(' ') || '(none)'} do not fit`,
      {
        hint: '--scope positions --positions 3 4 steers the tokens at positions 3 and 4',
      },
    )
  return { tokens: scope, positions, skipBos }
}

const writingOf = ({ maxTokens, temperature, topK, topP, seed }: GenerateConfig): GenerateConfig => ({
  ...{ maxTokens, temperature, topK, topP, seed },
})
