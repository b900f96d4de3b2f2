// The parts of an autoencoder's kernels. Data flows: pack -> encode (select) -> decode -> gradient; sae_step.cc puts them together.
#pragma once
#include <math.h>
#include <string.h>

#include "kernels.h"
#include "simd.h"

namespace monosem {
namespace MONOSEM_ISA {

// Which features to encode with: all of them (ids null), or a list.
struct FeatureList {
  const int32_t* ids;
  int count;
};

// What of a feature does not change during a step.
struct FeatureConstants {
  const float* cut;    // [f] the support is where pre is above it
  const float* theta;  // [f] jumprelu, else null
  const float* gain;   // [f] exp(rMag) of gated, else null
  const float* norm;   // [f] norms of decoder rows where the penalty asks for them, else null
};

// Constants of all features in scratch memory; arrays are padded to whole panels.
FeatureConstants featureConstants(const Context&, const SaePointers&, SaeShape, const SaeForm&, SaePenalty, float bandwidth);

// The activation that belongs to a pre-activation of the support.
static inline float activate(const SaeForm& form, const SaePointers& params, const FeatureConstants& constants, int32_t id, float pre) {
  switch (form.kind) {
    case kJumpRelu:
      return pre > constants.theta[id] ? pre : 0.0f;
    case kGated: {
      if (!(pre > 0)) return 0.0f;
      float magnitude = constants.gain[id] * (pre - params.bEnc[id]) + params.bMag[id];
      return magnitude > 0 ? magnitude : 0.0f;
    }
    default:
      return pre > 0 ? pre : 0.0f;
  }
}

// ---- sae_pack.cc ----
bool saeHasPrecision(SaePrecision);
void saeAllocatePacked(SaePacked&);
void saeReleasePacked(SaePacked&);
void saePack(const Context&, SaePacked&, const float* wEnc);
// Packs the features of one panel again; `scratch` holds panelScratchBytes(d).
void packFeaturePanel(SaePacked&, const float* wEnc, int panel, void* scratch);
size_t panelScratchBytes(int d);

// A batch as encoding reads it.
struct PackedRows {
  SaePrecision precision;
  const void* panels;  // [row panel][depth group][row of the panel]
  const float* scale;  // int8: [n] what one unit of an activation is worth
  const int32_t* sum;  // int8: [n] sum of the row's integers
  const float* error;  // [n] by how much a pre-activation may be off, per unit of SaePacked::error
};
PackedRows packBatch(const Context&, const float* centred, int n, int d, const SaePacked& like);

// ---- sae_encode.cc ----
// centred = x - bDec, or x where bDec is null
void centreRows(const Context&, float* centred, const float* x, const float* bDec, int n, int d);
// Fills codes with (feature, pre) of the support of every row, ids ascending. `packed` may be null: W_enc is packed for this call in fp32.
// runningThreshold: a guess for batchtopk, 0 for none; it does not change the result. The k largest are those of all ranks.
void encodeSupport(const Context&, const SaePointers&, SaeShape, const float* centred, FeatureList, const SaeForm&, const FeatureConstants&,
                   const SaePacked* packed, float runningThreshold, const SaeRanks&, Codes& codes);
// How many pairs of this rank's features a scan of `rows` rows, from `firstRow`, should have found (topk: of the k largest of all ranks; else those above
// the cut), and how many of them codes lacks: adds to (checked, missed).
void checkRecall(const Context&, const SaePointers&, SaeShape, const float* centred, const SaeForm&, const float* cut, const SaeRanks&, const Codes& codes, int firstRow, int rows, double& checked,
                 double& missed);
void saeEncode(const Context&, const SaePointers&, SaeShape, const float* x, const SaeForm&, const SaePacked*, const SaeRanks&, Codes&);
void saeEncodeFeatures(const Context&, float* out, const SaePointers&, SaeShape, const float* x, const int32_t* ids, int count, const SaeForm&);

// ---- sae_decode.cc ----
// The activations of a support; the codes' own values where they are the same.
float* activationsOf(const Context&, const Codes& support, const SaeForm&, const SaePointers&, const FeatureConstants&);
// rows of out += sum of values[i] wDec[id]
void decodeInto(const Context&, float* out, const Codes& codes, const float* values, const float* wDec, int n, int d, int f);
void saeAddProducts(const Context&, float* out, const Codes&, const float* x, int features, int d);
void saeAddPairs(const Context&, const SaePairsArgs&, const Codes&, const Codes& columns);
void saeDecode(const Context&, float* xHat, const SaePointers&, SaeShape, const Codes&, const float* x, const SaeRanks&);
void saeCompare(const Context&, float* sums, float* shift, const float* y, const float* xHat, const float* center, int n, int d);
void saeSquaredErrors(const Context&, float* losses, const float* x, const float* xHat, int n, int d);
// out[row] = bDec (+ x wSkip) on the first of the ranks whose reconstructions are summed, 0 on the others
void decodeBase(const Context&, float* out, const SaePointers&, SaeShape, const float* x, const SaeRanks&);

// ---- sae_normalize.cc ----
void saeNormalize(const Context&, float* out, float* offsets, float* scales, const float* x, int n, int d, bool layerNorm);
void saeDenormalizeInPlace(const Context&, float* y, const float* offsets, const float* scales, int n, int d);

// ---- sae_dense.cc and sae_step.cc ----
void saeStep(const Context&, const SaeStepArgs&, SaeStepStats&);

// A positive value and its id as one number: larger values first, lower ids among equals.
static inline uint64_t keyOf(float value, int32_t id) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return static_cast<uint64_t>(bits) << 32 | static_cast<uint32_t>(~id);
}
static inline int32_t idOfKey(uint64_t key) { return static_cast<int32_t>(~static_cast<uint32_t>(key)); }
static inline float valueOfKey(uint64_t key) {
  uint32_t bits = static_cast<uint32_t>(key >> 32);
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

// Drops the pairs i for which keep(row, i) is false; it is asked in order, before pair i is overwritten.
template <class Keep>
inline void filterCodes(Codes& codes, Keep keep) {
  int kept = 0;
  for (int row = 0, i = 0; row < codes.rows; row++) {
    for (int end = codes.rowOffsets[row + 1]; i < end; i++) {
      if (!keep(row, i)) continue;
      codes.featureIds[kept] = codes.featureIds[i];
      codes.values[kept++] = codes.values[i];
    }
    codes.rowOffsets[row + 1] = kept;
  }
  codes.count = kept;
}

// Calls body(row) for all rows; rows are grouped into tasks.
template <class Body>
inline void forRows(const Context& context, int n, Body body) {
  constexpr int kRows = 16;
  parallelFor(context, (n + kRows - 1) / kRows, [&](int task, int) {
    for (int row = task * kRows; row < n && row < (task + 1) * kRows; row++) body(row);
  });
}

template <class T>
inline T* scratchArray(const Context& context, int slot, size_t count) {
  return static_cast<T*>(scratchBytes(context.scratch, slot, sizeof(T) * (count ? count : 1)));
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
