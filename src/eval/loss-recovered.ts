/** Mean next-token cross-entropy in nats under four versions of one activation. */
export interface SplicedLosses {
  /** the activation as it is */
  clean: number
  /** the activation replaced by the autoencoder's reconstruction */
  spliced: number
  /** replaced by zero */
  zeroAblated: number
  /** replaced by its mean over the sample */
  meanAblated: number
}

/**
 * The share of an ablation's damage that the reconstruction avoids: (ablated - spliced) / (ablated - clean).
 * 1 is a perfect splice, 0 is no better than the ablation, below 0 is worse. Null when the ablation does no
 * damage, since then there is nothing to recover.
 */
export function lossRecovered(clean: number, spliced: number, ablated: number): number | null {
  return ablated > clean ? (ablated - spliced) / (ablated - clean) : null
}
