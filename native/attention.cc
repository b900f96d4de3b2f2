// Causal attention (Vaswani et al. 2017) with grouped heads, windows and soft-capped scores. q, z [b*t, heads*width],
// k, v [b*t, keyValueHeads*width], pattern [b, heads, t, t].
#include <math.h>

#include "micro_kernel.h"
#include "transformer.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

int firstSeen(const int32_t* starts, int row, int position, const AttentionHeads& a) {
  int start = starts ? starts[row] : 0;
  int windowStart = a.window ? position + 1 - a.window : 0;
  return start > windowStart ? start : windowStart;
}

inline __attribute__((always_inline)) vf cappedScore(vf product, const AttentionHeads& a) {
  vf score = product * a.scale;
  return a.softCap > 0 ? a.softCap * hyperbolicTangent(score / a.softCap) : score;
}

float* workerFloats(const Context& context, int worker, size_t count) {
  return static_cast<float*>(scratchBytes(context.scratch, kSlotPerWorker + worker, sizeof(float) * count));
}

// ---- forward ----
//
// A task is NR queries of one head, which are the lanes of its vectors: scores S^T = K Q^T [keys][NR], softmax lane by lane, z^T = V^T P^T.
// Keys and values are packed once for all queries; keys that no query of the task sees are skipped.

// Keys [key panel][width][MR] and values [panel of dimensions][key][MR] of one key head.
struct PackedHead {
  size_t keyFloats, valueFloats;
  PackedHead(int t, int width)
      : keyFloats(static_cast<size_t>(ceilDiv(t, MR)) * MR * width), valueFloats(static_cast<size_t>(ceilDiv(width, MR)) * MR * t) {}
  size_t floats() const { return keyFloats + valueFloats; }
};

void packHead(float* packed, const float* k, const float* v, int stride, int t, int width) {
  for (int i = 0; i < t; i += MR)
    packRows(packed + static_cast<size_t>(i) * width, k + static_cast<size_t>(i) * stride, stride, 1, t - i < MR ? t - i : MR, width);
  float* values = packed + PackedHead(t, width).keyFloats;
  for (int i = 0; i < width; i += MR) packRows(values + static_cast<size_t>(i) * t, v + i, 1, stride, width - i < MR ? width - i : MR, t);
}

// Which keys each of NR queries may see, first .. last; lanes past the sequence's end repeat its last position.
struct Sight {
  int lowest, fromAll, toAll, highest;  // some query sees lowest .. highest, all see fromAll .. toAll
  vi first[NV], last[NV];
};

Sight sightOf(const int32_t* starts, int row0, int position0, int t, const AttentionHeads& a) {
  Sight s;
  s.lowest = t, s.fromAll = 0, s.toAll = position0, s.highest = position0;
  for (int lane = 0; lane < NR; lane++) {
    int position = position0 + lane < t ? position0 + lane : t - 1;
    int first = firstSeen(starts, row0 + position, position, a);
    s.first[lane / VL][lane % VL] = first;
    s.last[lane / VL][lane % VL] = position;
    if (first < s.lowest) s.lowest = first;
    if (first > s.fromAll) s.fromAll = first;
    s.highest = position;
  }
  return s;
}

// scores [key - firstKey][NR] of the keys of whole panels; returns the largest of each lane in `highest`.
void scoreKeys(float* scores, vf (&highest)[NV], const float* keys, const float* queries, int firstKey, int keyEnd, const Sight& sight, const AttentionHeads& a) {
  for (int j = 0; j < NV; j++) highest[j] = splat(-INFINITY);
  for (int key0 = firstKey; key0 < keyEnd; key0 += MR) {
    vf tile[MR][NV];
    multiplyPanels<MR>(a.width, keys + static_cast<size_t>(key0) * a.width, queries, tile);
    bool hidden = key0 < sight.fromAll || key0 + MR - 1 > sight.toAll;
    for (int i = 0; i < MR; i++)
      for (int j = 0; j < NV; j++) {
        vf score = cappedScore(tile[i][j], a);
        if (hidden) {
          vi key = vi{} + (key0 + i);
          score = select((key >= sight.first[j]) & (key <= sight.last[j]), score, splat(-INFINITY));
        }
        store(scores + static_cast<size_t>(key0 - firstKey + i) * NR + j * VL, score);
        highest[j] = maximum(highest[j], score);
      }
  }
}

