// Tiles of products below fp32: the tile of micro_kernel.h on panels of 32-bit groups (2 bf16, 4 int8). They are compiled per
// extension of an instruction set (sae_tile_avx512.cc and its neighbours) and reached through Context::tiles: one call is a whole
// tile, so everything else of an instruction set is compiled once for processors with and without the extension.
#pragma once
#include "micro_kernel.h"

namespace monosem {
namespace MONOSEM_ISA {

// What is added to int8 weights so that their sign is what the instruction wants: x86 multiplies unsigned by signed numbers. A tile
// starts from -kWeightOffset times the sum of the row's activations, which takes it away again.
#if defined(__aarch64__)
constexpr int kWeightOffset = 0;
#else
constexpr int kWeightOffset = 128;
#endif

// How far rounding takes a sum of products of bf16 in fp32: after `groups` steps of two products it is off by at most
// kBf16Rounding (groups + 1) 2^-24 times the sum of the products' magnitudes, terms of the second order (their square) left out. The
// products are exact. VDPBF16PS adds the upper, then the lower one, rounding to nearest even: two units a step. BFDOT adds them to each
// other, then both to the sum, rounding to odd, which may be off by two units: two a step, and two in all for the pairs. Both
// take denormal numbers for 0, which this leaves out (Intel's and Arm's reference manuals, under these names).
constexpr float kBf16Rounding = 2;

}  // namespace MONOSEM_ISA
}  // namespace monosem
