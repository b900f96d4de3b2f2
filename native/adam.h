// One Adam update of a run of parameters (Kingma & Ba 2015; decoupled decay: Loshchilov & Hutter 2019).
#pragma once
#include <math.h>

#include "kernels.h"
#include "simd.h"

namespace monosem {
namespace MONOSEM_ISA {

struct AdamFactors {
  float beta1, beta2, keep1, keep2, stepSize, rootScale, epsilon, decay;
};

// p -= lr (mHat / (sqrt(vHat) + eps) + wd p), with the bias corrections folded into two factors.
static inline AdamFactors adamFactors(const AdamOptions& o) {
  double c1 = 1 - pow(o.beta1, o.step), c2 = 1 - pow(o.beta2, o.step);
  auto single = [](double x) { return static_cast<float>(x); };
  return {single(o.beta1),
          single(o.beta2),
          single(1 - o.beta1),
          single(1 - o.beta2),
          single(o.learningRate / c1),
          single(1 / sqrt(c2)),
          single(o.epsilon),
          single(1 - o.learningRate * o.weightDecay)};
}

static inline vf squareRoot(vf x) {
#if defined(__AVX512F__)
  return _mm512_sqrt_ps(x);
#elif defined(__AVX2__)
  return _mm256_sqrt_ps(x);
#elif defined(__SSE2__)
  return _mm_sqrt_ps(x);
#elif defined(__ARM_NEON)
  return vsqrtq_f32(x);
#else
  for (int i = 0; i < VL; i++) x[i] = sqrtf(x[i]);
  return x;
#endif
}

static inline void adamRun(float* p, const float* g, float* m, float* v, int count, float gradScale, const AdamFactors& a) {
  int i = 0;
  for (; i + VL <= count; i += VL) {
    vf grad = load(g + i) * gradScale;
    vf mean = load(m + i) * a.beta1 + grad * a.keep1;
    vf square = load(v + i) * a.beta2 + grad * grad * a.keep2;
    store(m + i, mean);
    store(v + i, square);
    store(p + i, load(p + i) * a.decay - a.stepSize * mean / (squareRoot(square) * a.rootScale + a.epsilon));
  }
  for (; i < count; i++) {
    float grad = g[i] * gradScale;
    m[i] = m[i] * a.beta1 + grad * a.keep1;
    v[i] = v[i] * a.beta2 + grad * grad * a.keep2;
    p[i] = p[i] * a.decay - a.stepSize * m[i] / (sqrtf(v[i]) * a.rootScale + a.epsilon);
  }
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
