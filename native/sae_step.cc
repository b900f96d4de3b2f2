// One training step of a sparse autoencoder. Everything after the encoder touches only (token, feature) pairs that are
// active; gradients are formed feature by feature and used at once, so they are never stored. All sums have an order fixed by
// the data, so the thread count does not change a bit.
#include <math.h>
#include <stdlib.h>

#include "adam.h"
#include "elementwise.h"
#include "sae.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

// The active pairs of one loss term: df is the gradient of the loss with respect to each value, and error [n, d] the
// gradient with respect to the reconstruction.
struct Term {
  Codes codes;
  float* df = nullptr;
  float* error = nullptr;
};

// One pair as the feature loop reads it.
struct Entry {
  int32_t row;
  float value, df;
};

// The pairs of a term sorted by feature, rows ascending.
struct ByFeature {
  int32_t* offsets = nullptr;  // [f + 1]
  Entry* entries = nullptr;
};

void releaseTerm(Term& term, ByFeature& sorted) {
  releaseCodes(term.codes);
  free(term.df);
  free(sorted.offsets);
  free(sorted.entries);
}

// Counting sort in row chunks whose number does not depend on the threads.
ByFeature sortByFeature(const Context& context, const Term& term, int f) {
  constexpr int kChunks = 8;
  int n = term.codes.rows;
  ByFeature sorted;
  sorted.offsets = static_cast<int32_t*>(malloc(sizeof(int32_t) * (f + 1)));
  sorted.entries = static_cast<Entry*>(malloc(sizeof(Entry) * (term.codes.count + 1)));
  int32_t* next = static_cast<int32_t*>(scratchBytes(context.scratch, kSlotSaeColumns, sizeof(int32_t) * static_cast<size_t>(kChunks) * f));
  memset(next, 0, sizeof(int32_t) * static_cast<size_t>(kChunks) * f);
  const int32_t* offsets = term.codes.rowOffsets;
  auto firstRow = [n](int chunk) { return static_cast<int>(static_cast<int64_t>(n) * chunk / kChunks); };
  parallelFor(context, kChunks, [&](int chunk, int) {
    int32_t* counts = next + static_cast<size_t>(chunk) * f;
    for (int i = offsets[firstRow(chunk)]; i < offsets[firstRow(chunk + 1)]; i++) counts[term.codes.featureIds[i]]++;
  });
  int32_t total = 0;
  for (int j = 0; j < f; j++) {
    sorted.offsets[j] = total;
    for (int chunk = 0; chunk < kChunks; chunk++) {
      int32_t& slot = next[static_cast<size_t>(chunk) * f + j];
      int32_t count = slot;
      slot = total;
      total += count;
    }
  }
  sorted.offsets[f] = total;
  parallelFor(context, kChunks, [&](int chunk, int) {
    int32_t* slots = next + static_cast<size_t>(chunk) * f;
    for (int row = firstRow(chunk); row < firstRow(chunk + 1); row++)
      for (int i = offsets[row]; i < offsets[row + 1]; i++)
        sorted.entries[slots[term.codes.featureIds[i]]++] = {row, term.codes.values[i], term.df[i]};
  });
  return sorted;
}

template <class Body>
void forRowChunks(const Context& context, int n, Body body) {
  constexpr int kRows = 16;
  parallelFor(context, (n + kRows - 1) / kRows, [&](int task, int) {
    for (int row = task * kRows; row < n && row < (task + 1) * kRows; row++) body(row);
  });
}

// Decodes, leaves error = 2 (xHat - x) / n and df = error . d_j + lambda / n; sums the loss in row order.
void mainTerm(const Context& context, const SaeStepArgs& a, Term& term, SaeStepStats& stats) {
  int n = a.shape.n, d = a.shape.d;
  double* squared = static_cast<double*>(scratchBytes(context.scratch, kSlotSaeRows, sizeof(double) * 2 * n));
  double* l1 = squared + n;
  term.df = static_cast<float*>(malloc(sizeof(float) * (term.codes.count + 1)));
  float gradientScale = 2.0f / n, penalty = a.l1Coefficient / n;
  forRowChunks(context, n, [&](int row) {
    const float* x = a.x + static_cast<size_t>(row) * d;
    float* error = term.error + static_cast<size_t>(row) * d;
    decodeRow(error, a.params.bDec, term.codes, row, a.params.wDec, d);
    axpy(error, -1.0f, x, d);
    squared[row] = dot(error, error, d);
    for (int i = 0; i < d; i++) error[i] *= gradientScale;
    double active = 0;
    for (int i = term.codes.rowOffsets[row]; i < term.codes.rowOffsets[row + 1]; i++) {
      active += term.codes.values[i];
      term.df[i] = dot(error, a.params.wDec + static_cast<size_t>(term.codes.featureIds[i]) * d, d) + penalty;
    }
    l1[row] = active;
  });
  double squaredTotal = 0, l1Total = 0;
  for (int row = 0; row < n; row++) {
    squaredTotal += squared[row];
    l1Total += l1[row];
  }
  stats.squaredError = squaredTotal / n;
  stats.l1 = l1Total / n;
  stats.l0 = static_cast<double>(term.codes.count) / n;
}

