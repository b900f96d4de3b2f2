// Causal attention (Vaswani et al. 2017). q, k, v, z [b*t, h*dh], pattern [b, h, t, t]. One task per (sequence, head): five small
// matrix products that skip what lies above the diagonal.
#include <math.h>

#include "micro_kernel.h"
#include "transformer.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

struct Head {
  int stride;     // between positions
  size_t offset;  // of position 0 of this head
};

inline Head headOf(int task, int t, int h, int dh) {
  int sequence = task / h, head = task % h;
  return {h * dh, (static_cast<size_t>(sequence) * t * h + head) * dh};
}

enum Triangle {
  kLowerResult,   // only C[i, j] with j <= i matters
  kLowerLeft,     // A[i, k] is zero for k > i
  kUpperLeft,     // A[i, k] is zero for k < i
};

size_t panelFloats(int t, int dh) {
  size_t longest = t > dh ? t : dh;
  return (longest + MR + NR) * longest;
}

// C = A B on one thread; `panels` holds 2 * panelFloats.
void triangularProduct(const GemmArgs& g, Triangle triangle, float* panels, size_t half) {
  float *packedA = panels, *packedB = panels + half;
  int rowPanels = ceilDiv(g.m, MR), columnPanels = ceilDiv(g.n, NR);
  for (int i = 0; i < rowPanels; i++)
    packRows(packedA + static_cast<size_t>(i) * MR * g.k, g.a + i * MR * g.aRow, g.aRow, g.aColumn, g.m - i * MR < MR ? g.m - i * MR : MR, g.k);
  for (int j = 0; j < columnPanels; j++)
    packColumns(packedB + static_cast<size_t>(j) * NR * g.k, g.b + j * NR * g.bColumn, g.bRow, g.bColumn, g.n - j * NR < NR ? g.n - j * NR : NR, g.k);
  for (int j = 0; j < columnPanels; j++)
    for (int i = 0; i < rowPanels; i++) {
      int firstRow = i * MR, lastRow = firstRow + MR - 1;
      if (triangle == kLowerResult && j * NR > lastRow) continue;
      int depth0 = triangle == kUpperLeft ? firstRow : 0;
      int depth1 = triangle == kLowerLeft && lastRow + 1 < g.k ? lastRow + 1 : g.k;
      vf tile[MR][NV];
      microKernel(depth1 - depth0, packedA + (static_cast<size_t>(i) * g.k + depth0) * MR, packedB + (static_cast<size_t>(j) * g.k + depth0) * NR, tile);
      writeTile(g, tile, firstRow, j * NR, false);
    }
}

// row[s] = softmax of scale * row[s] over s in [start, position]; zero elsewhere.
void softmaxRow(float* row, float scale, int start, int position, int t) {
  float highest = row[start];
  for (int s = start + 1; s <= position; s++) highest = row[s] > highest ? row[s] : highest;
  for (int s = start; s <= position; s += VL) {
    int lanes = position + 1 - s < VL ? position + 1 - s : VL;
    storePartial(row + s, exponential((loadPartial(row + s, lanes) - highest) * scale), lanes);
  }
  float inverse = 1.0f / sum(row + start, position + 1 - start);
  for (int s = 0; s < start; s++) row[s] = 0;
  for (int s = start; s <= position; s++) row[s] *= inverse;
  for (int s = position + 1; s < t; s++) row[s] = 0;
}

float* workerFloats(const Context& context, int worker, size_t count) {
  return static_cast<float*>(scratchBytes(context.scratch, kSlotPerWorker + worker, sizeof(float) * count));
}

}  // namespace

