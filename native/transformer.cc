// Embedding and losses.
#include "transformer.h"

#include <math.h>

#include "rows.h"
#include "simd.h"

namespace monosem {
namespace MONOSEM_ISA {

// ---- embedding: out [n, d], tokens [n], wE [vocabulary, d], wPos [>= t, d] or null ----

namespace {

// o = row `index` of a table [., d], or o += it
template <bool kAdd>
void takeRow(float* o, const Weights& table, size_t index, int d) {
  for (int i = 0; i < d; i++) {
    float value = table.half ? widenBf16(table.half[index * d + i]) : table.full[index * d + i];
    o[i] = kAdd ? o[i] + value : value;
  }
}

}  // namespace

void embedForward(const Context& context, float* out, const int32_t* tokens, const Weights& wE, const Weights& wPos, int n, int d, int t) {
  forRows(context, n, [&](int row, int) {
    float* o = out + static_cast<size_t>(row) * d;
    takeRow<false>(o, wE, tokens[row], d);
    if (wPos) takeRow<true>(o, wPos, row % t, d);
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
