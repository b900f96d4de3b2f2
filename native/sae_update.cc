// Gradients by feature, Adam, renormalisation, repacking. All sums have an order fixed by the data, so the thread count does not change a bit.
// A feature's gradients are formed from pairs and finished at once; between the two, replicas sum theirs (sae_replicas.cc).
#include "sae_update.h"

#include <stdlib.h>

#include "elementwise.h"
#include "gemm.h"
#include "micro_kernel.h"
#include "sae_exchange.h"
#include "sae_near.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

PassTotals passTotals(const Context& context, int panels, int d) {
  size_t words = static_cast<size_t>(panels) * d;
  char* memory = scratchArray<char>(context, kSlotReduce, 32 + panels * (4 * sizeof(double) + sizeof(int)) + words * sizeof(float) + d * sizeof(float));
  double* squares = reinterpret_cast<double*>(memory);
  PassTotals totals{nullptr, squares, squares + panels, squares + 2 * panels, squares + 3 * panels, nullptr};
  totals.bias = reinterpret_cast<float*>(squares + 4 * panels);
  totals.largest = reinterpret_cast<int*>(totals.bias + words + d);
  memset(memory, 0, panels * (4 * sizeof(double)) + (words + d) * sizeof(float) + panels * sizeof(int));
  return totals;
}

// Adds the pairs entries[i .. end-1] of one feature. The result does not depend on how pairs are grouped.
template <bool gated>
void addPairs(const PairRule& rule, const FeatureValues& v, const Entry* entries, int i, int end, const float* errors, const float* gateErrors,
              const float* centred, const float* wDec, int d, int dOut, const FeatureGradients& to) {
  auto four = [&](const float* base, int width, const float** rows, int count) {
    for (int r = 0; r < count; r++) rows[r] = base + static_cast<size_t>(entries[i + r].row) * width;
  };
  const float *e[4], *g[4], *x[4];
  float dError[4], dGate[4] = {}, f[4], dpre[4];
  for (; i + 4 <= end; i += 4) {
    four(errors, dOut, e, 4);
    four(centred, d, x, 4);
    dotRows<4>(dError, wDec, e, dOut);
    if (gated) {
      four(gateErrors, dOut, g, 4);
      dotRows<4>(dGate, wDec, g, dOut);
    }
    for (int r = 0; r < 4; r++) dpre[r] = pairGradient(rule, v, entries[i + r].pre, dError[r], dGate[r], *to.sums, f[r]);
    axpy4(to.dec, f, e[0], e[1], e[2], e[3], dOut);
    axpy4(to.enc, dpre, x[0], x[1], x[2], x[3], d);
  }
  for (; i < end; i++) {
    four(errors, dOut, e, 1);
    four(centred, d, x, 1);
    dotRows<1>(dError, wDec, e, dOut);
    if (gated) {
      four(gateErrors, dOut, g, 1);
      dotRows<1>(dGate, wDec, g, dOut);
    }
    dpre[0] = pairGradient(rule, v, entries[i].pre, dError[0], dGate[0], *to.sums, f[0]);
    axpy(to.dec, f[0], e[0], dOut);
    axpy(to.enc, dpre[0], x[0], d);
  }
}

void addMainPairs(const Step& step, int j, const FeatureGradients& to) {
  const SaeStepArgs& a = step.a;
  int begin = step.main.offsets[j], end = step.main.offsets[j + 1];
  const float* errors = step.errors + static_cast<size_t>(prefixOf(a, j)) * a.shape.n * a.shape.dOut;
  const float* row = a.params.wDec + static_cast<size_t>(j) * a.shape.dOut;
  auto add = step.gateErrors ? addPairs<true> : addPairs<false>;
  add(step.rule, featureValues(step, j), step.main.items, begin, end, errors, step.gateErrors, step.centred, row, a.shape.d, a.shape.dOut, to);
}

// The pre-activation penalty on all pairs below the threshold: on every pair, less what active pairs were let go of.
void addPreActivationPenalty(const Step& step, int j, const FeatureValues& v, float* gEnc, FeatureSums& sums) {
  const SaeStepArgs& a = step.a;
  double n = a.ranks.totalRows, pull = step.rule.preAct * v.norm;
  double below = n * (v.theta - v.bEnc) - dot(a.params.wEnc + static_cast<size_t>(j) * a.shape.d, step.columnSum, a.shape.d) - sums.gap;
  axpy(gEnc, static_cast<float>(-pull), step.columnSum, a.shape.d);
  sums.pre -= pull * n;
  sums.bEnc -= pull * n;
  sums.threshold += pull * (n - sums.active);
  sums.norm += step.rule.preAct * below;
  sums.gap = below * v.norm;  // from here on: what the penalty amounts to
}

