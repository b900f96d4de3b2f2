// Synthetic activations with known features: equations in src/kernels/synthetic-kernels.ts.
#pragma once
#include "kernels.h"

namespace monosem {

// Features without a parent are looked at 64 at a time: 16 blocks of Philox with 4 words each, word after word.
constexpr int kSyntheticBlocks = 16, kSyntheticGroup = 64;
constexpr int kLargestRank = 256;

// What decides about one feature lies together, because it is rarely in the cache.
struct SyntheticFeature {
  double threshold, residual, mean, std;
  const int16_t* loadings() const { return reinterpret_cast<const int16_t*>(this + 1); }
};

// A law with the tables that the kernels read; addon_synthetic.cc owns the memory.
struct SyntheticLaw {
  int features, d, rank;
  Weights directions;  // [features, d]
  const float* bias;   // [d]
  const int32_t *childOffsets, *childIds;
  // [features] records of `stride` bytes: a SyntheticFeature, then its 2 * pairs loadings, zeros at the end
  const char* records;
  int stride;
  bool exclusive, scaled;
  // Features without a parent, in groups; lanes of other features have a threshold that nothing reaches.
  int groups, pairs;
  const uint32_t* blocks;         // [groups * 16] block of Philox: feature = 4 block + word
  const int16_t* groupLoadings;   // [groups, pairs, 64, 2]: two common factors at a time
  const float* groupThresholds;   // [groups * 64] a little below the threshold
  const float* groupReach;        // [groups * 64] a little above 2 ln 2 residual^2
};

inline const SyntheticFeature& featureOf(const SyntheticLaw& law, int id) {
  return *reinterpret_cast<const SyntheticFeature*>(law.records + static_cast<int64_t>(id) * law.stride);
}

namespace MONOSEM_ISA {
void syntheticSample(const Context&, const SyntheticLaw&, uint64_t seed, uint64_t offset, int n, float* x, Codes* codes);
}

}  // namespace monosem
