// One training step: encode, decode, errors, gradients and updates. Everything after the encoder touches only (row, feature) pairs
// that matter, unless they are so many that multiplying matrices is faster.
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "elementwise.h"
#include "micro_kernel.h"
#include "sae_exchange.h"
#include "sae_update.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

// Places in SaeTraining.running (src/kernels/sae-kernels.ts).
enum { kDensity = 0, kThreshold, kRecallChecked, kRecallMissed, kRecallFailed };

constexpr float kDenseAbove = 0.3f;   // share of active features from which matrices are multiplied: twice as slow, but pairs would take more memory than all else
constexpr float kExactAbove = 0.06f;  // share from which scanning in fp32 is faster than computing every candidate again
constexpr int kRecallEvery = 8, kRecallRows = 14;
constexpr double kRecallDecay = 0.98, kRecallEnough = 5000, kRecallMisses = 1e-4;

double milliseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e3 + now.tv_nsec * 1e-6;
}

bool isFinite(const float* row, int d) {
  float check = 0;
  for (int i = 0; i < d; i++) check += row[i] - row[i];  // 0 for finite numbers, NaN for the others
  return check == 0;
}

// A copy of the rows of the batch that are finite, when some are not.
struct CleanBatch {
  float* memory = nullptr;
  ~CleanBatch() { free(memory); }
};

// Bad rows as all ranks see them: each has its own part of the batch. a.ranks.totalRows is left with how many rows are good.
void agreeOnRows(SaeStepArgs& a, int kept, SaeStepStats& stats) {
  int total = a.ranks.totalRows;
  double good = kept, first = stats.badRow < 0 ? -__builtin_inf() : -(stats.badRow + a.ranks.firstRow);
  sumOver(a.ranks.data, &good, 1);
  maxOver(a.ranks.data, &first, 1);
  stats.badRow = first == -__builtin_inf() ? -1 : static_cast<int>(-first);
  a.ranks.totalRows = static_cast<int>(good);
  stats.skippedRows = a.skipBadRows ? total - a.ranks.totalRows : 0;
}

// Reports bad rows, and replaces the batch by the good ones where they are to be skipped. False: nothing is left to do, on no rank.
bool takeGoodRows(const Context& context, SaeStepArgs& a, SaeStepStats& stats, CleanBatch& clean) {
  int n = a.shape.n, d = a.shape.d, dOut = a.shape.dOut;
  uint8_t* good = scratchArray<uint8_t>(context, kSlotSaeRows, n);
  forRows(context, n, [&](int row) { good[row] = isFinite(a.x + static_cast<size_t>(row) * d, d) && (a.y == a.x || isFinite(a.y + static_cast<size_t>(row) * dOut, dOut)); });
  int kept = 0;
  for (int row = 0; row < n; row++) {
    if (!good[row] && stats.badRow < 0) stats.badRow = row;
    kept += good[row];
  }
  agreeOnRows(a, kept, stats);
  if (stats.badRow < 0) return true;
  if (!a.skipBadRows || a.ranks.totalRows == 0) return false;
  if (kept == n) return true;
  clean.memory = static_cast<float*>(malloc(sizeof(float) * (static_cast<size_t>(kept) * (d + dOut) + 1)));
  if (!clean.memory) abort();
  float *x = clean.memory, *y = x + static_cast<size_t>(kept) * d;
  for (int row = 0, to = 0; row < n; row++) {
    if (!good[row]) continue;
    memcpy(x + static_cast<size_t>(to) * d, a.x + static_cast<size_t>(row) * d, sizeof(float) * d);
    memcpy(y + static_cast<size_t>(to++) * dOut, a.y + static_cast<size_t>(row) * dOut, sizeof(float) * dOut);
  }
  a.x = x;
  a.y = y;
  a.shape.n = kept;
  return true;
}

// error = 2/N (xHat - y) in place of xHat; returns the mean of ||xHat - y||^2 as far as this rank's rows make it up, rows in order.
double toErrors(const Context& context, float* xHat, const SaeStepArgs& a) {
  int n = a.shape.n, d = a.shape.dOut;
  const float* y = a.y;
  double* squared = scratchArray<double>(context, kSlotSaeRows, n);
  float scale = 2.0f / a.ranks.totalRows;
  forRows(context, n, [&](int row) {
    float* error = xHat + static_cast<size_t>(row) * d;
    axpy(error, -1.0f, y + static_cast<size_t>(row) * d, d);
    squared[row] = dot(error, error, d);
    for (int i = 0; i < d; i++) error[i] *= scale;
  });
  double total = 0;
  for (int row = 0; row < n; row++) total += squared[row];
  return total / a.ranks.totalRows;
}

