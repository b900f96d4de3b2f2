// The second half of a step: gradients feature by feature, used at once and never stored.
#pragma once
#include "adam.h"
#include "sae_pair.h"
#include "sae_sort.h"

namespace monosem {
namespace MONOSEM_ISA {

// One pair as the feature loop reads it.
struct Entry {
  int32_t row;
  float pre;
};

using ByFeature = SortedByFeature<Entry>;
static inline ByFeature sortByFeature(const Context& context, const Codes& codes, int f) {
  return sortPairsByFeature<Entry>(context, codes, f, [&](int row, int i) { return Entry{row, codes.values[i]}; });
}

// The pairs of a support as they are, and in which part of a row the features from a multiple of kMostFeatures on are found.
struct ByRow {
  const Codes* codes = nullptr;
  const int32_t* starts = nullptr;  // [ceil(f / kMostFeatures) + 1][rows]
};
constexpr int kMostFeatures = 512;  // of a task
ByRow cutByFeatures(const Context&, const Codes&, int f);

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
  ByFeature main;            // few pairs, or
  ByRow many;                // many
  ByFeature auxiliary;       // offsets is null without AuxK
  const float* auxErrors;    // [n, dOut]
};

// Which prefix a feature of this rank belongs to first.
static inline int prefixOf(const SaeStepArgs& a, int feature) {
  int p = 0;
  while (a.ranks.firstFeature + feature >= a.prefixes[p]) p++;
  return p;
}

// Where the gradients of one feature are formed; sums is null where the feature has no place.
struct FeatureGradients {
  float *dec, *enc;  // [dOut], [d]
  FeatureSums* sums;
};

// What a pass over the features leaves behind, one of each per panel.
struct PassTotals {
  float* bias;  // [panels][dOut] gradient of b_dec through the encoder
  double *squares, *penalty, *gap, *active;
  int* largest;
};

// One pass over the features: whether it updates them, and by what gradients are multiplied.
struct Pass {
  bool update;
  float scale;
  AdamFactors adam;
  PassTotals totals;
};

// ---- sae_update.cc ----
// Gradients and updates of all parameters. dense: the pairs are found by multiplying matrices instead of from the step's.
// The statistics that it leaves (sparsity, preActLoss, l0, maxDensity) are those of this rank's features on the rows of all replicas.
void updateAll(Step& step, bool dense);
// Gradients of the features first .. first + count - 1 from this rank's pairs, those of AuxK included. Those without a place are left out:
// they have no pairs. count <= kMostFeatures; memory holds formingFloats(step, count).
void formGradients(const Step& step, int first, int count, const FeatureGradients* places, float* memory);
size_t formingFloats(const Step& step, int count);
// How many of `features` make a task: whole panels, at most kMostFeatures
int featuresPerTask(const Step& step, int features);
// AuxK's pairs reach the same parameters, but make no feature active.
void addAuxiliaryPairs(const Step& step, int j, const FeatureGradients&);
// What is done with the sums over the pairs of all rows; changes them.
void finishFeature(const Step& step, const Pass& pass, int panel, int j, const FeatureGradients&);

// ---- sae_blocked.cc ----
// Whether pairs are so many that features are best formed from blocks of rows.
bool isBlocked(const Codes& support, int f);
// Adds the pairs of the features first .. first + count - 1; memory holds blockedFloats(shape, count).
void formBlocked(const Step& step, int first, int count, const FeatureGradients* places, float* memory);
size_t blockedFloats(const SaeShape&, int count);

// ---- sae_replicas.cc ----
// before[j] [f + 1]: how many of the features before j have pairs on any replica; to be freed
int32_t* featuresToExchange(const Step& step, bool dense);
// One pass over the features where other ranks have the same ones
void replicasPass(Step& step, const Pass& pass, const int32_t* before, bool dense);
// Gradients summed over the replicas, in the number format that they cross in
void sumGradients(const SaeRanks& ranks, float* gradients, int64_t count);

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