// scores become exp(score - highest), 0 where hidden; totals gets their sums.
void exponentiate(float* scores, vf (&totals)[NV], const vf (&highest)[NV], int keys) {
  for (int j = 0; j < NV; j++) totals[j] = vf{};
  for (int key = 0; key < keys; key++)
    for (int j = 0; j < NV; j++) {
      float* p = scores + static_cast<size_t>(key) * NR + j * VL;
      vf score = load(p);
      vf weight = select(score == splat(-INFINITY), vf{}, exponential(score - highest[j]));
      totals[j] += weight;
      store(p, weight);
    }
}

// rows [query] of the pattern [t] from weights [key][NR] times factor
void writePattern(float* pattern, const float* weights, const vf (&factors)[NV], int firstKey, int keyEnd, int queries, int t) {
  float factor[NR];
  for (int j = 0; j < NV; j++) store(factor + j * VL, factors[j]);
  int end = keyEnd < t ? keyEnd : t;
  for (int q = 0; q < queries; q++) {
    float* row = pattern + static_cast<size_t>(q) * t;
    for (int key = 0; key < firstKey; key++) row[key] = 0;
    for (int key = end; key < t; key++) row[key] = 0;
  }
  constexpr int kKeys = 16;  // at a time, so that what is read stays in L1
  for (int key0 = firstKey; key0 < end; key0 += kKeys) {
    int key1 = key0 + kKeys < end ? key0 + kKeys : end;
    for (int q = 0; q < queries; q++) {
      float* row = pattern + static_cast<size_t>(q) * t;
      for (int key = key0; key < key1; key++) row[key] = weights[static_cast<size_t>(key - firstKey) * NR + q] * factor[q];
    }
  }
}

// z [queries, stride apart] = weights^T values times factor
void mixValues(float* z, int stride, const float* values, const float* weights, const vf (&factors)[NV], int firstKey, int keyEnd, int queries, int t, int width) {
  int end = keyEnd < t ? keyEnd : t;
  for (int dim0 = 0; dim0 < width; dim0 += MR) {
    vf tile[MR][NV];
    microKernel(width - dim0, end - firstKey, values + static_cast<size_t>(dim0) * t + static_cast<size_t>(firstKey) * MR, weights, tile);
    float turned[MR][NR];
    int dims = width - dim0 < MR ? width - dim0 : MR;
    for (int i = 0; i < dims; i++)
      for (int j = 0; j < NV; j++) store(turned[i] + j * VL, tile[i][j] * factors[j]);
    for (int q = 0; q < queries; q++)
      for (int i = 0; i < dims; i++) z[static_cast<size_t>(q) * stride + dim0 + i] = turned[i][q];
  }
}

}  // namespace

void attentionForward(const Context& context, float* z, float* pattern, const float* q, const float* k, const float* v, const int32_t* starts, int b, int t, const AttentionHeads& a) {
  constexpr int kPositionsAtOnce = 4096;  // whose keys and values are packed at a time
  PackedHead head(t, a.width);
  int stride = a.heads * a.width, keyStride = a.keyValueHeads * a.width, blocks = ceilDiv(t, NR);
  int atOnce = kPositionsAtOnce / t > 1 ? kPositionsAtOnce / t : 1;
  for (int sequence0 = 0; sequence0 < b; sequence0 += atOnce) {
    int sequences = b - sequence0 < atOnce ? b - sequence0 : atOnce;
    float* packed = static_cast<float*>(scratchBytes(context.scratch, kSlotPackB, sizeof(float) * head.floats() * sequences * a.keyValueHeads));
    parallelFor(context, sequences * a.keyValueHeads, [&](int task, int) {
      size_t at = static_cast<size_t>(sequence0 + task / a.keyValueHeads) * t * keyStride + task % a.keyValueHeads * a.width;
      packHead(packed + task * head.floats(), k + at, v + at, keyStride, t, a.width);
    });
    // the long blocks first, so that no thread is left with one at the end
    parallelFor(context, sequences * a.heads * blocks, [&](int task, int worker) {
      int block = blocks - 1 - task / (sequences * a.heads), which = task % (sequences * a.heads);
      int sequence = which / a.heads, h = which % a.heads, position0 = block * NR;
      int queries = t - position0 < NR ? t - position0 : NR, row0 = (sequence0 + sequence) * t;
      const float* keys = packed + (static_cast<size_t>(sequence) * a.keyValueHeads + h / (a.heads / a.keyValueHeads)) * head.floats();
      Sight sight = sightOf(starts, row0, position0, t, a);
      int firstKey = sight.lowest / MR * MR, keyEnd = (sight.highest / MR + 1) * MR;
      float* turnedQueries = workerFloats(context, worker, static_cast<size_t>(a.width + keyEnd - firstKey) * NR);
      float* scores = turnedQueries + static_cast<size_t>(a.width) * NR;
      size_t at = static_cast<size_t>(row0 + position0) * stride + h * a.width;
      packColumns(turnedQueries, q + at, 1, stride, queries, a.width);
      vf highest[NV], totals[NV];
      scoreKeys(scores, highest, keys, turnedQueries, firstKey, keyEnd, sight, a);
      exponentiate(scores, totals, highest, keyEnd - firstKey);
      for (int j = 0; j < NV; j++) totals[j] = 1.0f / totals[j];
      if (pattern)
        writePattern(pattern + ((static_cast<size_t>(sequence0 + sequence) * a.heads + h) * t + position0) * t, scores, totals, firstKey, keyEnd, queries, t);
      mixValues(z + at, stride, keys + head.keyFloats, scores, totals, firstKey, keyEnd, queries, t, a.width);
    });
  }
}