// The part of codes whose ids lie in [from, to), with other values, as codes of their own.
Codes between(const Codes& codes, const float* values, int from, int to) {
  Codes part;
  allocateCodes(part, codes.rows, codes.count);
  int count = 0;
  part.rowOffsets[0] = 0;
  for (int row = 0; row < codes.rows; row++) {
    for (int i = codes.rowOffsets[row]; i < codes.rowOffsets[row + 1]; i++)
      if (codes.featureIds[i] >= from && codes.featureIds[i] < to) {
        part.featureIds[count] = codes.featureIds[i];
        part.values[count++] = values[i];
      }
    part.rowOffsets[row + 1] = count;
  }
  part.count = count;
  return part;
}

// Matryoshka: reconstructions of growing prefixes, as far as this rank's features make them up.
void decodeNested(const Step& step, const Codes& codes, const float* values) {
  const SaeStepArgs& a = step.a;
  int n = a.shape.n, d = a.shape.dOut, prefixes = a.prefixCount;
  size_t size = static_cast<size_t>(n) * d;
  for (int p = 0, from = 0; p < prefixes; from = a.prefixes[p++]) {
    float* xHat = step.errors + p * size;
    if (p > 0) memcpy(xHat, xHat - size, sizeof(float) * size);
    Codes part = between(codes, values, from - a.ranks.firstFeature, a.prefixes[p] - a.ranks.firstFeature);
    decodeInto(step.context, xHat, part, part.values, a.params.wDec, n, d, a.shape.f);
    releaseCodes(part);
  }
}

// Reconstructs and leaves the errors; `support` is null on the dense way.
void reconstruct(Step& step, const Codes* support) {
  const SaeStepArgs& a = step.a;
  int n = a.shape.n, d = a.shape.dOut, f = a.shape.f;
  int64_t size = static_cast<int64_t>(n) * d;
  decodeBase(step.context, step.errors, a.params, a.shape, a.x, a.ranks);
  if (step.gateErrors) memcpy(step.gateErrors, step.errors, sizeof(float) * size);
  if (!support) denseForward(step);
  else {
    float* values = activationsOf(step.context, *support, a.form, a.params, step.constants);
    if (a.prefixCount > 1) decodeNested(step, *support, values);
    else decodeInto(step.context, step.errors, *support, values, a.params.wDec, n, d, f);
    if (step.gateErrors) decodeInto(step.context, step.gateErrors, *support, support->values, a.params.wDec, n, d, f);
    if (values != support->values) free(values);
  }
  sumOver(a.ranks.features, step.errors, size * (a.prefixCount + (step.gateErrors != nullptr)));
  for (int p = 0; p < a.prefixCount; p++) step.stats.prefixError += step.stats.squaredError = toErrors(step.context, step.errors + p * size, a);
  if (step.gateErrors) step.stats.auxLoss = toErrors(step.context, step.gateErrors, a);
  // Matryoshka: each buffer is left with the sum of its prefix's error and those of larger ones
  for (int p = a.prefixCount - 2; p >= 0; p--) addInPlace(step.context, step.errors + p * size, step.errors + (p + 1) * size, size);
}

// sum over all rows of ||r - mean r||^2 for r = -error N / 2
double residualVariance(const Context& context, const float* error, SaeShape shape, const SaeRanks& ranks) {
  int n = shape.n, d = shape.dOut, all = ranks.totalRows;
  float* mean = scratchArray<float>(context, kSlotReduce, d);
  columnSums(context, mean, error, n, d, false);
  sumOver(ranks.data, mean, d);
  for (int i = 0; i < d; i++) mean[i] /= all;
  double* rows = scratchArray<double>(context, kSlotSaeRows, n);
  forRows(context, n, [&](int row) {
    const float* e = error + static_cast<size_t>(row) * d;
    double total = 0;
    for (int i = 0; i < d; i++) total += static_cast<double>(e[i] - mean[i]) * (e[i] - mean[i]);
    rows[row] = total;
  });
  double total = 0;
  for (int row = 0; row < n; row++) total += rows[row];
  sumOver(ranks.data, &total, 1);
  return total * all * all / 4;
}

