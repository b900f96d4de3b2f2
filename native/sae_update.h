// The second half of a step: gradients feature by feature, used at once and never stored.
#pragma once
#include "adam.h"
#include "sae_pair.h"

namespace monosem {
namespace MONOSEM_ISA {

// One pair as the feature loop reads it.
struct Entry {
  int32_t row;
  float pre;
};

// The pairs of a support sorted by feature, rows ascending.
struct ByFeature {
  int32_t* offsets = nullptr;  // [f + 1]
  Entry* entries = nullptr;
};
ByFeature sortByFeature(const Context&, const Codes&, int f);

// One step on its way.
struct Step {
  const Context& context;
  const SaeStepArgs& a;
  SaeStepStats& stats;
  PairRule rule;
  FeatureConstants constants;
  const float* centred;      // [n, d] what the encoder reads
  float* errors;             // [prefixes][n, dOut]: for a feature, the sum over its prefixes of 2/N (xHat - y)
  float* gateErrors;         // [n, dOut] of gated, else null
  const float* columnSum;    // [d] of centred, where there is a pre-activation penalty, else null
  ByFeature main, auxiliary; // auxiliary.offsets is null without AuxK
  const float* auxErrors;    // [n, dOut]
};

// Which prefix a feature belongs to first.
static inline int prefixOf(const SaeStepArgs& a, int feature) {
  int p = 0;
  while (feature >= a.prefixes[p]) p++;
  return p;
}

// Gradients and updates of all parameters. dense: the pairs are found by multiplying matrices instead of from step.main.
void updateAll(Step& step, bool dense);

// ---- sae_dense.cc ----
constexpr int kDenseFeatures = 512;  // features per block, a multiple of every NR
// errors += activations of all features times W_dec, and the gate's; as decodeInto would from a support
void denseForward(Step& step);
// gDec [features, dOut], gEnc [features, d] and sums [features] of the features first .. first + count - 1
void denseGradients(Step& step, int first, int count, float* gDec, float* gEnc, FeatureSums* sums);

static inline FeatureValues featureValues(const Step& step, int j) {
  const SaePointers& p = step.a.params;
  const FeatureConstants& c = step.constants;
  return {c.theta ? c.theta[j] : 0.0f, c.gain ? c.gain[j] : 0.0f, c.norm ? c.norm[j] : 0.0f, p.bEnc[j], p.bMag ? p.bMag[j] : 0.0f};
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