// ---- one position at a time ----

namespace {

// p[0 .. keys - 1] = softmax of the scores of one query with keys `stride` apart
void softmaxOfKeys(float* p, const float* q, const float* k, size_t stride, int keys, const AttentionHeads& a) {
  int i = 0;
  for (; i + 4 <= keys; i += 4) {
    const float* rows[4] = {k + i * stride, k + (i + 1) * stride, k + (i + 2) * stride, k + (i + 3) * stride};
    dotRows<4>(p + i, q, rows, a.width);
  }
  for (; i < keys; i++) {
    const float* rows[1] = {k + i * stride};
    dotRows<1>(p + i, q, rows, a.width);
  }
  vf highest = splat(-INFINITY);
  for (int s = 0; s < keys; s += VL) {
    int lanes = keys - s < VL ? keys - s : VL;
    vf score = cappedScore(loadPartial(p + s, lanes), a);
    storePartial(p + s, score, lanes);
    for (int l = lanes; l < VL; l++) score[l] = -INFINITY;
    highest = maximum(highest, score);
  }
  float top = highest[0];
  for (int l = 1; l < VL; l++) top = highest[l] > top ? highest[l] : top;
  for (int s = 0; s < keys; s += VL) {
    int lanes = keys - s < VL ? keys - s : VL;
    storePartial(p + s, exponential(loadPartial(p + s, lanes) - top), lanes);
  }
  float inverse = 1.0f / sum(p, keys);
  for (int s = 0; s < keys; s++) p[s] *= inverse;
}

}  // namespace

// A task is one position of one head against the cache of its sequence [s, keyValueHeads*width].
void attentionCachedForward(const Context& context, float* z, float* pattern, const float* q, const float* keys, const float* values, const int32_t* sequences, const int32_t* lengths, int n, int s, const AttentionHeads& a) {
  size_t stride = static_cast<size_t>(a.keyValueHeads) * a.width;
  parallelFor(context, n * a.heads, [&](int task, int worker) {
    int row = task / a.heads, h = task % a.heads, length = lengths[row];
    int first = a.window && length > a.window ? length - a.window : 0, count = length - first;
    size_t at = static_cast<size_t>(task) * a.width;
    size_t cache = (static_cast<size_t>(sequences[row]) * s + first) * stride + static_cast<size_t>(h / (a.heads / a.keyValueHeads)) * a.width;
    float* all = pattern ? pattern + static_cast<size_t>(task) * s : workerFloats(context, worker, length);
    if (pattern) memset(all, 0, sizeof(float) * s);
    float* p = all + first;
    softmaxOfKeys(p, q + at, keys + cache, stride, count, a);
    for (int c = 0; c < a.width; c++) z[at + c] = 0;
    const float* v = values + cache;
    int i = 0;
    for (; i + 4 <= count; i += 4) axpy4(z + at, p + i, v + i * stride, v + (i + 1) * stride, v + (i + 2) * stride, v + (i + 3) * stride, a.width);
    for (; i < count; i++) axpy(z + at, p[i], v + i * stride, a.width);
  });
}