double square(double x) { return x * x; }

// Adam on everything that belongs to feature j, with Bricken et al.'s projection and renormalisation of the decoder row.
void updateFeature(const Step& step, const Pass& pass, int j, const FeatureGradients& g) {
  const SaeStepArgs& a = step.a;
  const FeatureSums& sums = *g.sums;
  auto rows = [&](float* p, float* m, float* v, const float* gradient, int width) {
    size_t at = static_cast<size_t>(j) * width;
    adamRun(p + at, gradient, m + at, v + at, width, pass.scale, pass.adam);
  };
  auto scalar = [&](float* p, float* m, float* v, double gradient) {
    float single = static_cast<float>(gradient);
    if (p) adamRun(p + j, &single, m + j, v + j, 1, pass.scale, pass.adam);
  };
  if (!a.freezeDecoder) rows(a.params.wDec, a.m.wDec, a.v.wDec, g.dec, a.shape.dOut);
  rows(a.params.wEnc, a.m.wEnc, a.v.wEnc, g.enc, a.shape.d);
  scalar(a.params.bEnc, a.m.bEnc, a.v.bEnc, sums.bEnc);
  scalar(a.params.threshold, a.m.threshold, a.v.threshold, sums.threshold);
  scalar(a.params.rMag, a.m.rMag, a.v.rMag, sums.rMag);
  scalar(a.params.bMag, a.m.bMag, a.v.bMag, sums.bMag);
  if (a.params.threshold && !a.form.logThreshold && a.params.threshold[j] < 0) a.params.threshold[j] = 0;
  if (!a.unitNormDecoder || a.freezeDecoder) return;
  float* row = a.params.wDec + static_cast<size_t>(j) * a.shape.dOut;
  float norm = sqrtf(dot(row, row, a.shape.dOut));
  if (norm > 0)
    for (int i = 0; i < a.shape.dOut; i++) row[i] *= 1.0f / norm;
}

// Each task forms gradients of its features, all at once or one by one, and finishes them in order.
void sparsePass(const Step& step, const Pass& pass) {
  const SaeStepArgs& a = step.a;
  int f = a.shape.f, d = a.shape.d, dOut = a.shape.dOut, share = featuresPerTask(step, f), together = step.many.codes ? share : 1;
  size_t gradientBytes = sizeof(float) * static_cast<size_t>(share) * (d + dOut);
  size_t panelBytes = panelScratchBytes(d), formingBytes = sizeof(float) * formingFloats(step, share);
  size_t scratchSize = gradientBytes + (panelBytes > formingBytes ? panelBytes : formingBytes);
  parallelFor(step.context, ceilDiv(f, share), [&](int task, int worker) {
    int first = task * share, end = first + share < f ? first + share : f;
    char* scratch = static_cast<char*>(scratchBytes(step.context.scratch, kSlotPerWorker + worker, scratchSize));
    FeatureSums sums[kMostFeatures];
    FeatureGradients places[kMostFeatures];
    for (int j = 0; first + j < end; j++) {
      float* dec = reinterpret_cast<float*>(scratch) + static_cast<size_t>(j) * (d + dOut);
      places[j] = {dec, dec + dOut, &sums[j]};
    }
    for (int j = first; j < end; j++) {
      const FeatureGradients& place = places[j - first];
      if ((j - first) % together == 0) formGradients(step, j, together < end - j ? together : end - j, &place, reinterpret_cast<float*>(scratch + gradientBytes));
      finishFeature(step, pass, j / NR, j, place);
      if (pass.update && (j + 1 == end || (j + 1) % NR == 0)) packFeaturePanel(*a.packed, a.params.wEnc, j / NR, scratch + gradientBytes);
    }
  });
}

