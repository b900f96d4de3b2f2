// The plain C++ interface of every kernel: raw pointers, sizes, no JavaScript. Each kernel family is compiled once per
// instruction set (namespace MONOSEM_ISA) and reached through one table of function pointers, chosen at run time.
//
// Legend: B sequences, T positions, N = B*T tokens, D width, F features, K active per token, V vocabulary, H heads.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "exchange.h"

namespace monosem {

// Runs tasks 0..tasks-1 on the pool; the caller works too. Which worker runs which task is not determined, so a task
// must write only what belongs to its own index: that is why results do not depend on the thread count.
class ThreadPool;
void poolRun(ThreadPool* pool, int tasks, void (*fn)(void* context, int task, int worker), void* context);
int poolThreads(const ThreadPool* pool);

// Scratch memory that lives as long as its context, one growing block per slot (and per worker where said).
class Scratch;
void* scratchBytes(Scratch* scratch, int slot, size_t bytes);

// Products below fp32 of whole tiles (native/sae_tile.h); null where the processor has no instruction for them. a [groups, rows of a
// tile], b [groups, columns of a tile] in groups of 32 bits; tile [rows, columns] is written, int8 from `start` [rows] on.
struct SaeTiles {
  void (*bf16)(int64_t groups, const uint32_t* a, const uint32_t* b, float* tile);
  void (*int8)(int64_t groups, const uint32_t* a, const uint32_t* b, const int32_t* start, int32_t* tile);
};

struct Context {
  ThreadPool* pool;
  Scratch* scratch;
  const SaeTiles* tiles;
};

template <class Body>
inline void parallelFor(const Context& context, int tasks, Body body) {
  poolRun(
      context.pool, tasks, [](void* b, int task, int worker) { (*static_cast<Body*>(b))(task, worker); }, &body);
}

enum ScratchSlot {
  kSlotPackA = 0,
  kSlotPackB,
  kSlotReduce,
  kSlotSaeCentered,
  kSlotSaePackX,
  kSlotSaePackW,
  kSlotSaeError,
  kSlotSaeAuxError,
  kSlotSaeColumns,
  kSlotSaeRows,
  kSlotSaeFeatures,
  kSlotSaeRowScales,
  kSlotSaeCut,
  kSlotSaeDenseA,
  kSlotSaeDenseB,
  kSlotSaeGradients,
  kSlotSaeSkip,
  kSlotSaeKeys,
  kSlotSaeRankKeys,
  kSlotPerWorker  // slots kSlotPerWorker + worker are private to a worker
};

struct AdamOptions {
  double learningRate, beta1, beta2, epsilon, weightDecay, step;
};

// C = A B (+ bias per column) or C += A B. A [m, k] with element strides (aRow, aColumn), B [k, n] likewise, C [m, n] row-major.
struct GemmArgs {
  int m, n, k;
  const float* a;
  ptrdiff_t aRow, aColumn;
  const float* b;
  ptrdiff_t bRow, bColumn;
  float* c;
  ptrdiff_t cRow;
  const float* bias;  // [n] or null; only when not accumulating
  bool accumulate;
  const uint16_t* bHalf = nullptr;  // B in bf16, instead of b
};

// ---- transformer: names and equations as in src/kernels/kernels.ts ----

// A matrix in fp32 or in bf16, whichever is not null; neither where it is left out.
struct Weights {
  const float* full;
  const uint16_t* half;
  explicit operator bool() const { return full || half; }
};

enum Activation { kActivationGelu = 0, kActivationGeluTanh, kActivationSilu, kActivationRelu };

// H query heads, G key heads (a divisor of H), each `width` wide.
struct AttentionHeads {
  int heads, keyValueHeads, width;
  float scale;
  float softCap;  // 0: none
  int window;     // positions seen, its own included; 0: all
};

// ---- sparse autoencoders: names and equations as in src/kernels/sae-kernels.ts and docs/architectures.md ----

enum SaeKind { kRelu = 0, kJumpRelu, kGated, kTopK, kBatchTopK };
enum SaePenalty { kNoPenalty = 0, kL1, kL1ByNorm, kL0, kTanh };
enum SaePrecision { kFp32 = 0, kBf16Panels, kInt8Panels };
inline bool hasPrecision(const SaeTiles& tiles, SaePrecision precision) {
  return precision == kFp32 || (precision == kBf16Panels && tiles.bf16) || (precision == kInt8Panels && tiles.int8);
}

struct SaePointers {
  float *wEnc, *bEnc, *wDec, *bDec;
  float *threshold, *rMag, *bMag, *wSkip;  // null where the architecture has none
};

struct SaeShape {
  int n, d, dOut, f;
};

struct SaeForm {
  SaeKind kind;
  int k;
  bool logThreshold, subtractDecoderBias;
};

// W_enc in panels of features [panel][depth group][feature of the panel]; a group is 32 bits: 1 fp32, 2 bf16 or 4 int8.
// Pre-activations that are computed from panels below fp32 are off by no more than a margin, an error of the row times one of the feature.
struct SaePacked {
  SaePrecision precision;
  bool exact;  // bf16: the margin is a bound, so that nothing is missed that fp32 would find; else it is four standard deviations
  int f, d;
  void* panels;
  float* scale;      // [panels * width] int8: what one unit of a weight is worth; bf16: ||w - rounded w|| / ||w||
  float* error;      // [panels * width] the feature's part of the margin (0 for fp32)
  float* smoothing;  // int8: [d]
};

struct SaeStepArgs {
  SaeShape shape;
  SaeForm form;
  SaePointers params, m, v;
  SaePacked* packed;
  int32_t* tokensSinceFired;
  float* running;
  const float *x, *y;
  SaePenalty penalty;
  float coefficient, bandwidth, tanhScale, preAct;
  AdamOptions adam;
  bool unitNormDecoder;
  bool freezeDecoder;  // wDec and its moments stay as they are
  float gradientClip;  // 0: none
  int auxCount;        // 0: no AuxK
  float auxCoefficient;
  int deadAfterTokens;
  const int32_t* prefixes;  // ends of nested prefixes, ascending, the last is ranks.totalFeatures
  int prefixCount;
  bool skipBadRows;
  SaeRanks ranks;
};

struct SaeStepStats {
  double squaredError, prefixError, sparsity, l0, auxLoss, preActLoss, maxDensity, gradientNorm;
  double encodeMs, decodeMs, updateMs;
  int dead, badRow, skippedRows;
  SaePrecision precision, scanned;
};

// What saeCompare computes of each token: see saeComparison in src/kernels/sae-kernels.ts.
constexpr int kComparisonSums = 5;

// Sparse codes, owned by whoever asked for them; freed with releaseCodes.
struct Codes {
  int rows = 0;
  int64_t count = 0;
  int32_t* rowOffsets = nullptr;  // [rows + 1]
  int32_t* featureIds = nullptr;  // [count]
  float* values = nullptr;        // [count]
};
void allocateCodes(Codes& codes, int rows, int64_t count);  // rowOffsets is kept when already there
void releaseCodes(Codes& codes);

// Counts and sums over pairs (feature, column): see SaePairs in src/kernels/sae-kernels.ts.
struct SaePairsArgs {
  int features, columns, capacity;
  bool byCount;
  int32_t* ids;  // [features, capacity]; null: every column has its place, and so with before
  int32_t *size, *count;
  float *sum, *before, *missed;
};

struct SyntheticLaw;  // synthetic.h

struct KernelTable {
  const char* name;
  SaeTiles tiles;
  void (*gemm)(const Context&, const GemmArgs&);
  void (*columnSums)(const Context&, float* out, const float* x, int n, int d, bool accumulate);
  void (*add)(const Context&, float* out, const float* a, const float* b, int64_t count);
  void (*addInPlace)(const Context&, float* y, const float* x, int64_t count);
  void (*scaleInPlace)(const Context&, float* y, float factor, int64_t count);
  void (*mixInPlace)(const Context&, float* y, const float* x, float weight, int64_t count);
  void (*clipNorm)(const Context&, float* out, const float* const* grads, const int64_t* counts, int tensors, float maxNorm);
  void (*adam)(const Context&, float* p, const float* g, float* m, float* v, int64_t count, const AdamOptions&, const float* gradScale);
  void (*layerNormForward)(const Context&, float* out, float* mean, float* rstd, const float* x, const float* w, const float* b, int n, int d, float epsilon);
  void (*layerNormBackward)(const Context&, float* dx, float* dw, float* db, const float* dout, const float* x, const float* w, const float* mean, const float* rstd, int n, int d);
  void (*rmsNormForward)(const Context&, float* out, float* rstd, const float* x, const float* w, int n, int d, float epsilon);
  void (*rmsNormBackward)(const Context&, float* dx, float* dw, const float* dout, const float* x, const float* w, const float* rstd, int n, int d);
  void (*activationForward)(const Context&, float* out, const float* x, int64_t count, Activation);
  void (*activationBackward)(const Context&, float* dx, const float* dout, const float* x, int64_t count, Activation);
  void (*gatedForward)(const Context&, float* out, const float* gate, const float* up, int64_t count, Activation);
  void (*gatedBackward)(const Context&, float* dgate, float* dup, const float* dout, const float* gate, const float* up, int64_t count, Activation);
  void (*softCapForward)(const Context&, float* out, const float* x, float cap, int64_t count);
  void (*softCapBackward)(const Context&, float* dx, const float* dout, const float* out, float cap, int64_t count);
  void (*rotary)(const Context&, float* out, const float* x, const int32_t* positions, const float* cos, const float* sin, int n, int heads, int width, int half, float direction);
  // pattern, starts may be null
  void (*attentionForward)(const Context&, float* z, float* pattern, const float* q, const float* k, const float* v, const int32_t* starts, int b, int t, const AttentionHeads&);
  void (*attentionBackward)(const Context&, float* dq, float* dk, float* dv, const float* dz, const float* pattern, const float* q, const float* k, const float* v, const int32_t* starts, int b, int t, const AttentionHeads&);
  void (*attentionCachedForward)(const Context&, float* z, float* pattern, const float* q, const float* keys, const float* values, const int32_t* sequences, const int32_t* lengths, int n, int s, const AttentionHeads&);
  void (*embedForward)(const Context&, float* out, const int32_t* tokens, const Weights& wE, const Weights& wPos, int n, int d, int t);
  void (*embedBackward)(const Context&, float* dWE, float* dWPos, const float* dout, const int32_t* tokens, int n, int d, int t);
  void (*crossEntropyForward)(const Context&, float* losses, const float* logits, const int32_t* targets, int n, int v);
  void (*crossEntropyBackward)(const Context&, float* dlogits, const float* logits, const int32_t* targets, int n, int v, float scale);
  void (*klDivergence)(const Context&, float* out, const float* p, const float* q, int n, int v);
  void (*saeAllocatePacked)(SaePacked&);  // for its precision, f and d
  void (*saeReleasePacked)(SaePacked&);
  void (*saePack)(const Context&, SaePacked&, const float* wEnc);
  void (*saeStep)(const Context&, const SaeStepArgs&, SaeStepStats&);
  // packed may be null
  void (*saeEncode)(const Context&, const SaePointers&, SaeShape, const float* x, const SaeForm&, const SaePacked*, const SaeRanks&, Codes&);
  // x may be null without wSkip
  void (*saeDecode)(const Context&, float* xHat, const SaePointers&, SaeShape, const Codes&, const float* x, const SaeRanks&);
  void (*saeEncodeFeatures)(const Context&, float* out, const SaePointers&, SaeShape, const float* x, const int32_t* ids, int count, const SaeForm&);
  void (*saeSquaredErrors)(const Context&, float* losses, const float* x, const float* xHat, int n, int d);
  void (*saeCompare)(const Context&, float* sums, float* shift, const float* y, const float* xHat, const float* center, int n, int d);
  // out and, when denormalizing, offsets may be null
  void (*saeNormalize)(const Context&, float* out, float* offsets, float* scales, const float* x, int n, int d, bool layerNorm);
  void (*saeDenormalizeInPlace)(const Context&, float* y, const float* offsets, const float* scales, int n, int d);
  void (*saeAddProducts)(const Context&, float* out, const Codes&, const float* x, int features, int d);
  void (*saeAddPairs)(const Context&, const SaePairsArgs&, const Codes&, const Codes& columns);
  // codes may be null
  void (*syntheticSample)(const Context&, const SyntheticLaw&, uint64_t seed, uint64_t offset, int n, float* x, Codes* codes);
  double (*fmaLoop)(const Context&, int rounds);
};

// bf16 is the upper half of an fp32, rounded to nearest even.
inline float widenBf16(uint16_t bits) {
  uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  __builtin_memcpy(&value, &wide, 4);
  return value;
}
inline uint16_t roundToBf16(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, 4);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40);  // quiet NaN
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
}

// The table for this machine; `wanted` (or null) asks for one instruction set by name. Null when the machine lacks it.
const KernelTable* selectKernelTable(const char* wanted);

}  // namespace monosem
