import type { RandomizeConfig } from '../model/randomize-config.js'
import type { BaselineName } from './baselines-config.js'

/** What sets a baseline apart. */
export interface BaselineKind {
  /** how tables and sentences call it */
  label: string
  /** basis: fitted, not trained; frozen: trained on the same activations; model: trained on those of a model without training */
  made: 'basis' | 'frozen' | 'model'
  /** how the model was robbed of what it learned */
  method?: RandomizeConfig['method']
  /** what it is and what it is good for, in a sentence */
  meaning: string
}

export const baselineKinds: Record<BaselineName, BaselineKind> = {
  'frozen-decoder': {
    label: 'frozen random decoder',
    made: 'frozen',
    meaning:
      'the same autoencoder whose decoder stays at its random start: what reconstruction owes to the encoder and to the number of directions alone',
  },
  pca: {
    label: 'principal components',
    made: 'basis',
    meaning: 'on every token the k components with the largest magnitude, k the L0 of the dictionary',
  },
  neurons: {
    label: 'neuron basis',
    made: 'basis',
    meaning: 'on every token the k neurons furthest from their mean, k the L0 of the dictionary',
  },
  'random-init': {
    label: 'model at step 0',
    made: 'model',
    method: 'init',
    meaning: 'the same autoencoder trained on a model that was initialised and never trained',
  },
  shuffled: {
    label: 'shuffled weights',
    made: 'model',
    method: 'shuffle',
    meaning: 'the same autoencoder trained on the model with the entries of each weight matrix shuffled',
  },
  're-randomized': {
    label: 're-randomised weights',
    made: 'model',
    method: 'gaussian',
    meaning:
      'the same autoencoder trained on a model whose matrices are drawn with the mean and the deviation of the trained ones',
  },
}
