// Explains and scores features of a run with a language model on your own machine: Ollama here, or any server that speaks OpenAI's
// protocol. The prompts have about 20,000 characters, more than fits into the context that Ollama keeps by default. So start it with a longer one:
//   OLLAMA_CONTEXT_LENGTH=16384 ollama serve
//   node dist/examples/explain-with-ollama.js runs/demo 12 345
import {
  collectEvidence,
  createEmbeddingScorer,
  createLlmClient,
  createLlmExplainer,
  createLlmScorers,
  createRemoteCalls,
  describeUsage,
  evidenceConfigSchema,
  llmConfigSchema,
  loadKernels,
  loadSae,
  loadTransformer,
  openCorpus,
} from 'monosem'

const [run = 'runs/demo', ...ids] = process.argv.slice(2)
const kernels = await loadKernels()
const model = await loadTransformer(kernels, `${run}/model`)
const sae = await loadSae(kernels, `${run}/sae`)
const corpus = await openCorpus(`${run}/corpus`)
const { tokenizer } = corpus

// What features do: examples from training text to explain, and from validation text to score.
const features = ids.length > 0 ? ids.map(Number) : [0, 1, 2]
const evidence = await collectEvidence(evidenceConfigSchema.parse({}), { model, sae, corpus, features })
for (const { id, reason } of evidence.features.dropped)
  console.log(`feature ${id}: too little text (${reason})`)

// Answers are kept in the directory, so that a second run asks nothing again.
const baseUrl = process.env.LLM_BASE_URL ?? 'http://localhost:11434/v1'
const calls = createRemoteCalls(llmConfigSchema.parse({ baseUrl, cacheDirectory: `${run}/llm-answers` }))
const client = createLlmClient(`compatible:${process.env.LLM_MODEL ?? 'qwen2.5:7b'}`, calls)
const explainer = createLlmExplainer({ client, tokenizer })
const scorers = [
  // Small models lose count in the protocol's one conversation about 60 examples.
  ...createLlmScorers({ client, tokenizer, scorers: ['prediction'], examplesPerConversation: 15 }),
  ...createLlmScorers({ client, tokenizer, scorers: ['detection'] }),
  createEmbeddingScorer({ tokenizer }),
]

for (const id of evidence.features.ids) {
  const examples = evidence.features.get(id)
  const explanation = await explainer.explain(examples)
  console.log(`feature ${id}: ${explanation.text}`)
  for (const judge of scorers)
    for (const { scorer, value, reason } of await judge.score(explanation, examples))
      console.log(`  ${scorer.padEnd(10)} ${value === null ? `none: ${reason}` : value.toFixed(3)}`)
}
console.log(describeUsage(calls.usage()))