void densePass(Step& step, const Pass& pass) {
  const SaeStepArgs& a = step.a;
  int d = a.shape.d, dOut = a.shape.dOut;
  float* gDec = scratchArray<float>(step.context, kSlotSaeGradients, static_cast<size_t>(kDenseFeatures) * (d + dOut));
  float* gEnc = gDec + static_cast<size_t>(kDenseFeatures) * dOut;
  FeatureSums* sums = static_cast<FeatureSums*>(malloc(sizeof(FeatureSums) * kDenseFeatures));
  if (!sums) abort();
  for (int first = 0; first < a.shape.f; first += kDenseFeatures) {
    int count = a.shape.f - first < kDenseFeatures ? a.shape.f - first : kDenseFeatures;
    denseGradients(step, first, count, gDec, gEnc, sums);
    parallelFor(step.context, ceilDiv(count, NR), [&](int task, int worker) {
      for (int j = task * NR; j < count && j < task * NR + NR; j++) {
        FeatureGradients own{gDec + static_cast<size_t>(j) * dOut, gEnc + static_cast<size_t>(j) * d, &sums[j]};
        addAuxiliaryPairs(step, first + j, own);
        finishFeature(step, pass, first / NR + task, first + j, own);
      }
      if (pass.update)
        packFeaturePanel(*a.packed, a.params.wEnc, first / NR + task, scratchBytes(step.context.scratch, kSlotPerWorker + worker, panelScratchBytes(d)));
    });
  }
  free(sums);
}

// d bDec = sum over rows of the error of the first prefix (which has all), less what went through the encoder's input. The errors are those
// of this rank's rows, the other part is already that of all rows: one replica adds it.
float* decoderBiasGradient(const Step& step, const PassTotals& totals, int panels) {
  const SaeShape& s = step.a.shape;
  const SaeRanks& ranks = step.a.ranks;
  float* gradient = totals.bias + static_cast<size_t>(panels) * s.dOut;
  columnSums(step.context, gradient, totals.bias, panels, s.dOut, false);
  sumOver(ranks.features, gradient, s.dOut);
  if (!isFirst(ranks.data)) memset(gradient, 0, sizeof(float) * s.dOut);
  columnSums(step.context, gradient, step.errors, s.n, s.dOut, true);
  sumOver(ranks.data, gradient, s.dOut);
  return gradient;
}

// d wSkip = x^T error
float* skipGradient(const Step& step) {
  const SaeShape& s = step.a.shape;
  if (!step.a.params.wSkip) return nullptr;
  float* gradient = scratchArray<float>(step.context, kSlotSaeSkip, static_cast<size_t>(s.d) * s.dOut);
  gemm(step.context, {s.d, s.dOut, s.n, step.a.x, 1, s.d, step.errors, s.dOut, 1, gradient, s.dOut, nullptr, false});
  sumGradients(step.a.ranks, gradient, static_cast<int64_t>(s.d) * s.dOut);
  return gradient;
}

// The L2 norm of the whole gradient. What all ranks have is counted by the first of those with other features.
double gradientNorm(const Step& step, const PassTotals& totals, int panels) {
  const SaeStepArgs& a = step.a;
  float *bias = decoderBiasGradient(step, totals, panels), *skip = skipGradient(step);
  double squares = 0;
  if (isFirst(a.ranks.features)) {
    squares = dot(bias, bias, a.shape.dOut);
    if (skip) squares += dot(skip, skip, a.shape.d * a.shape.dOut);
  }
  for (int p = 0; p < panels; p++) squares += totals.squares[p];
  sumOver(a.ranks.features, &squares, 1);
  return sqrt(squares);
}

}  // namespace

void addAuxiliaryPairs(const Step& step, int j, const FeatureGradients& to) {
  if (!step.auxiliary.offsets) return;
  const SaeStepArgs& a = step.a;
  FeatureSums own;
  PairRule plain{kRelu, kNoPenalty, 0, 0, 0, 0};
  addPairs<false>(plain, featureValues(step, j), step.auxiliary.items, step.auxiliary.offsets[j], step.auxiliary.offsets[j + 1], step.auxErrors, nullptr,
                  step.centred, a.params.wDec + static_cast<size_t>(j) * a.shape.dOut, a.shape.d, a.shape.dOut, {to.dec, to.enc, &own});
  to.sums->pre += own.pre;
  to.sums->bEnc += own.bEnc;
}

