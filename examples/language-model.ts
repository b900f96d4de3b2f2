// Runs a language model, looks inside, changes what is there, and splices an autoencoder in.
// Run it with: node dist/examples/language-model.js gpt2 jbloom/GPT2-Small-SAEs-Reformatted/blocks.8.hook_resid_pre
import { loadModel, loadSae, setFeature, withSae } from 'monosem'

// Names on the Hugging Face hub or directories. `using` gives the weights back at the end.
const [modelName = 'gpt2', saeName = 'runs/gpt2/sae'] = process.argv.slice(2)
using model = await loadModel(modelName)
const { kernels } = model
using sae = await loadSae(kernels, saeName)
const hook = sae.hookName
const tokens = model.tokenize('The cat sat on the mat')

// Read a hook point: the pass ends there. What comes back are plain arrays [1, T, width].
const { activations } = await model.forward(tokens, { read: [hook] })
console.log(`${hook} is [${activations[hook].shape}]`)

// Replace it: a hook changes the activation, a tensor [T, width], in place or returns another one. It may be async.
const clean = await model.forward(tokens, { loss: true })
const ablated = await model.forward(tokens, { loss: true, hooks: { [hook]: (x) => kernels.fill(x, 0) } })
console.log(`loss ${clean.loss.toFixed(3)} nats, with zeros in its place ${ablated.loss.toFixed(3)}`)

// Gradients, here of the logit of a next token; or of the loss, or of any function of the logits.
const [target] = model.tokenize(' cat', { prependBos: false })
const { value, gradients } = await model.gradients(tokens, { read: [hook], of: { kind: 'logit', target } })
console.log(`logit ${value.toFixed(3)}, gradient [${gradients[hook].shape}]`)

// Let it write, token by token.
let text = ''
for await (const piece of model.generate('The cat', { maxTokens: 8, temperature: 0 })) text += piece.text
console.log(`The cat${text}`)

// The features that are active on these tokens, and what they reconstruct.
const codes = await sae.encode(activations[hook])
const xHat = await sae.decode(codes, activations[hook])
console.log(
  `${codes.values.length} active features on ${tokens.length} tokens, reconstruction [${xHat.shape}]`,
)

// Splice the reconstruction in; or keep its error and set a feature to 5. The result is a model like any other.
const spliced = await withSae(model, sae, { error: false }).forward(tokens, { loss: true })
const edited = withSae(model, sae, { edit: (codes) => setFeature(codes, 3, 5) })
const { loss } = await edited.forward(tokens, { loss: true })
console.log(`loss with the reconstruction ${spliced.loss.toFixed(3)}, with feature 3 at 5 ${loss.toFixed(3)}`)
