import type { ActivationSource } from '../sae/activation-source.js'

/** What a source says of its activations in the `metadata` of the saved autoencoder; the keys are SAELens's. */
export function sourceMetadata(about: {
  modelName: string
  hookName: string
  targetHookName: string
  contextSize: number
  prependBos: boolean
}): NonNullable<ActivationSource['metadata']> {
  const { modelName, hookName, targetHookName, contextSize, prependBos } = about
  return {
    model_name: modelName,
    hook_name: hookName,
    ...(targetHookName !== hookName && { hook_name_out: targetHookName }),
    context_size: contextSize,
    prepend_bos: prependBos,
  }
}
