// Normalisation of rows: LayerNorm and RMSNorm.
#include <math.h>

#include "rows.h"
#include "simd.h"
#include "transformer.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

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

// ---- RMSNorm (Zhang & Sennrich 2019): x, out [n, d]; rstd [n] ----

void rmsNormForward(const Context& context, float* out, float* rstd, const float* x, const float* w, int n, int d, float epsilon) {
  forRows(context, n, [&](int row, int) {
    const float* in = x + static_cast<size_t>(row) * d;
    float* o = out + static_cast<size_t>(row) * d;
    float scale = 1.0f / sqrtf(centredSquares(in, 0, d) / d + epsilon);
    for (int i = 0; i < d; i++) o[i] = in[i] * scale * w[i];
    rstd[row] = scale;
  });
}

// With y = x rstd and g = dout w: dx = rstd (g - y mean(g y)); dw += sum dout y.
void rmsNormBackward(const Context& context, float* dx, float* dw, const float* dout, const float* x, const float* w, const float* rstd, int n, int d) {
  int tasks = rowTasks(n);
  float* partial = static_cast<float*>(scratchBytes(context.scratch, kSlotReduce, sizeof(float) * (static_cast<size_t>(tasks) * d + 1)));
  parallelFor(context, tasks, [&](int task, int) {
    float* pw = partial + static_cast<size_t>(task) * d;
    memset(pw, 0, sizeof(float) * d);
    int end = (task + 1) * kRowsPerTask < n ? (task + 1) * kRowsPerTask : n;
    for (int row = task * kRowsPerTask; row < end; row++) {
      size_t offset = static_cast<size_t>(row) * d;
      const float *in = x + offset, *g = dout + offset;
      float r = rstd[row], tail = 0;
      vf sums{};
      int i = 0;
      for (; i + VL <= d; i += VL) {
        vf gy = load(g + i) * load(in + i) * r;
        sums += gy * load(w + i);
        store(pw + i, load(pw + i) + gy);
      }
      for (; i < d; i++) {
        float gy = g[i] * in[i] * r;
        tail += gy * w[i];
        pw[i] += gy;
      }
      float mean = (horizontalSum(sums) + tail) / d;
      for (int j = 0; j < d; j++) dx[offset + j] = r * (g[j] * w[j] - in[j] * r * mean);
    }
  });
  for (int task = 0; dw && task < tasks; task++) axpy(dw, 1.0f, partial + static_cast<size_t>(task) * d, d);
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