// Gao et al. 2024: the top dead features reconstruct the residual r = y - xHat; loss ||r - rHat||^2 / var(r).
void explainResidual(Step& step, Codes& codes) {
  const SaeStepArgs& a = step.a;
  int n = a.shape.n, d = a.shape.dOut;
  int32_t* dead = static_cast<int32_t*>(malloc(sizeof(int32_t) * a.shape.f));
  if (!dead) abort();
  int count = 0;
  for (int j = 0; j < a.shape.f; j++)
    if (a.tokensSinceFired[j] >= a.deadAfterTokens) dead[count++] = j;
  double allDead = count;
  sumOver(a.ranks.features, &allDead, 1);
  step.stats.dead = static_cast<int>(allDead);
  // the errors of the whole dictionary: with prefixes, those of the last one alone
  const float* error = step.errors + static_cast<size_t>(a.prefixCount - 1) * n * d;
  double variance = allDead > 0 ? residualVariance(step.context, error, a.shape, a.ranks) : 0;
  if (variance > 0) {
    SaeForm largest{kTopK, a.auxCount < step.stats.dead ? a.auxCount : step.stats.dead, false, a.form.subtractDecoderBias};
    encodeSupport(step.context, a.params, a.shape, step.centred, {dead, count}, largest, step.constants, nullptr, 0, a.ranks, codes);
    float* aux = scratchArray<float>(step.context, kSlotSaeAuxError, static_cast<size_t>(n) * d);
    memset(aux, 0, sizeof(float) * static_cast<size_t>(n) * d);
    decodeInto(step.context, aux, codes, codes.values, a.params.wDec, n, d, a.shape.f);
    sumOver(a.ranks.features, aux, static_cast<int64_t>(n) * d);
    double* rows = scratchArray<double>(step.context, kSlotSaeRows, n);
    float toResidual = -0.5f * a.ranks.totalRows, scale = static_cast<float>(2.0 * a.auxCoefficient / variance);
    forRows(step.context, n, [&](int row) {
      float* missed = aux + static_cast<size_t>(row) * d;
      axpy(missed, -toResidual, error + static_cast<size_t>(row) * d, d);
      rows[row] = dot(missed, missed, d);
      for (int i = 0; i < d; i++) missed[i] *= scale;
    });
    double total = 0;
    for (int row = 0; row < n; row++) total += rows[row];
    step.stats.auxLoss = total / variance;
    step.auxErrors = aux;
    step.auxiliary = sortByFeature(step.context, codes, a.shape.f);
  }
  free(dead);
}

// int8 found too little to be trusted: from here on what fp32 finds.
void giveUpInt8(const Context& context, const SaeStepArgs& a) {
  float* smoothing = a.packed->smoothing;
  a.packed->smoothing = nullptr;
  saeReleasePacked(*a.packed);
  a.packed->smoothing = smoothing;
  a.packed->exact = true;
  a.packed->precision = context.tiles->bf16 ? kBf16Panels : kFp32;
  saeAllocatePacked(*a.packed);
  saePack(context, *a.packed, a.params.wEnc);
}

// batchtopk: a cut that is the same for all features, above which everything must have been found
const float* cutOf(const Context& context, int f, float value) {
  float* cut = scratchArray<float>(context, kSlotSaeCut, f);
  for (int j = 0; j < f; j++) cut[j] = value;
  return cut;
}

// The smallest activation of all ranks; 0 where there is none.
float smallestKept(const SaeRanks& ranks, const Codes& codes) {
  double least = -__builtin_inf();  // with its sign changed
  for (int64_t i = 0; i < codes.count; i++) least = -codes.values[i] > least ? -codes.values[i] : least;
  maxOverAll(ranks, &least, 1);
  return least == -__builtin_inf() ? 0 : static_cast<float>(-least);
}

void watchRecall(const Context& context, const SaeStepArgs& a, const float* centred, const float* cut, const Codes& codes) {
  int step = static_cast<int>(a.adam.step), n = a.shape.n;
  if (step % kRecallEvery) return;
  double int8 = a.packed->precision == kInt8Panels;
  maxOverAll(a.ranks, &int8, 1);  // processors may differ, but all ranks check or none
  if (!int8) return;
  int rows = n < kRecallRows ? n : kRecallRows, first = static_cast<int>(static_cast<int64_t>(step) * kRecallRows % (n - rows + 1));
  bool counted = isFirst(a.ranks.features) && isFirst(a.ranks.data);  // one rank adds what was counted before
  double recall[2] = {counted ? a.running[kRecallChecked] * kRecallDecay : 0, counted ? a.running[kRecallMissed] * kRecallDecay : 0};
  checkRecall(context, a.params, a.shape, centred, a.form, cut, a.ranks, codes, first, rows, recall[0], recall[1]);
  sumOverAll(a.ranks, recall, 2);
  double checked = recall[0], missed = recall[1];
  a.running[kRecallChecked] = static_cast<float>(checked);
  a.running[kRecallMissed] = static_cast<float>(missed);
  if (checked >= kRecallEnough && missed > kRecallMisses * checked) a.running[kRecallFailed] = 1;
}

// The threshold that makes inference independent of the batch: the moving average of the smallest activation kept.
void followThreshold(float* running, float smallest) {
  float& average = running[kThreshold];
  if (smallest > 0) average = average > 0 ? 0.99f * average + 0.01f * smallest : smallest;
}

