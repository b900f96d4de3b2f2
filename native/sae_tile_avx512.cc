// Tiles in bf16 (AVX512_BF16) and int8 (AVX512_VNNI).
#include "sae_tile.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

static_assert(MR == 14 && NR == 32, "the loop is written for this tile");

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

void multiplyBf16(int64_t groups, const uint32_t* a, const uint32_t* b, float* tile) {
  for (int i = 0; i < MR * NR; i++) tile[i] = 0;
  MONOSEM_TILE_LOOP("vdpbf16ps", groups, a, b, tile);
}

void multiplyInt8(int64_t groups, const uint32_t* a, const uint32_t* b, const int32_t* start, int32_t* tile) {
  for (int i = 0; i < MR; i++)
    for (int j = 0; j < NR; j++) tile[i * NR + j] = start[i];
  MONOSEM_TILE_LOOP("vpdpbusd", groups, a, b, tile);
}

}  // namespace

extern const SaeTiles kTiles;
const SaeTiles kTiles = {multiplyBf16, multiplyInt8};

}  // namespace MONOSEM_ISA
}  // namespace monosem
