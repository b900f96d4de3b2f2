// The transformer's layers other than matrix products, in forward / backward pairs.
#include "transformer.h"

#include <math.h>

#include "simd.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

constexpr int kRowsPerTask = 32;
inline int rowTasks(int n) { return (n + kRowsPerTask - 1) / kRowsPerTask; }

template <class Body>
void forRows(const Context& context, int n, Body body) {
  parallelFor(context, rowTasks(n), [&](int task, int worker) {
    int end = (task + 1) * kRowsPerTask < n ? (task + 1) * kRowsPerTask : n;
    for (int row = task * kRowsPerTask; row < end; row++) body(row, worker);
  });
}

// sum (x - mean)^2
float centredSquares(const float* x, float mean, int d) {
  vf s{};
  int i = 0;
  for (; i + VL <= d; i += VL) {
    vf c = load(x + i) - mean;
    s += c * c;
  }
  float total = horizontalSum(s);
  for (; i < d; i++) total += (x[i] - mean) * (x[i] - mean);
  return total;
}

}  // namespace

// ---- LayerNorm (Ba et al. 2016): x, out [n, d]; mean, rstd [n] ----

void layerNormForward(const Context& context, float* out, float* mean, float* rstd, const float* x, const float* w, const float* b, int n, int d, float epsilon) {
  forRows(context, n, [&](int row, int) {
    const float* in = x + static_cast<size_t>(row) * d;
    float* o = out + static_cast<size_t>(row) * d;
    float average = sum(in, d) / d;
    float scale = 1.0f / sqrtf(centredSquares(in, average, d) / d + epsilon);
    for (int i = 0; i < d; i++) o[i] = (in[i] - average) * scale * w[i] + b[i];
    mean[row] = average;
    rstd[row] = scale;
  });
}

// With y = (x - mean) rstd and g = dout w: dx = rstd (g - mean(g) - y mean(g y)); dw += sum dout y; db += sum dout.
void layerNormBackward(const Context& context, float* dx, float* dw, float* db, const float* dout, const float* x, const float* w, const float* mean, const float* rstd, int n, int d) {
  int tasks = rowTasks(n);
  float* partial = static_cast<float*>(scratchBytes(context.scratch, kSlotReduce, sizeof(float) * static_cast<size_t>(tasks) * 2 * d));
  parallelFor(context, tasks, [&](int task, int) {
    float *pw = partial + static_cast<size_t>(task) * 2 * d, *pb = pw + d;
    memset(pw, 0, sizeof(float) * 2 * d);
    int end = (task + 1) * kRowsPerTask < n ? (task + 1) * kRowsPerTask : n;
    for (int row = task * kRowsPerTask; row < end; row++) {
      size_t offset = static_cast<size_t>(row) * d;
      const float *in = x + offset, *g = dout + offset;
      float m = mean[row], r = rstd[row];
      vf sumG{}, sumGY{};
      float tailG = 0, tailGY = 0;
      int i = 0;
      for (; i + VL <= d; i += VL) {
        vf y = (load(in + i) - m) * r, grad = load(g + i), weighted = grad * load(w + i);
        sumG += weighted;
        sumGY += weighted * y;
        store(pw + i, load(pw + i) + grad * y);
        store(pb + i, load(pb + i) + grad);
      }
      for (; i < d; i++) {
        float y = (in[i] - m) * r;
        tailG += g[i] * w[i];
        tailGY += g[i] * w[i] * y;
        pw[i] += g[i] * y;
        pb[i] += g[i];
      }
      float meanG = (horizontalSum(sumG) + tailG) / d, meanGY = (horizontalSum(sumGY) + tailGY) / d;
      for (int j = 0; j < d; j++) dx[offset + j] = r * (g[j] * w[j] - meanG - (in[j] - m) * r * meanGY);
    }
  });
  for (int task = 0; task < tasks; task++) {
    const float* pw = partial + static_cast<size_t>(task) * 2 * d;
    if (dw) axpy(dw, 1.0f, pw, d);
    if (db) axpy(db, 1.0f, pw + d, d);
  }
}

// ---- GELU (Hendrycks & Gimpel 2016): exact, or the tanh form of GPT-2 ----

namespace {

constexpr float kRoot = 0.7978845608028654f;  // sqrt(2 / pi)
constexpr float kCubic = 0.044715f;

inline vf hyperbolicTangent(vf x) { return 1.0f - 2.0f / (exponential(2.0f * x) + 1.0f); }

inline vf geluTanh(vf x) { return 0.5f * x * (1.0f + hyperbolicTangent(kRoot * (x + kCubic * x * x * x))); }

inline vf geluTanhSlope(vf x) {
  vf t = hyperbolicTangent(kRoot * (x + kCubic * x * x * x));
  return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * kRoot * (1.0f + 3.0f * kCubic * x * x);
}

inline float geluErf(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f)); }
inline float geluErfSlope(float x) {
  return 0.5f * (1.0f + erff(x * 0.70710678118654752f)) + x * 0.3989422804014327f * expf(-0.5f * x * x);
}

// Applies a vector function to a chunk, the tail through a padded buffer.
template <class Vector>
inline void mapVectors(int64_t count, const Context& context, Vector vector) {
  constexpr int64_t kChunk = 8192;
  parallelFor(context, static_cast<int>((count + kChunk - 1) / kChunk), [&](int task, int) {
    int64_t end = (task + 1) * kChunk < count ? (task + 1) * kChunk : count;
    for (int64_t i = task * kChunk; i < end; i += VL) vector(i, static_cast<int>(end - i < VL ? end - i : VL));
  });
}

}  // namespace