// Each rank knows the penalties of its features (on all rows) and the errors of its rows.
void joinStatistics(const SaeRanks& ranks, SaeStepStats& stats) {
  double ofFeatures[] = {stats.sparsity, stats.preActLoss, stats.l0}, ofRows[] = {stats.squaredError, stats.prefixError, stats.auxLoss};
  sumOver(ranks.features, ofFeatures, 3);
  sumOver(ranks.data, ofRows, 3);
  maxOver(ranks.features, &stats.maxDensity, 1);
  stats.sparsity = ofFeatures[0];
  stats.preActLoss = ofFeatures[1];
  stats.l0 = ofFeatures[2];
  stats.squaredError = ofRows[0];
  stats.prefixError = ofRows[1];
  stats.auxLoss = ofRows[2];
}

// Whether to multiply matrices: codes of ReLU-like autoencoders start dense (and nothing is known of them at the first step).
bool isDense(const SaeStepArgs& a) {
  bool byCut = a.form.kind == kRelu || a.form.kind == kJumpRelu || a.form.kind == kGated;
  return byCut && a.prefixCount == 1 && (a.running[kDensity] == 0 || a.running[kDensity] > kDenseAbove);
}

PairRule ruleOf(const SaeStepArgs& a) {
  float n = static_cast<float>(a.ranks.totalRows);
  return {a.form.kind, a.penalty, a.coefficient / n, a.bandwidth, a.tanhScale, a.preAct / n};
}

}  // namespace

void saeStep(const Context& context, const SaeStepArgs& args, SaeStepStats& stats) {
  SaeStepArgs a = args;
  stats = {};
  stats.badRow = -1;
  CleanBatch clean;
  if (!takeGoodRows(context, a, stats, clean)) return;
  if (a.running[kRecallFailed] != 0 && a.packed->precision == kInt8Panels) giveUpInt8(context, a);
  stats.precision = a.packed->exact ? kFp32 : a.packed->precision;
  stats.scanned = kFp32;
  int n = a.shape.n, d = a.shape.d;
  size_t outputs = static_cast<size_t>(n) * a.shape.dOut;
  bool dense = isDense(a), gated = a.form.kind == kGated;
  double start = milliseconds();
  float* centred = scratchArray<float>(context, kSlotSaeCentered, static_cast<size_t>(n) * d + d);
  centreRows(context, centred, a.x, a.form.subtractDecoderBias ? a.params.bDec : nullptr, n, d);
  Step step{context, a, stats, ruleOf(a), featureConstants(context, a.params, a.shape, a.form, a.penalty, a.bandwidth), centred, nullptr, nullptr, nullptr, {}, {}, {}, nullptr};
  step.errors = scratchArray<float>(context, kSlotSaeError, outputs * (a.prefixCount + gated));
  if (gated) step.gateErrors = step.errors + outputs;
  if (a.preAct > 0) {
    float* sums = centred + static_cast<size_t>(n) * d;
    columnSums(context, sums, centred, n, d, false);
    sumOver(a.ranks.data, sums, d);
    step.columnSum = sums;
  }
  Codes support, auxiliary;
  if (!dense) {
    bool exact = a.running[kDensity] > kExactAbove && a.form.kind != kTopK;
    encodeSupport(context, a.params, a.shape, centred, {nullptr, a.shape.f}, a.form, step.constants, exact ? nullptr : a.packed, a.running[kThreshold], a.ranks, support);
    bool batch = a.form.kind == kBatchTopK;
    float smallest = batch ? smallestKept(a.ranks, support) : 0;
    if (batch) followThreshold(a.running, smallest);
    if (!exact) stats.scanned = a.packed->precision;
    if (!exact) watchRecall(context, a, centred, batch ? cutOf(context, a.shape.f, smallest) : step.constants.cut, support);
  }
  double encoded = milliseconds();
  reconstruct(step, dense ? nullptr : &support);
  if (a.auxCount > 0) explainResidual(step, auxiliary);
  double decoded = milliseconds();
  if (!dense && isBlocked(support, a.shape.f)) step.many = cutByFeatures(context, support, a.shape.f);
  else if (!dense) {
    step.main = sortByFeature(context, support, a.shape.f);
    releaseCodes(support);
  }
  updateAll(step, dense);
  joinStatistics(a.ranks, stats);
  a.running[kDensity] = static_cast<float>(stats.l0 / a.ranks.totalFeatures);
  releaseCodes(support);
  releaseCodes(auxiliary);
  step.main.release();
  step.auxiliary.release();
  double updated = milliseconds();
  stats.encodeMs = encoded - start;
  stats.decodeMs = decoded - encoded;
  stats.updateMs = updated - decoded;
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