// ---- backward ----
//
// A task is one key head with its queries' heads one after the other: five matrix products each, which skip what lies above the diagonal.

namespace {

enum Triangle {
  kLowerResult,   // only C[i, j] with j <= i matters
  kLowerLeft,     // A[i, k] is zero for k > i
  kUpperLeft,     // A[i, k] is zero for k < i
};

size_t panelFloats(int t, int width) {
  size_t longest = t > width ? t : width;
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
      microKernel(g.m - firstRow, depth1 - depth0, packedA + (static_cast<size_t>(i) * g.k + depth0) * MR, packedB + (static_cast<size_t>(j) * g.k + depth0) * NR, tile);
      writeTile(g, tile, firstRow, j * NR, g.accumulate);
    }
}

// row[s] becomes dScore[s] scale = weights[s] (row[s] - centre) slope of the cap * scale over first .. position, zero elsewhere;
// `products` holds q k^T where scores are capped.
void scoreGradients(float* row, const float* weights, const float* products, int first, int position, int t, const AttentionHeads& a) {
  float centre = dot(weights + first, row + first, position + 1 - first);
  for (int s = 0; s < first; s++) row[s] = 0;
  for (int s = first; s <= position; s++) row[s] = weights[s] * (row[s] - centre) * a.scale;
  for (int s = first; products && s <= position; s += VL) {
    int lanes = position + 1 - s < VL ? position + 1 - s : VL;
    vf tanh = hyperbolicTangent(loadPartial(products + s, lanes) * (a.scale / a.softCap));
    storePartial(row + s, loadPartial(row + s, lanes) * (1.0f - tanh * tanh), lanes);
  }
  for (int s = position + 1; s < t; s++) row[s] = 0;
}

}  // namespace

// dP = dz V^T; dS = P (dP - sum P dP) cap' scale; dq = dS K; dk = dS^T q; dv = P^T dz.
void attentionBackward(const Context& context, float* dq, float* dk, float* dv, const float* dz, const float* pattern, const float* q, const float* k, const float* v, const int32_t* starts, int b, int t, const AttentionHeads& a) {
  int group = a.heads / a.keyValueHeads, stride = a.heads * a.width, keyStride = a.keyValueHeads * a.width, width = a.width;
  size_t half = panelFloats(t, width), square = static_cast<size_t>(t) * t;
  parallelFor(context, b * a.keyValueHeads, [&](int task, int worker) {
    int sequence = task / a.keyValueHeads, keyHead = task % a.keyValueHeads;
    size_t keyAt = static_cast<size_t>(sequence) * t * keyStride + static_cast<size_t>(keyHead) * width;
    float* panels = workerFloats(context, worker, 2 * half + square * (a.softCap > 0 ? 2 : 1));
    float *dScores = panels + 2 * half, *products = a.softCap > 0 ? dScores + square : nullptr;
    for (int member = 0; member < group; member++) {
      int h = keyHead * group + member;
      size_t at = static_cast<size_t>(sequence) * t * stride + static_cast<size_t>(h) * width;
      const float* p = pattern + (static_cast<size_t>(sequence) * a.heads + h) * square;
      bool add = member > 0;
      triangularProduct({t, t, width, dz + at, stride, 1, v + keyAt, 1, keyStride, dScores, t, nullptr, false}, kLowerResult, panels, half);
      if (products) triangularProduct({t, t, width, q + at, stride, 1, k + keyAt, 1, keyStride, products, t, nullptr, false}, kLowerResult, panels, half);
      for (int position = 0; position < t; position++) {
        size_t row = static_cast<size_t>(position) * t;
        scoreGradients(dScores + row, p + row, products ? products + row : nullptr, firstSeen(starts, sequence * t + position, position, a), position, t, a);
      }
      triangularProduct({t, width, t, dScores, t, 1, k + keyAt, keyStride, 1, dq + at, stride, nullptr, false}, kLowerLeft, panels, half);
      triangularProduct({t, width, t, dScores, 1, t, q + at, stride, 1, dk + keyAt, keyStride, nullptr, add}, kUpperLeft, panels, half);
      triangularProduct({t, width, t, p, 1, t, dz + at, stride, 1, dv + keyAt, keyStride, nullptr, add}, kUpperLeft, panels, half);
    }
  });
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
