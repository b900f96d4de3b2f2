// A pass over the features where several ranks have the same features and other rows: each forms the gradients of its rows block by block,
// all sum them, and every one finishes the sums in the same way. Nothing after the sums looks at a rank's own rows: replicas keep the same bits.
#include <stdlib.h>

#include "micro_kernel.h"
#include "sae_exchange.h"
#include "sae_update.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

constexpr int kExchangedFeatures = 2048;  // gradients that cross at once: few large messages, and memory that does not grow with F
static_assert(kExchangedFeatures >= NR, "a block holds a panel");

// A stretch of whole panels, with gradients of those of its features that cross.
struct Block {
  int first, end;         // features
  const int32_t* before;  // of featuresToExchange
  float *dec, *enc;       // [exchanged, dOut] and [exchanged, d], one behind the other
  FeatureSums* sums;      // [exchanged]

  int exchanged() const { return before[end] - before[first]; }
  FeatureGradients place(const SaeShape& s, int j) const {
    if (before[j + 1] == before[j]) return {nullptr, nullptr, nullptr};
    size_t at = before[j] - before[first];
    return {dec + at * s.dOut, enc + at * s.d, sums + at};
  }
};

// As many panels from `first` as fit.
int endOfBlock(const int32_t* before, int first, int f) {
  int end = first;
  auto next = [&] { return end + NR < f ? end + NR : f; };
  while (end < f && before[next()] - before[first] <= kExchangedFeatures) end = next();
  return end;
}

void formDense(Step& step, const Block& block) {
  const SaeShape& s = step.a.shape;
  for (int first = block.first; first < block.end; first += kDenseFeatures) {
    int count = block.end - first < kDenseFeatures ? block.end - first : kDenseFeatures;
    FeatureGradients to = block.place(s, first);
    denseGradients(step, first, count, to.dec, to.enc, to.sums);
  }
  parallelFor(step.context, ceilDiv(block.end - block.first, NR), [&](int panel, int) {
    int first = block.first + panel * NR;
    for (int j = first; j < first + NR && j < block.end; j++) addAuxiliaryPairs(step, j, block.place(s, j));
  });
}

void formSparse(const Step& step, const Block& block) {
  int share = featuresPerTask(step, block.end - block.first);
  parallelFor(step.context, ceilDiv(block.end - block.first, share), [&](int task, int worker) {
    int first = block.first + task * share, count = block.end - first < share ? block.end - first : share;
    FeatureGradients places[kMostFeatures];
    for (int j = 0; j < count; j++) places[j] = block.place(step.a.shape, first + j);
    formGradients(step, first, count, places, scratchArray<float>(step.context, kSlotPerWorker + worker, formingFloats(step, share)));
  });
}

void exchange(const Step& step, const Block& block) {
  const SaeStepArgs& a = step.a;
  int64_t count = block.exchanged();
  if (a.freezeDecoder) sumGradients(a.ranks, block.enc, count * a.shape.d);
  else sumGradients(a.ranks, block.dec, count * (a.shape.d + a.shape.dOut));
  sumOver(a.ranks.data, reinterpret_cast<double*>(block.sums), count * kFeatureSums);
}

// Features that nothing crossed for are updated with gradients of zero.
void finish(const Step& step, const Pass& pass, const Block& block) {
  const SaeStepArgs& a = step.a;
  int d = a.shape.d, dOut = a.shape.dOut;
  size_t zeroBytes = sizeof(float) * static_cast<size_t>(d + dOut);
  parallelFor(step.context, ceilDiv(block.end - block.first, NR), [&](int task, int worker) {
    char* scratch = static_cast<char*>(scratchBytes(step.context.scratch, kSlotPerWorker + worker, zeroBytes + panelScratchBytes(d)));
    float* zeros = reinterpret_cast<float*>(scratch + panelScratchBytes(d));
    int panel = block.first / NR + task;
    for (int j = panel * NR; j < panel * NR + NR && j < block.end; j++) {
      FeatureSums none;
      FeatureGradients gradients = block.place(a.shape, j);
      if (!gradients.sums) {
        memset(zeros, 0, zeroBytes);
        gradients = {zeros, zeros + dOut, &none};
      }
      finishFeature(step, pass, panel, j, gradients);
    }
    if (pass.update) packFeaturePanel(*a.packed, a.params.wEnc, panel, scratch);
  });
}

// bits[j / 8] has a bit for every feature with pairs on this rank.
void markPairs(const ByFeature& pairs, int f, uint8_t* bits) {
  if (!pairs.offsets) return;
  for (int j = 0; j < f; j++)
    if (pairs.offsets[j + 1] > pairs.offsets[j]) bits[j / 8] |= static_cast<uint8_t>(1 << j % 8);
}

void markPairs(const Codes& codes, uint8_t* bits) {
  for (int64_t i = 0; i < codes.count; i++) bits[codes.featureIds[i] / 8] |= static_cast<uint8_t>(1 << codes.featureIds[i] % 8);
}

}  // namespace

int32_t* featuresToExchange(const Step& step, bool dense) {
  const Exchange& replicas = *step.a.ranks.data;
  int f = step.a.shape.f, bytes = ceilDiv(f, 8);
  int32_t* before = static_cast<int32_t*>(malloc(sizeof(int32_t) * (static_cast<size_t>(f) + 1)));
  uint8_t* bits = static_cast<uint8_t*>(calloc(static_cast<size_t>(replicas.ranks) + 1, bytes));
  int64_t* lengths = static_cast<int64_t*>(malloc(sizeof(int64_t) * replicas.ranks));
  if (!before || !bits || !lengths) abort();
  if (dense) memset(bits, 255, bytes);
  else {
    uint8_t* own = bits + static_cast<size_t>(replicas.ranks) * bytes;
    if (step.many.codes) markPairs(*step.many.codes, own);
    markPairs(step.main, f, own);
    markPairs(step.auxiliary, f, own);
    for (int r = 0; r < replicas.ranks; r++) lengths[r] = bytes;
    replicas.allGather(replicas.self, own, bits, lengths);
    for (int r = 1; r < replicas.ranks; r++)
      for (int i = 0; i < bytes; i++) bits[i] |= bits[static_cast<size_t>(r) * bytes + i];
  }
  before[0] = 0;
  for (int j = 0; j < f; j++) before[j + 1] = before[j] + (bits[j / 8] >> j % 8 & 1);
  free(lengths);
  free(bits);
  return before;
}

void replicasPass(Step& step, const Pass& pass, const int32_t* before, bool dense) {
  const SaeShape& s = step.a.shape;
  int most = before[s.f] < kExchangedFeatures ? before[s.f] : kExchangedFeatures;
  float* gradients = scratchArray<float>(step.context, kSlotSaeGradients, static_cast<size_t>(most) * (s.d + s.dOut));
  FeatureSums* sums = static_cast<FeatureSums*>(malloc(sizeof(FeatureSums) * (most + 1)));
  if (!sums) abort();
  for (int first = 0, end; first < s.f; first = end) {
    end = endOfBlock(before, first, s.f);
    Block block{first, end, before, gradients, nullptr, sums};
    block.enc = gradients + static_cast<size_t>(block.exchanged()) * s.dOut;
    if (dense) formDense(step, block);
    else formSparse(step, block);
    exchange(step, block);
    finish(step, pass, block);
  }
  free(sums);
}

void sumGradients(const SaeRanks& ranks, float* gradients, int64_t count) {
  if (!ranks.data) return;
  if (ranks.bf16) ranks.data->sumInBf16(ranks.data->self, gradients, count);
  else sumOver(ranks.data, gradients, count);
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
