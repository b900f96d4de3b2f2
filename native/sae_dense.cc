// The way for codes that are not sparse yet (the first steps of ReLU autoencoders): matrix products over blocks of features, so that
// memory still does not grow with rows times features.
#include "gemm.h"
#include "micro_kernel.h"
#include "sae_update.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

// pre [n, count] of the features first .. first + count - 1
void preActivations(const Step& step, int first, int count, float* pre) {
  const SaeStepArgs& a = step.a;
  const float* w = a.params.wEnc + static_cast<size_t>(first) * a.shape.d;
  gemm(step.context, {a.shape.n, count, a.shape.d, step.centred, a.shape.d, 1, w, 1, a.shape.d, pre, count, a.params.bEnc + first, false});
}

// out [n, count] = rows [n, dOut] W_dec^T
void alongDecoder(const Step& step, int first, int count, const float* rows, float* out) {
  const SaeStepArgs& a = step.a;
  const float* w = a.params.wDec + static_cast<size_t>(first) * a.shape.dOut;
  gemm(step.context, {a.shape.n, count, a.shape.dOut, rows, a.shape.dOut, 1, w, 1, a.shape.dOut, out, count, nullptr, false});
}

// rows [n, dOut] += values [n, count] W_dec
void addDecoded(const Step& step, int first, int count, const float* values, float* rows) {
  const SaeStepArgs& a = step.a;
  const float* w = a.params.wDec + static_cast<size_t>(first) * a.shape.dOut;
  gemm(step.context, {a.shape.n, a.shape.dOut, count, values, count, 1, w, a.shape.dOut, 1, rows, a.shape.dOut, nullptr, true});
}

// out [count, width] = weights [n, count]^T rows [n, width]
void weightedSums(const Step& step, int count, const float* weights, const float* rows, int width, float* out) {
  gemm(step.context, {count, width, step.a.shape.n, weights, 1, count, rows, width, 1, out, width, nullptr, false});
}

struct Blocks {
  float *a, *b, *c;
};

Blocks blocksFor(const Step& step) {
  size_t size = static_cast<size_t>(step.a.shape.n) * kDenseFeatures;
  float* b = scratchArray<float>(step.context, kSlotSaeDenseB, step.gateErrors ? 2 * size : size);
  return {scratchArray<float>(step.context, kSlotSaeDenseA, size), b, step.gateErrors ? b + size : nullptr};
}

}  // namespace

void denseForward(Step& step) {
  const SaeStepArgs& a = step.a;
  Blocks block = blocksFor(step);
  for (int first = 0; first < a.shape.f; first += kDenseFeatures) {
    int count = a.shape.f - first < kDenseFeatures ? a.shape.f - first : kDenseFeatures;
    preActivations(step, first, count, block.a);
    forRows(step.context, a.shape.n, [&](int row) {
      float* pre = block.a + static_cast<size_t>(row) * count;
      float* gate = block.b + static_cast<size_t>(row) * count;
      for (int j = 0; j < count; j++) {
        if (step.gateErrors) gate[j] = pre[j] > 0 ? pre[j] : 0.0f;
        pre[j] = activate(a.form, a.params, step.constants, first + j, pre[j]);
      }
    });
    addDecoded(step, first, count, block.a, step.errors);
    if (step.gateErrors) addDecoded(step, first, count, block.b, step.gateErrors);
  }
}

void denseGradients(Step& step, int first, int count, float* gDec, float* gEnc, FeatureSums* sums) {
  const SaeStepArgs& a = step.a;
  Blocks block = blocksFor(step);
  preActivations(step, first, count, block.a);
  alongDecoder(step, first, count, step.errors, block.b);
  if (step.gateErrors) alongDecoder(step, first, count, step.gateErrors, block.c);
  constexpr int kStripe = 16;
  parallelFor(step.context, ceilDiv(count, kStripe), [&](int task, int) {
    int j0 = task * kStripe, width = count - j0 < kStripe ? count - j0 : kStripe;
    FeatureValues values[kStripe];
    FeatureSums own[kStripe];
    for (int j = 0; j < width; j++) values[j] = featureValues(step, first + j0 + j);
    const float* cut = step.constants.cut + first + j0;
    for (int row = 0; row < a.shape.n; row++) {
      size_t at = static_cast<size_t>(row) * count + j0;
      for (int j = 0; j < width; j++) {
        float pre = block.a[at + j], f = 0, dpre = 0;
        if (pre > cut[j]) dpre = pairGradient(step.rule, values[j], pre, block.b[at + j], block.c ? block.c[at + j] : 0.0f, own[j], f);
        block.a[at + j] = f;
        block.b[at + j] = dpre;
      }
    }
    for (int j = 0; j < width; j++) sums[j0 + j] = own[j];
  });
  weightedSums(step, count, block.a, step.errors, a.shape.dOut, gDec);
  weightedSums(step, count, block.b, step.centred, a.shape.d, gEnc);
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
