// Finds the feature of a run that makes the model write Arabic, and counts how much it writes with the feature at 5 times its maximum.
// Run it with: node dist/examples/steer-arabic.js runs/demo
import {
  choosePredicates,
  conceptFeatures,
  continueTexts,
  createSteering,
  featureEdits,
  loadKernels,
  loadSae,
  loadTransformer,
  measureInfluence,
  neutralPrompts,
  openFeatureStore,
  readCaseStudies,
  silentProgress,
  tryFeatures,
} from 'monosem'

const run = process.argv[2] ?? 'runs/demo'
const kernels = await loadKernels()
const model = await loadTransformer(kernels, `${run}/model`)
const sae = await loadSae(kernels, `${run}/sae`)
const store = await openFeatureStore(`${run}/features`)
const inputs = { model, sae, store, tokenizer: store.tokenizer }

// Candidates: features that raise the logits of Arabic tokens, and those that were found to be active on them.
const [arabic] = choosePredicates(['arabic'], [])
const studies = await readCaseStudies(`${run}/case-studies`)
const active = studies.find(({ name }) => name === 'arabic')?.candidates ?? []
const raising = await conceptFeatures(store, store.tokenizer, arabic)
const candidates = [...new Set([...raising, ...active.map(({ feature }) => feature)])]

// The one that makes the model write most Arabic in a short trial.
const strength = { mode: 'clamp', unit: 'max', strength: 5 } as const
const options = {
  concept: arabic,
  scope: { tokens: 'all' },
  prompts: neutralPrompts,
  writing: { maxTokens: 40, temperature: 0.8, topP: 0.95, seed: 0 },
} as const
const progress = silentProgress
const [{ feature }] = await tryFeatures(inputs, { ...options, ...strength, candidates }, { progress })
const edits = await featureEdits(store, [feature], strength)

// The share of Arabic in what follows neutral English prompts, with other random numbers than in the trial.
const { unsteered, steered } = await measureInfluence(
  inputs,
  { ...options, edits, keepError: true, samples: 4, resamples: 2000 },
  { progress },
)
const percent = (share: number | undefined) => `${(100 * (share ?? 0)).toFixed(1)}%`
console.log(`feature ${feature} of ${candidates.length} tried, clamped to ${edits[0].value.toFixed(1)}`)
console.log(`share of Arabic: ${percent(unsteered?.value)} without, ${percent(steered?.value)} with steering`)
console.log(`95% interval: ${percent(steered?.low)} to ${percent(steered?.high)}`)

// One text, with and without.
const steering = createSteering(model, sae, store.tokenizer.startOfText, edits)
const prompt = 'The weather today is'
const [plain] = await continueTexts(model, store.tokenizer, [prompt], options.writing)
const [arabicText] = await continueTexts(model, store.tokenizer, [prompt], options.writing, steering)
console.log(`${prompt}${JSON.stringify(plain.text)}\n${prompt}${JSON.stringify(arabicText.text)}`)
steering.free()
store.close()
