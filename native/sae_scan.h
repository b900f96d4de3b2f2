// The loop over all (row, feature) pairs: tiles of pre-activations that never leave the registers, in fp32, bf16 or int8.
#pragma once
#include "sae.h"
#include "sae_tile.h"

namespace monosem {
namespace MONOSEM_ISA {

// Everything a scan reads. Features are numbered by their place in `features`.
struct ScanJob {
  SaePrecision precision;
  const void *rows, *weights;  // packed panels
  int n, d;
  FeatureList features;
  const float* bEnc;
  // low precision only
  const float *rowScale, *rowError, *weightScale, *weightError;
  const int32_t* rowSum;
};

// Pre-activations of one tile without bias.
template <SaePrecision precision>
static inline __attribute__((always_inline)) void scanTile(const ScanJob& job, int rowPanel, int featurePanel, vf (&tile)[MR][NV]) {
  if constexpr (precision == kFp32) {
    multiplyPanels<MR>(job.d, static_cast<const float*>(job.rows) + static_cast<size_t>(rowPanel) * MR * job.d,
                static_cast<const float*>(job.weights) + static_cast<size_t>(featurePanel) * NR * job.d, tile);
  }
  if constexpr (precision == kBf16Panels && kHasBf16) {
    int groups = (job.d + 1) / 2;
    microKernelBf16(groups, static_cast<const uint32_t*>(job.rows) + static_cast<size_t>(rowPanel) * MR * groups,
                    static_cast<const uint32_t*>(job.weights) + static_cast<size_t>(featurePanel) * NR * groups, tile);
  }
  if constexpr (precision == kInt8Panels && kHasInt8) {
    int groups = (job.d + 3) / 4, row0 = rowPanel * MR;
    int32_t start[MR];
    for (int i = 0; i < MR; i++) start[i] = row0 + i < job.n ? -128 * job.rowSum[row0 + i] : 0;
    vi integers[MR][NV];
    microKernelInt8(groups, static_cast<const uint32_t*>(job.rows) + static_cast<size_t>(rowPanel) * MR * groups,
                    static_cast<const uint32_t*>(job.weights) + static_cast<size_t>(featurePanel) * NR * groups, start, integers);
    for (int i = 0; i < MR; i++) {
      float unit = row0 + i < job.n ? job.rowScale[row0 + i] : 0.0f;
      for (int v = 0; v < NV; v++) tile[i][v] = __builtin_convertvector(integers[i][v], vf) * (unit * load(job.weightScale + featurePanel * NR + v * VL));
    }
  }
}

// Calls keep(row, index, mask, value) for the vectors of pre-activations (of VL features from `index`) of which some lanes, those of the mask, may
// be worth more than threshold(row, index): what they are below fp32 is known within a margin, and value is the least that it can be.
template <SaePrecision precision, class Threshold, class Keep>
void scanPairs(const ScanJob& job, int panel0, int panel1, Threshold threshold, Keep keep) {
  for (int featurePanel = 0; featurePanel * NR < job.features.count; featurePanel++) {
    int first = featurePanel * NR;
    float bias[NR];
    for (int j = 0; j < NR; j++) {
      int index = first + j;
      // padding columns can never be active
      bias[j] = index >= job.features.count ? -__builtin_inff() : job.bEnc[job.features.ids ? job.features.ids[index] : index];
    }
    for (int panel = panel0; panel < panel1; panel++) {
      vf tile[MR][NV];
      scanTile<precision>(job, panel, featurePanel, tile);
      int rows = job.n - panel * MR < MR ? job.n - panel * MR : MR;
      for (int i = 0; i < rows; i++)
        for (int v = 0; v < NV; v++) {
          int row = panel * MR + i, index = first + v * VL;
          vf pre = tile[i][v] + load(bias + v * VL), margin{};
          if constexpr (precision != kFp32) margin = job.rowError[row] * load(job.weightError + index);
          uint32_t mask = greaterMask(pre + margin, threshold(row, index));
          if (__builtin_expect(mask, 0)) keep(row, index, mask, pre - margin);
        }
    }
  }
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