// P = softmax(Q K^T / sqrt(dh)), z = P V
void attentionForward(const Context& context, float* z, float* pattern, const float* q, const float* k, const float* v, const int32_t* starts, int b, int t, int h, int dh) {
  float scale = 1.0f / sqrtf(static_cast<float>(dh));
  size_t half = panelFloats(t, dh);
  parallelFor(context, b * h, [&](int task, int worker) {
    Head head = headOf(task, t, h, dh);
    float* panels = workerFloats(context, worker, 2 * half);
    float* p = pattern + static_cast<size_t>(task) * t * t;
    triangularProduct({t, t, dh, q + head.offset, head.stride, 1, k + head.offset, 1, head.stride, p, t, nullptr, false}, kLowerResult, panels, half);
    for (int position = 0; position < t; position++)
      softmaxRow(p + static_cast<size_t>(position) * t, scale, starts ? starts[(task / h) * t + position] : 0, position, t);
    triangularProduct({t, dh, t, p, t, 1, v + head.offset, head.stride, 1, z + head.offset, head.stride, nullptr, false}, kLowerLeft, panels, half);
  });
}

// dP = dz V^T; dS = P (dP - sum P dP) / sqrt(dh); dq = dS K; dk = dS^T q; dv = P^T dz.
void attentionBackward(const Context& context, float* dq, float* dk, float* dv, const float* dz, const float* pattern, const float* q, const float* k, const float* v, const int32_t* starts, int b, int t, int h, int dh) {
  float scale = 1.0f / sqrtf(static_cast<float>(dh));
  size_t half = panelFloats(t, dh), square = static_cast<size_t>(t) * t;
  parallelFor(context, b * h, [&](int task, int worker) {
    Head head = headOf(task, t, h, dh);
    size_t at = head.offset;
    int stride = head.stride;
    float* panels = workerFloats(context, worker, 2 * half + square);
    float* dScores = panels + 2 * half;
    const float* p = pattern + task * square;
    triangularProduct({t, t, dh, dz + at, stride, 1, v + at, 1, stride, dScores, t, nullptr, false}, kLowerResult, panels, half);
    for (int position = 0; position < t; position++) {
      float* row = dScores + static_cast<size_t>(position) * t;
      const float* weights = p + static_cast<size_t>(position) * t;
      int start = starts ? starts[(task / h) * t + position] : 0;
      float centre = dot(weights + start, row + start, position + 1 - start);
      for (int s = 0; s < start; s++) row[s] = 0;
      for (int s = start; s <= position; s++) row[s] = weights[s] * (row[s] - centre) * scale;
      for (int s = position + 1; s < t; s++) row[s] = 0;
    }
    triangularProduct({t, dh, t, dScores, t, 1, k + at, stride, 1, dq + at, stride, nullptr, false}, kLowerLeft, panels, half);
    triangularProduct({t, dh, t, dScores, 1, t, q + at, stride, 1, dk + at, stride, nullptr, false}, kUpperLeft, panels, half);
    triangularProduct({t, dh, t, p, 1, t, dz + at, stride, 1, dv + at, stride, nullptr, false}, kUpperLeft, panels, half);
  });
}

// One position of one head a task: p = softmax(q K^T / sqrt(dh)) over the cache of its sequence [s, h*dh], z = p V.
void attentionCachedForward(const Context& context, float* z, float* pattern, const float* q, const float* keys, const float* values, const int32_t* sequences, const int32_t* lengths, int n, int h, int s, int dh) {
  float scale = 1.0f / sqrtf(static_cast<float>(dh));
  size_t stride = static_cast<size_t>(h) * dh;
  parallelFor(context, n * h, [&](int task, int) {
    int row = task / h, length = lengths[row];
    size_t at = static_cast<size_t>(task) * dh;
    size_t cache = sequences[row] * s * stride + static_cast<size_t>(task % h) * dh;
    float* p = pattern + static_cast<size_t>(task) * s;
    for (int i = 0; i < length; i++) p[i] = dot(q + at, keys + cache + i * stride, dh);
    softmaxRow(p, scale, 0, length - 1, s);
    for (int c = 0; c < dh; c++) z[at + c] = 0;
    for (int i = 0; i < length; i++) axpy(z + at, p[i], values + cache + i * stride, dh);
  });
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
