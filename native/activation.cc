// Elementwise functions of the transformer: activations, gated ones, the soft cap.
#include <stdint.h>

#include "simd.h"
#include "transformer.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

constexpr float kRoot = 0.7978845608028654f;  // sqrt(2 / pi)
constexpr float kCubic = 0.044715f;

inline vf sigmoid(vf x) { return 1.0f / (1.0f + exponential(-x)); }

// Phi(x), the normal distribution function, with a small relative error in both tails: half of erfc, as in Numerical Recipes (Press et al. 2007, 6.2.2).
inline vf normalDistribution(vf x) {
  vf z = maximum(-x, x) * 0.70710678118654752f;
  vf t = 1.0f / (1.0f + 0.5f * z);
  vf p = splat(0.17087277f);
  p = p * t - 0.82215223f;
  p = p * t + 1.48851587f;
  p = p * t - 1.13520398f;
  p = p * t + 0.27886807f;
  p = p * t - 0.18628806f;
  p = p * t + 0.09678418f;
  p = p * t + 0.37409196f;
  p = p * t + 1.00002368f;
  p = p * t - 1.26551223f;
  vf upper = 0.5f * t * exponential(p - z * z);
  return select(x > 0.0f, 1.0f - upper, upper);
}

// Each activation: value(x) and slope(x).
struct Gelu {  // Hendrycks & Gimpel 2016: x Phi(x)
  static vf value(vf x) { return x * normalDistribution(x); }
  static vf slope(vf x) { return normalDistribution(x) + x * (0.3989422804014327f * exponential(-0.5f * x * x)); }
};
struct GeluTanh {  // 0.5 (1 + tanh u) is the sigmoid of 2 u, which loses nothing to cancellation
  static vf value(vf x) { return x * sigmoid(2.0f * kRoot * (x + kCubic * x * x * x)); }
  static vf slope(vf x) {
    vf s = sigmoid(2.0f * kRoot * (x + kCubic * x * x * x));
    return s + x * s * (1.0f - s) * (2.0f * kRoot) * (1.0f + 3.0f * kCubic * x * x);
  }
};
struct Silu {
  static vf value(vf x) { return x * sigmoid(x); }
  static vf slope(vf x) {
    vf s = sigmoid(x);
    return s + x * s * (1.0f - s);
  }
};
struct Relu {
  static vf value(vf x) { return maximum(vf{}, x); }  // in this order NaN stays NaN
  static vf slope(vf x) { return select(x > 0.0f, splat(1.0f), select(x == x, vf{}, x)); }
};

template <class Body>
void withActivation(Activation kind, Body body) {
  if (kind == kActivationGelu) body(Gelu());
  else if (kind == kActivationGeluTanh) body(GeluTanh());
  else if (kind == kActivationSilu) body(Silu());
  else body(Relu());
}

// Calls vector(first, lanes) for every vector of a range, chunks in parallel.
template <class Vector>
void forVectors(const Context& context, int64_t count, Vector vector) {
  constexpr int64_t kChunk = 8192;
  parallelFor(context, static_cast<int>((count + kChunk - 1) / kChunk), [&](int task, int) {
    int64_t end = (task + 1) * kChunk < count ? (task + 1) * kChunk : count, i = task * kChunk;
    for (; i + VL <= end; i += VL) vector(i, VL);
    if (i < end) vector(i, static_cast<int>(end - i));
  });
}

}  // namespace

void activationForward(const Context& context, float* out, const float* x, int64_t count, Activation kind) {
  withActivation(kind, [&](auto f) {
    forVectors(context, count, [&](int64_t i, int lanes) { storePartial(out + i, f.value(loadPartial(x + i, lanes)), lanes); });
  });
}

void activationBackward(const Context& context, float* dx, const float* dout, const float* x, int64_t count, Activation kind) {
  withActivation(kind, [&](auto f) {
    forVectors(context, count, [&](int64_t i, int lanes) {
      storePartial(dx + i, f.slope(loadPartial(x + i, lanes)) * loadPartial(dout + i, lanes), lanes);
    });
  });
}

void gatedForward(const Context& context, float* out, const float* gate, const float* up, int64_t count, Activation kind) {
  withActivation(kind, [&](auto f) {
    forVectors(context, count, [&](int64_t i, int lanes) {
      storePartial(out + i, f.value(loadPartial(gate + i, lanes)) * loadPartial(up + i, lanes), lanes);
    });
  });
}

void gatedBackward(const Context& context, float* dgate, float* dup, const float* dout, const float* gate, const float* up, int64_t count, Activation kind) {
  withActivation(kind, [&](auto f) {
    forVectors(context, count, [&](int64_t i, int lanes) {
      vf g = loadPartial(gate + i, lanes), u = loadPartial(up + i, lanes), d = loadPartial(dout + i, lanes);
      storePartial(dgate + i, d * u * f.slope(g), lanes);
      storePartial(dup + i, d * f.value(g), lanes);
    });
  });
}

void softCapForward(const Context& context, float* out, const float* x, float cap, int64_t count) {
  float inverse = 1.0f / cap;
  forVectors(context, count, [&](int64_t i, int lanes) {
    storePartial(out + i, cap * hyperbolicTangent(loadPartial(x + i, lanes) * inverse), lanes);
  });
}

void softCapBackward(const Context& context, float* dx, const float* dout, const float* out, float cap, int64_t count) {
  float inverse = 1.0f / cap;
  forVectors(context, count, [&](int64_t i, int lanes) {
    vf tanh = loadPartial(out + i, lanes) * inverse;
    storePartial(dx + i, loadPartial(dout + i, lanes) * (1.0f - tanh * tanh), lanes);
  });
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
