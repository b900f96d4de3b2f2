// Tiles in bf16 (BFDOT) and int8 (SDOT): extensions of Armv8.2 that a processor may have. This file alone is compiled with them.
#include "sae_tile.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

static_assert(MR == 6 && NV == 4, "the rows of a group are read as two vectors");

// sums[i][.] = add(sums[i][.], columns, lane of the row i): the instructions take one lane of a vector as it is
#define MONOSEM_ROW(add, i, rows, lane) \
  for (int j = 0; j < NV; j++) sums[i][j] = add(sums[i][j], columns[j], rows, lane)
#define MONOSEM_ROWS(add)       \
  MONOSEM_ROW(add, 0, first, 0); \
  MONOSEM_ROW(add, 1, first, 1); \
  MONOSEM_ROW(add, 2, first, 2); \
  MONOSEM_ROW(add, 3, first, 3); \
  MONOSEM_ROW(add, 4, last, 2);  \
  MONOSEM_ROW(add, 5, last, 3)

void multiplyBf16(int64_t groups, const uint32_t* a, const uint32_t* b, float* tile) {
  auto four = [](const uint32_t* p) { return vreinterpretq_bf16_u32(vld1q_u32(p)); };
  float32x4_t sums[MR][NV];
#pragma GCC unroll 6
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) sums[i][j] = vdupq_n_f32(0);
  for (; groups > 0; groups--, a += MR, b += NR) {
    bfloat16x8_t first = four(a), last = four(a + 2);
    bfloat16x8_t columns[NV] = {four(b), four(b + 4), four(b + 8), four(b + 12)};
    MONOSEM_ROWS(vbfdotq_laneq_f32);
  }
#pragma GCC unroll 6
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) vst1q_f32(tile + i * NR + j * VL, sums[i][j]);
}

void multiplyInt8(int64_t groups, const uint32_t* a, const uint32_t* b, const int32_t* start, int32_t* tile) {
  auto four = [](const uint32_t* p) { return vreinterpretq_s8_u32(vld1q_u32(p)); };
  int32x4_t sums[MR][NV];
#pragma GCC unroll 6
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) sums[i][j] = vdupq_n_s32(start[i]);
  for (; groups > 0; groups--, a += MR, b += NR) {
    int8x16_t first = four(a), last = four(a + 2);
    int8x16_t columns[NV] = {four(b), four(b + 4), four(b + 8), four(b + 12)};
    MONOSEM_ROWS(vdotq_laneq_s32);
  }
#pragma GCC unroll 6
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) vst1q_s32(tile + i * NR + j * VL, sums[i][j]);
}

}  // namespace

extern const SaeTiles kTiles;
const SaeTiles kTiles = {multiplyBf16, multiplyInt8};

}  // namespace MONOSEM_ISA
}  // namespace monosem