void geluForward(const Context& context, float* out, const float* x, int64_t count, bool tanhKind) {
  mapVectors(count, context, [&](int64_t i, int lanes) {
    vf value = loadPartial(x + i, lanes);
    if (tanhKind) value = geluTanh(value);
    else
      for (int l = 0; l < VL; l++) value[l] = geluErf(value[l]);
    storePartial(out + i, value, lanes);
  });
}

void geluBackward(const Context& context, float* dx, const float* dout, const float* x, int64_t count, bool tanhKind) {
  mapVectors(count, context, [&](int64_t i, int lanes) {
    vf slope = loadPartial(x + i, lanes);
    if (tanhKind) slope = geluTanhSlope(slope);
    else
      for (int l = 0; l < VL; l++) slope[l] = geluErfSlope(slope[l]);
    storePartial(dx + i, slope * loadPartial(dout + i, lanes), lanes);
  });
}

// ---- embedding: out [n, d], tokens [n], wE [vocabulary, d], wPos [>= t, d] or null ----

void embedForward(const Context& context, float* out, const int32_t* tokens, const float* wE, const float* wPos, int n, int d, int t) {
  forRows(context, n, [&](int row, int) {
    float* o = out + static_cast<size_t>(row) * d;
    memcpy(o, wE + static_cast<size_t>(tokens[row]) * d, sizeof(float) * d);
    if (wPos) axpy(o, 1.0f, wPos + static_cast<size_t>(row % t) * d, d);
  });
}

// Tasks own stripes of columns, so that rows are added in the order of the tokens.
void embedBackward(const Context& context, float* dWE, float* dWPos, const float* dout, const int32_t* tokens, int n, int d, int t) {
  constexpr int kStripe = 32;
  parallelFor(context, (d + kStripe - 1) / kStripe, [&](int task, int) {
    int c0 = task * kStripe, columns = d - c0 < kStripe ? d - c0 : kStripe;
    for (int row = 0; row < n; row++) {
      const float* g = dout + static_cast<size_t>(row) * d + c0;
      axpy(dWE + static_cast<size_t>(tokens[row]) * d + c0, 1.0f, g, columns);
      if (dWPos) axpy(dWPos + static_cast<size_t>(row % t) * d + c0, 1.0f, g, columns);
    }
  });
}

// ---- cross-entropy over logits [n, v] ----

namespace {

struct SoftmaxTotals {
  float highest, total;
};

float highestOf(const float* x, int n) {
  vf best = splat(x[0]);
  int i = 0;
  for (; i + VL <= n; i += VL) best = maximum(best, load(x + i));
  float highest = best[0];
  for (int l = 1; l < VL; l++) highest = best[l] > highest ? best[l] : highest;
  for (; i < n; i++) highest = x[i] > highest ? x[i] : highest;
  return highest;
}

SoftmaxTotals softmaxTotals(const float* x, int n) {
  float highest = highestOf(x, n);
  vf s{};
  int i = 0;
  for (; i + VL <= n; i += VL) s += exponential(load(x + i) - highest);
  float total = horizontalSum(s);
  for (; i < n; i++) total += expf(x[i] - highest);
  return {highest, total};
}

}  // namespace

void crossEntropyForward(const Context& context, float* losses, const float* logits, const int32_t* targets, int n, int v) {
  forRows(context, n, [&](int row, int) {
    if (targets[row] < 0) {
      losses[row] = 0;
      return;
    }
    const float* x = logits + static_cast<size_t>(row) * v;
    SoftmaxTotals s = softmaxTotals(x, v);
    losses[row] = logf(s.total) + s.highest - x[targets[row]];
  });
}

void crossEntropyBackward(const Context& context, float* dlogits, const float* logits, const int32_t* targets, int n, int v, float scale) {
  forRows(context, n, [&](int row, int) {
    const float* x = logits + static_cast<size_t>(row) * v;
    float* g = dlogits + static_cast<size_t>(row) * v;
    if (targets[row] < 0) {
      memset(g, 0, sizeof(float) * v);
      return;
    }
    SoftmaxTotals s = softmaxTotals(x, v);
    float factor = scale / s.total;
    for (int i = 0; i < v; i += VL) {
      int lanes = v - i < VL ? v - i : VL;
      storePartial(g + i, exponential(loadPartial(x + i, lanes) - s.highest) * factor, lanes);
    }
    g[targets[row]] -= scale;
  });
}

// KL(p || q) = sum p (log p - log q), from logits.
void klDivergence(const Context& context, float* out, const float* p, const float* q, int n, int v) {
  forRows(context, n, [&](int row, int) {
    const float *x = p + static_cast<size_t>(row) * v, *y = q + static_cast<size_t>(row) * v;
    SoftmaxTotals sp = softmaxTotals(x, v), sq = softmaxTotals(y, v);
    float shift = (logf(sq.total) + sq.highest) - (logf(sp.total) + sp.highest);
    double total = 0;
    for (int i0 = 0; i0 < v; i0 += 1024) {
      vf s{};
      int end = i0 + 1024 < v ? i0 + 1024 : v;
      for (int i = i0; i < end; i += VL) {
        int lanes = end - i < VL ? end - i : VL;
        vf a = loadPartial(x + i, lanes), b = loadPartial(y + i, lanes);
        vf term = exponential(a - sp.highest) * (a - b + shift);
        if (lanes < VL)
          for (int l = lanes; l < VL; l++) term[l] = 0;
        s += term;
      }
      total += horizontalSum(s);
    }
    out[row] = static_cast<float>(total / sp.total);
  });
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
