import type { Codes, Tensor } from '../kernels/kernels.js'
import type { PassRows } from '../model/generate.js'
import { chainHooks } from '../model/hook-layers.js'
import type { LanguageModel } from '../model/language-model.js'
import type { AsyncHook } from '../model/transformer.js'
import { decode, encode, type Sae } from '../sae/sae.js'
import { requireSpliceFits } from './sae-on-model.js'
import { reconstruction, type Splice, spliceHooks } from './splice.js'

/** The tokens whose activations are spliced in one pass. [n] each */
export type SplicedRows = Pick<PassRows, 'tokens' | 'sequences' | 'indices'>

// biome-ignore lint/suspicious/noConfusingVoidType: an edit in place returns nothing
type Edited = Codes | undefined | void

export interface WithSaeOptions {
  /**
   * true (default): what the autoencoder does not explain, x - decode(encode(x)), is kept, so that nothing changes but what is edited;
   * false: the reconstruction alone takes the place of the activation
   */
  error?: boolean
  /**
   * Changes the features of the n tokens that are spliced: in place, or by returning other codes (see `setFeature`). May be async. Called once in each
   * pass for each autoencoder.
   */
  edit?: (codes: Codes, rows: SplicedRows, sae: Sae) => Edited | Promise<Edited>
  /** splice at the start-of-text token too, which most autoencoders were not trained on. Default false: it stays as it is */
  startOfText?: boolean
}

/**
 * The model with autoencoders spliced in: in every pass of `forward`, `gradients`, `generate` and `write`, the activation at an autoencoder's hook point becomes
 * its reconstruction from (edited) features, with or without its error term. A transcoder reads one hook point and replaces the other. Hooks of a call
 * see the spliced activation. Gradients take a splice for a constant: they pass it as they come.
 *
 * The weights are shared with `model`; freeing what is returned frees nothing.
 * @param saes one or several; of two on one hook point the second reads what the first wrote
 * @throws MonosemError missing, shape (an autoencoder does not fit the model), config (a transcoder that reads after it writes)
 */
export function withSae(
  model: LanguageModel,
  saes: Sae | readonly Sae[],
  options: WithSaeOptions = {},
): LanguageModel {
  const all = Array.isArray(saes) ? (saes as readonly Sae[]) : [saes as Sae]
  for (const sae of all) requireSpliceFits(model.transformer, sae)
  const startOfText = options.startOfText ? null : model.tokenizer.startOfText
  return model.withHooks((rows) => {
    const chosen = Int32Array.from(rows.tokens.keys()).filter((n) => rows.tokens[n] !== startOfText)
    if (chosen.length === 0) return {}
    return chainHooks(all.map((sae) => saeHooks(sae, rows, chosen, options)))
  })
}

/** @param chosen rows to splice */
function saeHooks(
  sae: Sae,
  rows: PassRows,
  chosen: Int32Array,
  { error = true, edit }: WithSaeOptions,
): Record<string, AsyncHook> {
  const some = chosen.length === rows.tokens.length ? null : chosen
  if (!edit)
    return error ? {} : spliceHooks(sae, some, (x) => ({ replacement: reconstruction(sae, x), delta: null }))
  const of = (values: Int32Array): Int32Array => chosen.map((n) => values[n])
  const own = { tokens: of(rows.tokens), sequences: of(rows.sequences), indices: of(rows.indices) }
  return spliceHooks(sae, some, async (x): Promise<Splice> => {
    const codes = await encode(sae, x)
    const copy = { ...codes, featureIds: codes.featureIds.slice(), values: codes.values.slice() }
    const edited = decoded(sae, (await edit(copy, own, sae)) ?? copy, x)
    if (!error) return { replacement: edited, delta: null }
    // x + decode(edited) - decode(codes): exactly x where nothing was edited.
    const { kernels } = sae
    const before = decoded(sae, codes, x)
    kernels.scaleInPlace(before, -1)
    kernels.addInPlace(edited, before)
    kernels.free(before)
    return { replacement: null, delta: edited }
  })
}

/** [n, Dout], which the caller frees */
function decoded(sae: Sae, codes: Codes, x: Tensor): Tensor {
  const y = sae.kernels.zeros([x.shape[0], sae.dOut])
  decode(sae, y, codes, x)
  return y
}