// From the sums over a feature's pairs to its update (or, in the first pass of clipping, to its part of the norm).
void finishFeature(const Step& step, const Pass& pass, int panel, int j, const FeatureGradients& g) {
  const SaeStepArgs& a = step.a;
  FeatureSums& sums = *g.sums;
  FeatureValues v = featureValues(step, j);
  const float* row = a.params.wDec + static_cast<size_t>(j) * a.shape.dOut;
  if (step.columnSum) addPreActivationPenalty(step, j, v, g.enc, sums);
  if (v.norm > 0) axpy(g.dec, static_cast<float>(sums.norm / v.norm), row, a.shape.dOut);
  if (a.form.logThreshold) sums.threshold *= v.theta;
  if (a.unitNormDecoder) axpy(g.dec, -dot(g.dec, row, a.shape.dOut), row, a.shape.dOut);
  if (a.form.subtractDecoderBias)
    axpy(pass.totals.bias + static_cast<size_t>(panel) * a.shape.dOut, static_cast<float>(-sums.pre), a.params.wEnc + static_cast<size_t>(j) * a.shape.d, a.shape.d);
  if (!pass.update) {
    double decoder = a.freezeDecoder ? 0 : dot(g.dec, g.dec, a.shape.dOut);
    pass.totals.squares[panel] += decoder + dot(g.enc, g.enc, a.shape.d) + square(sums.bEnc) + square(sums.threshold) + square(sums.rMag) + square(sums.bMag);
    return;
  }
  updateFeature(step, pass, j, g);
  pass.totals.penalty[panel] += sums.penalty;
  pass.totals.gap[panel] += step.columnSum ? sums.gap : 0;
  pass.totals.active[panel] += sums.active;
  if (sums.active > pass.totals.largest[panel]) pass.totals.largest[panel] = static_cast<int>(sums.active);
  int32_t& since = a.tokensSinceFired[j];
  int rows = a.ranks.totalRows;
  since = sums.active > 0 ? 0 : (since > (1 << 30) - rows ? 1 << 30 : since + rows);
}

int featuresPerTask(const Step& step, int features) {
  // a part of whole panels for every thread
  return step.many.codes ? ceilDiv(evenShare(step.context, features, kMostFeatures), NR) * NR : NR;
}

size_t formingFloats(const Step& step, int features) { return step.many.codes ? blockedFloats(step.a.shape, features) : 0; }

void formGradients(const Step& step, int first, int count, const FeatureGradients* places, float* memory) {
  const SaeShape& s = step.a.shape;
  for (int j = 0; j < count; j++) {
    if (!places[j].sums) continue;
    memset(places[j].dec, 0, sizeof(float) * s.dOut);
    memset(places[j].enc, 0, sizeof(float) * s.d);
    *places[j].sums = {};
  }
  if (step.many.codes) formBlocked(step, first, count, places, memory);
  for (int j = 0; j < count; j++) {
    if (!places[j].sums) continue;
    if (!step.many.codes) addMainPairs(step, first + j, places[j]);
    addAuxiliaryPairs(step, first + j, places[j]);
  }
}

void updateAll(Step& step, bool dense) {
  const SaeStepArgs& a = step.a;
  int panels = ceilDiv(a.shape.f, NR);
  Pass pass{true, 1.0f, adamFactors(a.adam), passTotals(step.context, panels, a.shape.dOut)};
  int32_t* exchanged = a.ranks.data ? featuresToExchange(step, dense) : nullptr;
  auto run = [&] { exchanged ? replicasPass(step, pass, exchanged, dense) : dense ? densePass(step, pass) : sparsePass(step, pass); };
  if (a.gradientClip > 0) {
    pass.update = false;
    run();
    step.stats.gradientNorm = gradientNorm(step, pass.totals, panels);
    if (step.stats.gradientNorm > a.gradientClip) pass.scale = static_cast<float>(a.gradientClip / step.stats.gradientNorm);
    pass.update = true;
    pass.totals = passTotals(step.context, panels, a.shape.dOut);
  }
  run();
  free(exchanged);
  if (float* skip = skipGradient(step)) adamRun(a.params.wSkip, skip, a.m.wSkip, a.v.wSkip, a.shape.d * a.shape.dOut, pass.scale, pass.adam);
  adamRun(a.params.bDec, decoderBiasGradient(step, pass.totals, panels), a.m.bDec, a.v.bDec, a.shape.dOut, pass.scale, pass.adam);
  double n = a.ranks.totalRows;
  for (int p = 0; p < panels; p++) {
    step.stats.sparsity += pass.totals.penalty[p] / n;
    step.stats.preActLoss += pass.totals.gap[p] / n;
    step.stats.l0 += pass.totals.active[p] / n;
    if (pass.totals.largest[p] / n > step.stats.maxDensity) step.stats.maxDensity = pass.totals.largest[p] / n;
  }
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
