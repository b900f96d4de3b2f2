// Decoding: every row gathers the decoder rows of its active features.
#include <stdlib.h>

#include "gemm.h"
#include "sae_exchange.h"
#include "sae_near.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

// out += sum of values[i] wDec[ids[i]] for entries begin .. end-1, in this order whatever the grouping
void gather(float* out, const Codes& codes, const float* values, int begin, int end, const float* wDec, int d) {
  const int32_t* ids = codes.featureIds;
  auto direction = [&](int at) { return wDec + static_cast<size_t>(ids[at]) * d; };
  int i = begin;
  for (; i + 4 <= end; i += 4) axpy4(out, values + i, direction(i), direction(i + 1), direction(i + 2), direction(i + 3), d);
  for (; i < end; i++) axpy(out, values[i], direction(i), d);
}

// As gather for rows row0 .. row0 + rows - 1 of `out`; the decoder rows of a block of features are kept near.
void gatherNear(float* out, const Codes& codes, const float* values, int row0, int rows, const float* wDec, int d, int f, float* memory) {
  PairLists lists;
  float *near = memory, *weights = near + nearFloats(d), *sums[kMostLists];
  lists.rows = reinterpret_cast<int32_t*>(weights + static_cast<size_t>(rows) * kNearRows);
  int next[kMostLists];
  for (int r = 0; r < rows; r++) {
    sums[r] = out + static_cast<size_t>(row0 + r) * d;
    next[r] = codes.rowOffsets[row0 + r];
  }
  for (int first = 0; first < f; first += kNearRows) {
    int end = f - first < kNearRows ? f : first + kNearRows, count = 0;
    for (int r = 0; r < rows; r++) {
      lists.begins[r] = count;
      int &i = next[r], last = codes.rowOffsets[row0 + r + 1];
      for (; i < last && codes.featureIds[i] < end; i++) {
        lists.rows[count] = codes.featureIds[i] - first;
        weights[count++] = values[i];
      }
    }
    lists.begins[rows] = count;
    copyNear(near, wDec + static_cast<size_t>(first) * d, end - first, d);
    passNear<true, false>(near, d, lists, 0, rows, sums, weights, nullptr, nullptr);
  }
}

}  // namespace

FeatureConstants featureConstants(const Context& context, const SaePointers& params, SaeShape shape, const SaeForm& form, SaePenalty penalty, float bandwidth) {
  int f = shape.f, padded = ceilDiv(f, NR) * NR;
  float* cut = scratchArray<float>(context, kSlotSaeFeatures, 3 * static_cast<size_t>(padded));
  float *special = cut + padded, *norm = special + padded;
  bool jump = form.kind == kJumpRelu, gated = form.kind == kGated, norms = penalty == kL1ByNorm || penalty == kTanh;
  for (int j = 0; j < padded; j++) cut[j] = special[j] = 0;
  for (int j = 0; j < f && jump; j++) {
    special[j] = form.logThreshold ? expf(params.threshold[j]) : params.threshold[j];
    cut[j] = special[j] - 0.5f * bandwidth;
  }
  for (int j = 0; j < f && gated; j++) special[j] = expf(params.rMag[j]);
  if (norms)
    parallelFor(context, ceilDiv(f, 64), [&](int task, int) {
      for (int j = task * 64; j < f && j < task * 64 + 64; j++) {
        const float* row = params.wDec + static_cast<size_t>(j) * shape.dOut;
        norm[j] = sqrtf(dot(row, row, shape.dOut));
      }
    });
  return {cut, jump ? special : nullptr, gated ? special : nullptr, norms ? norm : nullptr};
}

float* activationsOf(const Context& context, const Codes& support, const SaeForm& form, const SaePointers& params, const FeatureConstants& constants) {
  if (form.kind != kJumpRelu && form.kind != kGated) return support.values;
  float* values = static_cast<float*>(malloc(sizeof(float) * (support.count + 1)));
  if (!values) abort();
  constexpr int kChunk = 16384;
  parallelFor(context, static_cast<int>((support.count + kChunk - 1) / kChunk), [&](int task, int) {
    int64_t end = support.count < (task + 1LL) * kChunk ? support.count : (task + 1LL) * kChunk;
    for (int64_t i = static_cast<int64_t>(task) * kChunk; i < end; i++) values[i] = activate(form, params, constants, support.featureIds[i], support.values[i]);
  });
  return values;
}

void decodeInto(const Context& context, float* out, const Codes& codes, const float* values, const float* wDec, int n, int d, int f) {
  // with few active features a block would hardly use a decoder row twice
  bool blocked = codes.count > static_cast<int64_t>(n) * f / 128;
  if (!blocked) {
    forRows(context, n, [&](int row) { gather(out + static_cast<size_t>(row) * d, codes, values, codes.rowOffsets[row], codes.rowOffsets[row + 1], wDec, d); });
    return;
  }
  int share = evenShare(context, n, kMostLists);
  parallelFor(context, ceilDiv(n, share), [&](int task, int worker) {
    int row0 = task * share, rows = n - row0 < share ? n - row0 : share;
    float* memory = scratchArray<float>(context, kSlotPerWorker + worker, nearFloats(d) + 2 * static_cast<size_t>(share) * kNearRows);
    gatherNear(out, codes, values, row0, rows, wDec, d, f, memory);
  });
}

void decodeBase(const Context& context, float* out, const SaePointers& params, SaeShape shape, const float* x, const SaeRanks& ranks) {
  int n = shape.n, d = shape.dOut;
  if (!isFirst(ranks.features)) {
    memset(out, 0, sizeof(float) * static_cast<size_t>(n) * d);
    return;
  }
  if (params.wSkip) return gemm(context, {n, d, shape.d, x, shape.d, 1, params.wSkip, d, 1, out, d, params.bDec, false});
  forRows(context, n, [&](int row) { memcpy(out + static_cast<size_t>(row) * d, params.bDec, sizeof(float) * d); });
}

void saeDecode(const Context& context, float* xHat, const SaePointers& params, SaeShape shape, const Codes& codes, const float* x, const SaeRanks& ranks) {
  float* copy = nullptr;
  if (params.wSkip && xHat == x) {  // the skip reads what the result overwrites
    copy = scratchArray<float>(context, kSlotSaeSkip, static_cast<size_t>(shape.n) * shape.d);
    memcpy(copy, x, sizeof(float) * static_cast<size_t>(shape.n) * shape.d);
  }
  decodeBase(context, xHat, params, shape, copy ? copy : x, ranks);
  decodeInto(context, xHat, codes, codes.values, params.wDec, shape.n, shape.dOut, shape.f);
  sumOver(ranks.features, xHat, static_cast<int64_t>(shape.n) * shape.dOut);
}

void saeSquaredErrors(const Context& context, float* losses, const float* x, const float* xHat, int n, int d) {
  forRows(context, n, [&](int row) {
    const float *a = x + static_cast<size_t>(row) * d, *b = xHat + static_cast<size_t>(row) * d;
    vf s{};
    int i = 0;
    for (; i + VL <= d; i += VL) {
      vf difference = load(a + i) - load(b + i);
      s += difference * difference;
    }
    float total = horizontalSum(s);
    for (; i < d; i++) total += (a[i] - b[i]) * (a[i] - b[i]);
    losses[row] = total;
  });
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
