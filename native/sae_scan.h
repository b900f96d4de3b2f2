// The loop over all (row, feature) pairs: tiles of pre-activations that never leave the registers, in fp32, bf16 or int8.
#pragma once
#include "micro_kernel.h"
#include "sae.h"

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

#if defined(__AVX512BF16__) && defined(__AVX512VNNI__)
// The loop over the depth for 14 rows and 32 features, 28 accumulators in zmm0 to zmm27. It is assembly because GCC 12 spills the
// accumulators around the intrinsics (and around smaller pieces of assembly).
#define MONOSEM_ROW(op, offset, first, second)        \
  op " " offset "(%[a])%{1to16%}, %%zmm28, %%zmm" first "\n" \
  op " " offset "(%[a])%{1to16%}, %%zmm29, %%zmm" second "\n"
#define MONOSEM_PAIR(op, at, first, second) op " " at "*64(%[tile]), %%zmm" first "\n" op " " at "*64+64(%[tile]), %%zmm" second "\n"
#define MONOSEM_STORE(at, first, second) "vmovaps %%zmm" first ", " at "*64(%[tile])\n vmovaps %%zmm" second ", " at "*64+64(%[tile])\n"
#define MONOSEM_TILE_LOOP(op, groups, a, b, tile)                                                                                          \
  asm volatile(                                                                                                                            \
      MONOSEM_PAIR("vmovaps", "0", "0", "1") MONOSEM_PAIR("vmovaps", "2", "2", "3") MONOSEM_PAIR("vmovaps", "4", "4", "5")                 \
      MONOSEM_PAIR("vmovaps", "6", "6", "7") MONOSEM_PAIR("vmovaps", "8", "8", "9") MONOSEM_PAIR("vmovaps", "10", "10", "11")              \
      MONOSEM_PAIR("vmovaps", "12", "12", "13") MONOSEM_PAIR("vmovaps", "14", "14", "15") MONOSEM_PAIR("vmovaps", "16", "16", "17")        \
      MONOSEM_PAIR("vmovaps", "18", "18", "19") MONOSEM_PAIR("vmovaps", "20", "20", "21") MONOSEM_PAIR("vmovaps", "22", "22", "23")        \
      MONOSEM_PAIR("vmovaps", "24", "24", "25") MONOSEM_PAIR("vmovaps", "26", "26", "27")                                                  \
      "1:\n"                                                                                                                               \
      "vmovups (%[b]), %%zmm28\n vmovups 64(%[b]), %%zmm29\n"                                                                              \
      MONOSEM_ROW(op, "0", "0", "1") MONOSEM_ROW(op, "4", "2", "3") MONOSEM_ROW(op, "8", "4", "5") MONOSEM_ROW(op, "12", "6", "7")         \
      MONOSEM_ROW(op, "16", "8", "9") MONOSEM_ROW(op, "20", "10", "11") MONOSEM_ROW(op, "24", "12", "13") MONOSEM_ROW(op, "28", "14", "15") \
      MONOSEM_ROW(op, "32", "16", "17") MONOSEM_ROW(op, "36", "18", "19") MONOSEM_ROW(op, "40", "20", "21")                                \
      MONOSEM_ROW(op, "44", "22", "23") MONOSEM_ROW(op, "48", "24", "25") MONOSEM_ROW(op, "52", "26", "27")                                \
      "add $56, %[a]\n add $128, %[b]\n dec %[count]\n jnz 1b\n"                                                                          \
      MONOSEM_STORE("0", "0", "1") MONOSEM_STORE("2", "2", "3") MONOSEM_STORE("4", "4", "5") MONOSEM_STORE("6", "6", "7")                  \
      MONOSEM_STORE("8", "8", "9") MONOSEM_STORE("10", "10", "11") MONOSEM_STORE("12", "12", "13") MONOSEM_STORE("14", "14", "15")         \
      MONOSEM_STORE("16", "16", "17") MONOSEM_STORE("18", "18", "19") MONOSEM_STORE("20", "20", "21") MONOSEM_STORE("22", "22", "23")      \
      MONOSEM_STORE("24", "24", "25") MONOSEM_STORE("26", "26", "27")                                                                      \
      : [a] "+r"(a), [b] "+r"(b), [count] "+r"(groups)                                                                                     \
      : [tile] "r"(tile)                                                                                                                   \
      : "memory", "cc", "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7", "zmm8", "zmm9", "zmm10", "zmm11", "zmm12",          \
        "zmm13", "zmm14", "zmm15", "zmm16", "zmm17", "zmm18", "zmm19", "zmm20", "zmm21", "zmm22", "zmm23", "zmm24", "zmm25", "zmm26",      \
        "zmm27", "zmm28", "zmm29")

// The same tile as microKernel on pairs of bf16.
static inline void microKernelBf16(int64_t groups, const uint32_t* a, const uint32_t* b, vf (&tile)[MR][NV]) {
  static_assert(MR == 14 && NR == 32, "the loop is written for this tile");
  for (int i = 0; i < MR; i++)
    for (int j = 0; j < NV; j++) tile[i][j] = vf{};
  MONOSEM_TILE_LOOP("vdpbf16ps", groups, a, b, tile);
}

// The same on groups of four: weights are unsigned (offset by 128), activations signed; `start` takes the offset away again.
static inline void microKernelInt8(int64_t groups, const uint32_t* a, const uint32_t* b, const int32_t* start, vi (&tile)[MR][NV]) {
  for (int i = 0; i < MR; i++)
    for (int j = 0; j < NV; j++) tile[i][j] = vi{} + start[i];
  MONOSEM_TILE_LOOP("vpdpbusd", groups, a, b, tile);
}
#endif

// Pre-activations of one tile without bias.
template <SaePrecision precision>
static inline __attribute__((always_inline)) void scanTile(const ScanJob& job, int rowPanel, int featurePanel, vf (&tile)[MR][NV]) {
  if constexpr (precision == kFp32) {
    multiplyPanels<MR>(job.d, static_cast<const float*>(job.rows) + static_cast<size_t>(rowPanel) * MR * job.d,
                static_cast<const float*>(job.weights) + static_cast<size_t>(featurePanel) * NR * job.d, tile);
  }
#if defined(__AVX512BF16__) && defined(__AVX512VNNI__)
  if constexpr (precision == kBf16Panels) {
    int groups = (job.d + 1) / 2;
    microKernelBf16(groups, static_cast<const uint32_t*>(job.rows) + static_cast<size_t>(rowPanel) * MR * groups,
                    static_cast<const uint32_t*>(job.weights) + static_cast<size_t>(featurePanel) * NR * groups, tile);
  }
  if constexpr (precision == kInt8Panels) {
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
#endif
}

// Calls keep(row, index, pre) for the pairs whose pre-activation, as this precision sees it, is above threshold(row, featurePanel, v).
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
          int row = panel * MR + i;
          vf pre = tile[i][v] + load(bias + v * VL);
          uint32_t mask = greaterMask(pre, threshold(row, first + v * VL));
          if (__builtin_expect(!mask, 1)) continue;
          float lanes[VL];
          store(lanes, pre);
          for (; mask; mask &= mask - 1) {
            int lane = __builtin_ctz(mask);
            keep(row, first + v * VL + lane, lanes[lane]);
          }
        }
    }
  }
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
