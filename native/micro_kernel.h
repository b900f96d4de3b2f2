// The inner loop of every matrix product: a tile of MR rows by NR columns, kept in registers over the whole depth.
#pragma once
#include "kernels.h"
#include "simd.h"

namespace monosem {
namespace MONOSEM_ISA {

#if defined(__AVX512F__)
constexpr int MR = 14, NV = 2;  // 28 accumulators of 32 registers
#elif defined(__AVX2__)
constexpr int MR = 6, NV = 2;  // 12 of 16
#elif defined(__aarch64__)
constexpr int MR = 6, NV = 4;  // 24 of 32
#else
constexpr int MR = 4, NV = 2;
#endif
constexpr int NR = NV * VL;

static inline int ceilDiv(int a, int b) { return (a + b - 1) / b; }

// One number of each row of a panel. NEON multiplies by a lane of a vector: it reads the numbers as vectors, which takes fewer registers.
struct RowNumbers {
#if defined(__aarch64__)
  vf first, last;
  inline __attribute__((always_inline)) explicit RowNumbers(const float* a) : first(load(a)), last(load(a + MR - VL)) {}
  inline __attribute__((always_inline)) vf operator[](int i) const { return splat(i < VL ? first[i] : last[i - (MR - VL)]); }
#else
  const float* a;
  inline __attribute__((always_inline)) explicit RowNumbers(const float* numbers) : a(numbers) {}
  inline __attribute__((always_inline)) vf operator[](int i) const { return splat(a[i]); }
#endif
};

// The first kRows rows of tile[MR][NR] = sum over k of a[k][MR] (x) b[k][NR]; a and b are packed panels.
template <int kRows>
static inline __attribute__((always_inline)) void multiplyPanels(int depth, const float* __restrict a, const float* __restrict b,
                                                                 vf (&tile)[MR][NV]) {
  vf accumulator[kRows][NV];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; i++)
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) accumulator[i][j] = vf{};
  for (int k = 0; k < depth; k++) {
    RowNumbers rows(a);
    vf columns[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) columns[j] = load(b + j * VL);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; i++) {
      vf row = rows[i];
#pragma GCC unroll 4
      for (int j = 0; j < NV; j++) accumulator[i][j] += row * columns[j];
    }
    a += MR;
    b += NR;
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; i++)
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) tile[i][j] = accumulator[i][j];
}

// As many rows of the tile as are wanted, in steps of two: the last panel of a matrix is seldom full.
template <int kRows = MR>
static inline void microKernel(int rows, int depth, const float* a, const float* b, vf (&tile)[MR][NV]) {
  if constexpr (kRows > 2)
    if (rows <= kRows - 2) return microKernel<kRows - 2>(rows, depth, a, b, tile);
  multiplyPanels<kRows>(depth, a, b, tile);
}

// Packs rows row0 .. row0+MR-1 of A (element strides given) into a panel [depth][MR], zero-padded past `rows`.
static inline void packRows(float* panel, const float* a, ptrdiff_t rowStride, ptrdiff_t columnStride, int rows, int depth) {
  if (columnStride == 1) {
    // 16 deep at a time, so that the strided writes stay in few cache lines
    for (int k0 = 0; k0 < depth; k0 += 16) {
      int k1 = k0 + 16 < depth ? k0 + 16 : depth;
      for (int i = 0; i < MR; i++)
        for (int k = k0; k < k1; k++) panel[k * MR + i] = i < rows ? a[i * rowStride + k] : 0.0f;
    }
    return;
  }
  for (int k = 0; k < depth; k++)
    for (int i = 0; i < MR; i++) panel[k * MR + i] = i < rows ? a[i * rowStride + k * columnStride] : 0.0f;
}

// Packs columns of B (fp32 or bf16) into a panel [depth][NR], zero-padded past `columns`.
template <class Element>
static inline void packColumns(float* panel, const Element* b, ptrdiff_t rowStride, ptrdiff_t columnStride, int columns, int depth) {
  if (columnStride == 1 && columns == NR) {
    for (int k = 0; k < depth; k++)
      for (int j = 0; j < NR; j += VL) store(panel + k * NR + j, load(b + k * rowStride + j));
    return;
  }
  if (rowStride == 1) {
    // reading along the depth, which is contiguous: blocks of 4 columns, 4 deep, are transposed in registers
    int k0 = 0;
    for (; k0 + 4 <= depth; k0 += 4)
      for (int j = 0; j < NR; j += 4) {
        if (j + 4 <= columns) {
          const Element* p = b + j * columnStride + k0;
          transpose4(panel + k0 * NR + j, NR, p, p + columnStride, p + 2 * columnStride, p + 3 * columnStride);
          continue;
        }
        for (int k = k0; k < k0 + 4; k++)
          for (int i = j; i < j + 4; i++) panel[k * NR + i] = i < columns ? widened(b[i * columnStride + k]) : 0.0f;
      }
    for (int k = k0; k < depth; k++)
      for (int j = 0; j < NR; j++) panel[k * NR + j] = j < columns ? widened(b[j * columnStride + k]) : 0.0f;
    return;
  }
  for (int k = 0; k < depth; k++)
    for (int j = 0; j < NR; j++) panel[k * NR + j] = j < columns ? widened(b[k * rowStride + j * columnStride]) : 0.0f;
}

constexpr size_t kStreamingFloats = 4 << 20;

// Asks for the lines of C that a tile is added to or written over, before the tile is computed.
static inline __attribute__((always_inline)) void prefetchTile(const GemmArgs& g, int row, int column) {
  int rows = g.m - row < MR ? g.m - row : MR;
  const float* c = g.c + row * g.cRow + column;
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < NR; j += 16) __builtin_prefetch(c + i * g.cRow + j, 1);
}

// A result larger than the caches goes straight to memory: reading its lines first would double the traffic.
static inline bool isStreamed(const GemmArgs& g, bool add) {
  return !add && static_cast<size_t>(g.m) * g.n >= kStreamingFloats && isStreamable(g.c) && g.cRow % VL == 0;
}

// Adds or writes one tile to C, cutting off the padding.
static inline void writeTile(const GemmArgs& g, vf (&tile)[MR][NV], int row, int column, bool add) {
  int rows = g.m - row < MR ? g.m - row : MR;
  int columns = g.n - column < NR ? g.n - column : NR;
  float* c = g.c + row * g.cRow + column;
  bool streaming = isStreamed(g, add);
  if (columns == NR) {
    for (int i = 0; i < rows; i++)
      for (int j = 0; j < NV; j++) {
        float* p = c + i * g.cRow + j * VL;
        vf value = tile[i][j];
        if (add) value += load(p);
        else if (g.bias) value += load(g.bias + column + j * VL);
        if (streaming) storeStreaming(p, value);
        else store(p, value);
      }
    return;
  }
  float buffer[NR];
  for (int i = 0; i < rows; i++) {
    for (int j = 0; j < NV; j++) store(buffer + j * VL, tile[i][j]);
    for (int j = 0; j < columns; j++) {
      float& out = c[i * g.cRow + j];
      if (add) out += buffer[j];
      else out = g.bias ? buffer[j] + g.bias[column + j] : buffer[j];
    }
  }
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
