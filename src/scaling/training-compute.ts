/**
 * Training compute of one token, FLOP: what the dense products of a step take, encoder and decoder forward (2 D F each) and the gradients
 * of the activations, the decoder and the encoder (2 D F each). Proportional to the number of features, so that compute is features x
 * tokens up to a constant, as in Templeton et al. 2024. Our own step skips most of it where codes are sparse; see `stepCost`.
 */
export const denseFlopsPerToken = (d: number, features: number): number => 10 * d * features
