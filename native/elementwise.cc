// Elementwise operations, reductions and the optimiser. Reductions add fixed chunks in a fixed order, so results do not
// depend on the thread count.
#include "elementwise.h"

#include "adam.h"
#include "simd.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

constexpr int64_t kChunk = 16384;

template <class Body>
void forChunks(const Context& context, int64_t count, Body body) {
  int tasks = static_cast<int>((count + kChunk - 1) / kChunk);
  parallelFor(context, tasks, [&](int task, int) {
    int64_t begin = task * kChunk;
    body(begin, static_cast<int>(count - begin < kChunk ? count - begin : kChunk));
  });
}

}  // namespace

void add(const Context& context, float* out, const float* a, const float* b, int64_t count) {
  forChunks(context, count, [&](int64_t begin, int length) {
    for (int i = 0; i < length; i++) out[begin + i] = a[begin + i] + b[begin + i];
  });
}

void addInPlace(const Context& context, float* y, const float* x, int64_t count) {
  forChunks(context, count, [&](int64_t begin, int length) { axpy(y + begin, 1.0f, x + begin, length); });
}

void scaleInPlace(const Context& context, float* y, float factor, int64_t count) {
  forChunks(context, count, [&](int64_t begin, int length) {
    for (int i = 0; i < length; i++) y[begin + i] *= factor;
  });
}

void mixInPlace(const Context& context, float* y, const float* x, float weight, int64_t count) {
  forChunks(context, count, [&](int64_t begin, int length) {
    for (int i = 0; i < length; i++) y[begin + i] += weight * (x[begin + i] - y[begin + i]);
  });
}

// x [n, d]; tasks own stripes of columns, rows are added in pairs of partial sums of 64 rows to limit rounding.
void columnSums(const Context& context, float* out, const float* x, int n, int d, bool accumulate) {
  constexpr int kStripe = 64, kRows = 64;
  parallelFor(context, (d + kStripe - 1) / kStripe, [&](int task, int) {
    int c0 = task * kStripe, columns = d - c0 < kStripe ? d - c0 : kStripe;
    double total[kStripe];
    for (int j = 0; j < columns; j++) total[j] = accumulate ? out[c0 + j] : 0.0;
    for (int r0 = 0; r0 < n; r0 += kRows) {
      float partial[kStripe] = {};
      int rows = n - r0 < kRows ? n - r0 : kRows;
      for (int r = 0; r < rows; r++) axpy(partial, 1.0f, x + static_cast<size_t>(r0 + r) * d + c0, columns);
      for (int j = 0; j < columns; j++) total[j] += partial[j];
    }
    for (int j = 0; j < columns; j++) out[c0 + j] = static_cast<float>(total[j]);
  });
}

void clipNorm(const Context& context, float* out, const float* const* grads, const int64_t* counts, int tensors, float maxNorm) {
  double total = 0;
  for (int i = 0; i < tensors; i++) {
    const float* g = grads[i];
    int chunks = static_cast<int>((counts[i] + kChunk - 1) / kChunk);
    double* partial = static_cast<double*>(scratchBytes(context.scratch, kSlotReduce, sizeof(double) * (chunks + 1)));
    forChunks(context, counts[i], [&](int64_t begin, int length) {
      double sum = 0;
      for (int j = 0; j < length; j += 1024) sum += dot(g + begin + j, g + begin + j, length - j < 1024 ? length - j : 1024);
      partial[begin / kChunk] = sum;
    });
    for (int c = 0; c < chunks; c++) total += partial[c];
  }
  double norm = sqrt(total);
  out[0] = static_cast<float>(norm);
  out[1] = norm > maxNorm ? static_cast<float>(maxNorm / norm) : 1.0f;
}

void adam(const Context& context, float* p, const float* g, float* m, float* v, int64_t count, const AdamOptions& options, const float* gradScale) {
  AdamFactors factors = adamFactors(options);
  float scale = gradScale ? gradScale[1] : 1.0f;
  forChunks(context, count, [&](int64_t begin, int length) {
    adamRun(p + begin, g + begin, m + begin, v + begin, length, scale, factors);
  });
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