// sum over rows of ||r - mean r||^2 for r = -error n / 2.
double residualVariance(const Context& context, const float* error, int n, int d) {
  float* mean = static_cast<float*>(scratchBytes(context.scratch, kSlotReduce, sizeof(float) * d));
  columnSums(context, mean, error, n, d, false);
  for (int i = 0; i < d; i++) mean[i] /= n;
  double* rows = static_cast<double*>(scratchBytes(context.scratch, kSlotSaeRows, sizeof(double) * n));
  forRowChunks(context, n, [&](int row) {
    const float* e = error + static_cast<size_t>(row) * d;
    double total = 0;
    for (int i = 0; i < d; i++) total += static_cast<double>(e[i] - mean[i]) * (e[i] - mean[i]);
    rows[row] = total;
  });
  double total = 0;
  for (int row = 0; row < n; row++) total += rows[row];
  return total * n * n / 4;
}

// Gao et al. 2024: the top dead features reconstruct the residual r = x - xHat; loss ||r - rHat||^2 / var(r).
void auxiliaryTerm(const Context& context, const SaeStepArgs& a, const float* centred, const Term& main, Term& aux, SaeStepStats& stats) {
  int n = a.shape.n, d = a.shape.d;
  int32_t* dead = static_cast<int32_t*>(malloc(sizeof(int32_t) * a.shape.f));
  int deadCount = 0;
  for (int j = 0; j < a.shape.f; j++)
    if (a.tokensSinceFired[j] >= a.deadAfterTokens) dead[deadCount++] = j;
  stats.dead = deadCount;
  double variance = deadCount ? residualVariance(context, main.error, n, d) : 0;
  if (deadCount && variance > 0) {
    SaeActivation activation{true, a.auxCount < deadCount ? a.auxCount : deadCount};
    encodeRows(context, a.params, a.shape, centred, {dead, deadCount}, activation, aux.codes);
    aux.df = static_cast<float*>(malloc(sizeof(float) * (aux.codes.count + 1)));
    aux.error = static_cast<float*>(scratchBytes(context.scratch, kSlotSaeAuxError, sizeof(float) * static_cast<size_t>(n) * d));
    double* rows = static_cast<double*>(scratchBytes(context.scratch, kSlotSaeRows, sizeof(double) * n));
    float toResidual = -0.5f * n, scale = static_cast<float>(2.0 * a.auxCoefficient / variance);
    forRowChunks(context, n, [&](int row) {
      float* error = aux.error + static_cast<size_t>(row) * d;
      decodeRow(error, nullptr, aux.codes, row, a.params.wDec, d);
      axpy(error, -toResidual, main.error + static_cast<size_t>(row) * d, d);
      rows[row] = dot(error, error, d);
      for (int i = 0; i < d; i++) error[i] *= scale;
      for (int i = aux.codes.rowOffsets[row]; i < aux.codes.rowOffsets[row + 1]; i++)
        aux.df[i] = dot(error, a.params.wDec + static_cast<size_t>(aux.codes.featureIds[i]) * d, d);
    });
    double total = 0;
    for (int row = 0; row < n; row++) total += rows[row];
    stats.auxLoss = total / variance;
  }
  free(dead);
}

// gDec += sum value * error[row], gEnc += sum df * centred[row]; returns sum df.
float addGradients(float* gDec, float* gEnc, const Term& term, const ByFeature& sorted, int feature, const float* centred, int d) {
  float sumDf = 0;
  int i = sorted.offsets[feature], end = sorted.offsets[feature + 1];
  const Entry* e = sorted.entries;
  auto at = [d](const float* rows, int row) { return rows + static_cast<size_t>(row) * d; };
  for (; i + 4 <= end; i += 4) {
    float values[4] = {e[i].value, e[i + 1].value, e[i + 2].value, e[i + 3].value};
    float dfs[4] = {e[i].df, e[i + 1].df, e[i + 2].df, e[i + 3].df};
    axpy4(gDec, values, at(term.error, e[i].row), at(term.error, e[i + 1].row), at(term.error, e[i + 2].row), at(term.error, e[i + 3].row), d);
    axpy4(gEnc, dfs, at(centred, e[i].row), at(centred, e[i + 1].row), at(centred, e[i + 2].row), at(centred, e[i + 3].row), d);
    sumDf += (dfs[0] + dfs[1]) + (dfs[2] + dfs[3]);
  }
  for (; i < end; i++) {
    axpy(gDec, e[i].value, at(term.error, e[i].row), d);
    axpy(gEnc, e[i].df, at(centred, e[i].row), d);
    sumDf += e[i].df;
  }
  return sumDf;
}

