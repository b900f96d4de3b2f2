// Tiles in int8. The instruction has two encodings: AVX-VNNI (client processors without AVX-512) and AVX512_VNNI with AVX512VL.
#include "sae_tile.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

enum Encoding { kVex, kEvex };

// sum += unsigned bytes of weights x signed bytes of activations, four at a time
template <Encoding encoding>
inline __attribute__((always_inline)) void addProducts(vi& sum, vi weights, vi activations) {
  if constexpr (encoding == kVex) asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(weights), "x"(activations));
  else asm("%{evex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(weights), "x"(activations));
}

template <Encoding encoding>
void multiplyInt8(int64_t groups, const uint32_t* a, const uint32_t* b, const int32_t* start, int32_t* tile) {
  vi sums[MR][NV];
#pragma GCC unroll 6
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 2
    for (int j = 0; j < NV; j++) sums[i][j] = vi{} + start[i];
  for (; groups > 0; groups--, a += MR, b += NR) {
    vi columns[NV];
#pragma GCC unroll 2
    for (int j = 0; j < NV; j++) columns[j] = load(reinterpret_cast<const int32_t*>(b) + j * VL);
#pragma GCC unroll 6
    for (int i = 0; i < MR; i++) {
      vi row = vi{} + static_cast<int32_t>(a[i]);
#pragma GCC unroll 2
      for (int j = 0; j < NV; j++) addProducts<encoding>(sums[i][j], columns[j], row);
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 2
    for (int j = 0; j < NV; j++) store(tile + i * NR + j * VL, sums[i][j]);
}

}  // namespace

extern const SaeTiles kTilesVex, kTilesEvex;
#if MONOSEM_AVXVNNI
const SaeTiles kTilesVex = {nullptr, multiplyInt8<kVex>};
#else
const SaeTiles kTilesVex = {nullptr, nullptr};  // the assembler does not know it
#endif
const SaeTiles kTilesEvex = {nullptr, multiplyInt8<kEvex>};

}  // namespace MONOSEM_ISA
}  // namespace monosem
