// What one (row, feature) pair adds to the gradient: the only code that knows how architectures and penalties differ.
// Equations: docs/architectures.md.
#pragma once
#include "sae.h"

namespace monosem {
namespace MONOSEM_ISA {

// The loss as a pair sees it; coefficients are already divided by the number of rows.
struct PairRule {
  SaeKind kind;
  SaePenalty penalty;
  float lambda, bandwidth, tanhScale, preAct;
};

struct FeatureValues {
  float theta, gain, norm, bEnc, bMag;
};

// Sums over the pairs of one feature, in the order of the rows. Doubles only: replicas sum them as an array.
struct FeatureSums {
  double pre = 0;  // gradients by W_enc (x - b_dec): what reaches b_dec through the encoder
  double bEnc = 0, threshold = 0, rMag = 0, bMag = 0;
  double norm = 0;  // gradient by the decoder row's norm
  double penalty = 0;
  double gap = 0;  // theta - pre of active pairs
  double active = 0;
};
constexpr int kFeatureSums = sizeof(FeatureSums) / sizeof(double);

// From pre and the errors' products with the decoder row (dError; dGate for the gate's own reconstruction): the activation,
// which weighs the error in the decoder's gradient, and what it returns, which weighs the input in the encoder's.
static inline float pairGradient(const PairRule& rule, const FeatureValues& v, float pre, float dError, float dGate, FeatureSums& sums, float& f) {
  if (rule.kind == kGated) {
    float u = pre - v.bEnc, magnitude = v.gain * u + v.bMag;
    bool open = magnitude > 0;
    f = open ? magnitude : 0.0f;
    float gate = dGate + rule.lambda, du = gate;
    if (open) {
      du += v.gain * dError;
      sums.bMag += dError;
      sums.rMag += v.gain * u * dError;
      sums.active++;
    }
    sums.penalty += rule.penalty == kL1 ? pre : 0.0f;
    sums.bEnc += gate;
    sums.pre += du;
    return du;
  }
  bool active = rule.kind != kJumpRelu || pre > v.theta;
  f = active ? pre : 0.0f;
  float df = dError;
  switch (rule.penalty) {
    case kL1:
      df += rule.lambda;
      sums.penalty += f;
      break;
    case kL1ByNorm:
      df += rule.lambda * v.norm;
      sums.norm += rule.lambda * f;
      sums.penalty += f * v.norm;
      break;
    case kL0:
      sums.penalty += active;
      break;
    case kTanh: {
      float t = tanhf(rule.tanhScale * f * v.norm), slope = rule.lambda * rule.tanhScale * (1 - t * t);
      df += slope * v.norm;
      sums.norm += slope * f;
      sums.penalty += t;
      break;
    }
    default:
      break;
  }
  if (rule.bandwidth > 0 && fabsf(pre - v.theta) < 0.5f * rule.bandwidth)
    sums.threshold -= (v.theta * df + (rule.penalty == kL0 ? rule.lambda : 0.0f)) / rule.bandwidth;
  if (!active) return 0;
  sums.active++;
  sums.gap += v.theta - pre;
  // the pre-activation penalty pulls on all pairs alike (finishFeature); active ones are let go here
  float dpre = df + rule.preAct * v.norm;
  sums.bEnc += dpre;
  sums.pre += dpre;
  return dpre;
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
