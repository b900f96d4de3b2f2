// Gradients from so many pairs that every row meets every block of features: the pairs of a block of rows are listed by feature, and the
// features of a task pass over the errors of these rows, then over their inputs.
#include "sae_near.h"
#include "sae_update.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

static_assert(kMostFeatures == kMostLists);

// What a task works on: its features, and their pairs with a block of rows.
struct Block {
  int first, count;
  PairLists lists;  // by feature, rows ascending
  float *pre, *activation, *dError, *dGate;
  float* near;
  float *dec[kMostLists], *enc[kMostLists];  // gradients
  const float* directions[kMostLists];       // decoder rows
};

// The first of the ascending ids begin .. end - 1 that is at least `id`.
int lowerBound(const int32_t* ids, int begin, int end, int id) {
  while (begin < end) {
    int middle = begin + (end - begin) / 2;
    if (ids[middle] < id) begin = middle + 1;
    else end = middle;
  }
  return begin;
}

// Where feature `first`, or what comes behind it, begins in a row.
int startOf(const ByRow& pairs, int row, int first) {
  const int32_t* starts = pairs.starts + static_cast<size_t>(first / kMostFeatures) * pairs.codes->rows + row;
  return lowerBound(pairs.codes->featureIds, starts[0], starts[pairs.codes->rows], first);
}

// Lists the features' pairs with rows row0 .. row0 + rows - 1.
void listPairs(const Step& step, int row0, int rows, Block& b) {
  const SaeStepArgs& a = step.a;
  const Codes& codes = *step.many.codes;
  const int32_t* ids = codes.featureIds;
  int from[kNearRows], to[kNearRows];
  int32_t *begins = b.lists.begins, *next = begins + 1;  // next[k] ends up as where list k ends
  memset(begins, 0, sizeof(b.lists.begins));
  for (int r = 0; r < rows; r++) {
    int i = from[r] = startOf(step.many, row0 + r, b.first);
    for (int end = codes.rowOffsets[row0 + r + 1]; i < end && ids[i] < b.first + b.count; i++) next[ids[i] - b.first + 1]++;
    to[r] = i;
  }
  for (int k = 0; k < b.count; k++) next[k + 1] += next[k];
  for (int r = 0; r < rows; r++)
    for (int i = from[r]; i < to[r]; i++) {
      int at = next[ids[i] - b.first]++;
      b.lists.rows[at] = r;
      b.pre[at] = codes.values[i];
    }
  for (int k = 0; k < b.count; k++)
    for (int i = begins[k]; i < begins[k + 1]; i++) b.activation[i] = activate(a.form, a.params, step.constants, b.first + k, b.pre[i]);
}

// Gradients of decoder rows, and the pairs' products with these.
void passErrors(const Step& step, int row0, int rows, const Block& b) {
  const SaeStepArgs& a = step.a;
  int dOut = a.shape.dOut;
  size_t size = static_cast<size_t>(a.shape.n) * dOut, at = static_cast<size_t>(row0) * dOut, bytes = sizeof(float) * b.lists.begins[b.count];
  memset(b.dError, 0, bytes);
  for (int from = 0, to; from < b.count; from = to) {
    int prefix = prefixOf(a, b.first + from);
    for (to = from + 1; to < b.count && prefixOf(a, b.first + to) == prefix;) to++;
    copyNear(b.near, step.errors + prefix * size + at, rows, dOut);
    passNear<true, true>(b.near, dOut, b.lists, from, to, b.dec, b.activation, b.directions, b.dError);
  }
  memset(b.dGate, 0, bytes);
  if (!step.gateErrors) return;
  copyNear(b.near, step.gateErrors + at, rows, dOut);
  passNear<false, true>(b.near, dOut, b.lists, 0, b.count, nullptr, nullptr, b.directions, b.dGate);
}

// Gradients of encoder rows.
void passInputs(const Step& step, int row0, int rows, const Block& b, const FeatureGradients* places) {
  int d = step.a.shape.d;
  for (int k = 0; k < b.count; k++) {
    FeatureValues v = featureValues(step, b.first + k);
    float f;
    for (int i = b.lists.begins[k]; i < b.lists.begins[k + 1]; i++)
      b.dError[i] = pairGradient(step.rule, v, b.pre[i], b.dError[i], b.dGate[i], *places[k].sums, f);
  }
  copyNear(b.near, step.centred + static_cast<size_t>(row0) * d, rows, d);
  passNear<true, false>(b.near, d, b.lists, 0, b.count, b.enc, b.dError, nullptr, nullptr);
}

}  // namespace

bool isBlocked(const Codes& support, int f) { return support.count > static_cast<int64_t>(support.rows) * f / 48; }

ByRow cutByFeatures(const Context& context, const Codes& codes, int f) {
  int cuts = ceilDiv(f, kMostFeatures);
  size_t n = codes.rows;
  int32_t* starts = scratchArray<int32_t>(context, kSlotSaeColumns, (cuts + 1) * n);
  forRows(context, codes.rows, [&](int row) {
    int at = codes.rowOffsets[row], end = codes.rowOffsets[row + 1];
    for (int cut = 0; cut < cuts; cut++) {
      at = lowerBound(codes.featureIds, at, at + kMostFeatures < end ? at + kMostFeatures : end, cut * kMostFeatures);
      starts[cut * n + row] = at;
    }
    starts[cuts * n + row] = end;
  });
  return {&codes, starts};
}

size_t blockedFloats(const SaeShape& s, int features) { return nearFloats(s.d > s.dOut ? s.d : s.dOut) + 5 * static_cast<size_t>(features) * kNearRows; }

void formBlocked(const Step& step, int first, int count, const FeatureGradients* places, float* memory) {
  const SaeStepArgs& a = step.a;
  const SaeShape& s = a.shape;
  size_t most = static_cast<size_t>(count) * kNearRows;
  Block b;
  b.first = first;
  b.count = count;
  b.near = memory;
  b.pre = memory + nearFloats(s.d > s.dOut ? s.d : s.dOut);
  b.activation = b.pre + most;
  b.dError = b.activation + most;
  b.dGate = b.dError + most;
  b.lists.rows = reinterpret_cast<int32_t*>(b.dGate + most);
  for (int k = 0; k < count; k++) {
    b.dec[k] = places[k].dec;
    b.enc[k] = places[k].enc;
    b.directions[k] = a.params.wDec + static_cast<size_t>(first + k) * s.dOut;
  }
  for (int row0 = 0; row0 < s.n; row0 += kNearRows) {
    int rows = s.n - row0 < kNearRows ? s.n - row0 : kNearRows;
    listPairs(step, row0, rows, b);
    passErrors(step, row0, rows, b);
    passInputs(step, row0, rows, b, places);
  }
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