// Adam on one feature's rows, with Bricken et al.'s projection and renormalisation of the decoder row.
void updateFeature(const SaeStepArgs& a, int feature, float* gDec, const float* gEnc, float gBias, const AdamFactors& factors) {
  int d = a.shape.d;
  size_t at = static_cast<size_t>(feature) * d;
  float* row = a.params.wDec + at;
  if (a.unitNormDecoder) axpy(gDec, -dot(gDec, row, d), row, d);
  adamRun(row, gDec, a.m.wDec + at, a.v.wDec + at, d, 1.0f, factors);
  if (a.unitNormDecoder) {
    float norm = sqrtf(dot(row, row, d));
    if (norm > 0) {
      float inverse = 1.0f / norm;
      for (int i = 0; i < d; i++) row[i] *= inverse;
    }
  }
  adamRun(a.params.wEnc + at, gEnc, a.m.wEnc + at, a.v.wEnc + at, d, 1.0f, factors);
  adamRun(a.params.bEnc + feature, &gBias, a.m.bEnc + feature, a.v.bEnc + feature, 1, 1.0f, factors);
}

// Gradients and updates of all features, then of the decoder bias:
// d bDec = sum_n dxHat - sum_j (d bEnc_j) wEnc_j, the second part through the encoder's input x - bDec.
void updateParameters(const Context& context, const SaeStepArgs& a, const float* centred, const Term* terms, const ByFeature* sorted, int termCount) {
  constexpr int kFeatures = 32;
  int d = a.shape.d, f = a.shape.f, tasks = (f + kFeatures - 1) / kFeatures;
  AdamFactors factors = adamFactors(a.adam);
  float* biasParts = static_cast<float*>(scratchBytes(context.scratch, kSlotReduce, sizeof(float) * static_cast<size_t>(tasks + 1) * d));
  memset(biasParts, 0, sizeof(float) * static_cast<size_t>(tasks) * d);
  parallelFor(context, tasks, [&](int task, int worker) {
    float* gDec = static_cast<float*>(scratchBytes(context.scratch, kSlotPerWorker + worker, sizeof(float) * 2 * d));
    float* gEnc = gDec + d;
    for (int feature = task * kFeatures; feature < f && feature < (task + 1) * kFeatures; feature++) {
      memset(gDec, 0, sizeof(float) * 2 * d);
      float gBias = 0;
      for (int t = 0; t < termCount; t++) gBias += addGradients(gDec, gEnc, terms[t], sorted[t], feature, centred, d);
      axpy(biasParts + static_cast<size_t>(task) * d, -gBias, a.params.wEnc + static_cast<size_t>(feature) * d, d);
      updateFeature(a, feature, gDec, gEnc, gBias, factors);
      bool fired = sorted[0].offsets[feature + 1] > sorted[0].offsets[feature];
      int32_t& since = a.tokensSinceFired[feature];
      since = fired ? 0 : (since > (1 << 30) - a.shape.n ? 1 << 30 : since + a.shape.n);
    }
  });
  float* gradient = biasParts + static_cast<size_t>(tasks) * d;
  columnSums(context, gradient, biasParts, tasks, d, false);
  columnSums(context, gradient, terms[0].error, a.shape.n, d, true);
  adamRun(a.params.bDec, gradient, a.m.bDec, a.v.bDec, d, 1.0f, factors);
}

}  // namespace

void saeStep(const Context& context, const SaeStepArgs& a, SaeStepStats& stats) {
  size_t batchBytes = sizeof(float) * static_cast<size_t>(a.shape.n) * a.shape.d;
  float* centred = static_cast<float*>(scratchBytes(context.scratch, kSlotSaeCentered, batchBytes));
  centreRows(context, centred, a.x, a.params.bDec, a.shape.n, a.shape.d);
  Term terms[2];
  ByFeature sorted[2];
  stats = {};
  encodeRows(context, a.params, a.shape, centred, {nullptr, a.shape.f}, a.activation, terms[0].codes);
  terms[0].error = static_cast<float*>(scratchBytes(context.scratch, kSlotSaeError, batchBytes));
  mainTerm(context, a, terms[0], stats);
  if (a.auxK) auxiliaryTerm(context, a, centred, terms[0], terms[1], stats);
  int termCount = terms[1].df ? 2 : 1;
  for (int t = 0; t < termCount; t++) sorted[t] = sortByFeature(context, terms[t], a.shape.f);
  updateParameters(context, a, centred, terms, sorted, termCount);
  for (int t = 0; t < 2; t++) releaseTerm(terms[t], sorted[t]);
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
