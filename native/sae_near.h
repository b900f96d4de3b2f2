// Sums over lists of pairs where the same rows are met again and again. Blocks of them are copied so that one chunk of all rows of a block stays
// in L1 while many lists pass over it: a core reads a vector per multiply-add from there, but only half of one from L2.
#pragma once
#include "micro_kernel.h"

namespace monosem {
namespace MONOSEM_ISA {

constexpr int kNearRows = 128;
constexpr int kChunkVectors = 4, kChunk = kChunkVectors * VL;  // near rows take 32 KB a chunk with AVX-512; a sum and its partner fit in registers

static inline size_t nearFloats(int width) { return static_cast<size_t>(kNearRows) * kChunk * ((width + kChunk - 1) / kChunk); }

// near [chunk][kNearRows][kChunk] = rows [count, width], with zeros behind the width
static inline void copyNear(float* near, const float* rows, int count, int width) {
  for (int r = 0; r < count; r++)
    for (int c = 0; c < width; c += kChunk) {
      const float* from = rows + static_cast<size_t>(r) * width + c;
      float* to = near + static_cast<size_t>(c) * kNearRows + r * kChunk;
      if (width - c < kChunk) {
        memset(to, 0, sizeof(float) * kChunk);
        memcpy(to, from, sizeof(float) * (width - c));
        continue;
      }
      for (int i = 0; i < kChunk; i += VL) store(to + i, load(from + i));
    }
}

constexpr int kMostLists = 512;  // that a task passes over the near rows

// Which near rows belong to list k: those of the pairs begins[k] .. begins[k + 1] - 1.
struct PairLists {
  int32_t begins[kMostLists + 2];  // the last is for counting
  int32_t* rows;                   // [pairs] place among the near rows
};

// How many of `all` make a task, so that threads have equal parts and no task has more than `most`.
static inline int evenShare(const Context& context, int all, int most) {
  int threads = poolThreads(context.pool);
  return ceilDiv(all, threads * ceilDiv(all, threads * most));
}

// One list, one chunk: sum += weights[i] row i, dots[i] += along . row i
template <bool kSum, bool kDots>
static void passChunk(float* sum, const float* weights, const float* along, float* dots, const float* near, const int32_t* rows, int begin, int end) {
  vf total[kChunkVectors], direction[kChunkVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kChunkVectors; v++) {
    if (kSum) total[v] = load(sum + v * VL);
    if (kDots) direction[v] = load(along + v * VL);
  }
  for (int i = begin; i < end; i++) {
    const float* row = near + rows[i] * kChunk;
    vf weight = kSum ? splat(weights[i]) : vf{}, product[kChunkVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kChunkVectors; v++) {
      vf x = load(row + v * VL);
      if (kSum) total[v] += weight * x;
      if (kDots) product[v] = v < 2 ? direction[v] * x : product[v - 2] + direction[v] * x;
    }
    if (kDots) dots[i] += horizontalSum(product[kChunkVectors - 2] + product[kChunkVectors - 1]);
  }
#pragma GCC unroll 4
  for (int v = 0; v < kChunkVectors; v++)
    if (kSum) store(sum + v * VL, total[v]);
}

// For the lists from .. to - 1: sums[k] [width] += weights[i] row i and dots[i] += along[k] [width] . row i, over the pairs i of list k.
template <bool kSum, bool kDots>
static inline void passNear(const float* near, int width, const PairLists& lists, int from, int to, float* const* sums, const float* weights,
                            const float* const* along, float* dots) {
  for (int c = 0; c < width; c += kChunk, near += kNearRows * kChunk) {
    int rest = width - c;
    for (int k = from; k < to; k++) {
      int begin = lists.begins[k], end = lists.begins[k + 1];
      if (begin == end) continue;
      float* sum = kSum ? sums[k] + c : nullptr;
      const float* direction = kDots ? along[k] + c : nullptr;
      if (rest >= kChunk) {
        passChunk<kSum, kDots>(sum, weights, direction, dots, near, lists.rows, begin, end);
        continue;
      }
      float paddedSum[kChunk] = {}, paddedDirection[kChunk] = {};
      if (kSum) memcpy(paddedSum, sum, sizeof(float) * rest);
      if (kDots) memcpy(paddedDirection, direction, sizeof(float) * rest);
      passChunk<kSum, kDots>(paddedSum, weights, paddedDirection, dots, near, lists.rows, begin, end);
      if (kSum) memcpy(sum, paddedSum, sizeof(float) * rest);
    }
  }
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
