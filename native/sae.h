#pragma once
#include "kernels.h"
namespace monosem {
namespace MONOSEM_ISA {

// A view on the features to encode with: all of them (ids null), or a list.
struct FeatureList {
  const int32_t* ids;
  int count;
};

// Fills codes with the active features of x [n, d], ascending ids within a row. `centred` gets x - bDec, [n, d].
void encodeRows(const Context& context, const SaePointers& params, SaeShape shape, const float* centred, FeatureList features, SaeActivation activation, Codes& codes);
// centred = x - bDec
void centreRows(const Context& context, float* centred, const float* x, const float* bDec, int n, int d);
// out = (base or 0) + sum over a row's features of value * wDec[feature]
void decodeRow(float* out, const float* base, const Codes& codes, int row, const float* wDec, int d);

void saeStep(const Context&, const SaeStepArgs&, SaeStepStats&);
void saeEncode(const Context&, const SaePointers&, SaeShape, const float* x, SaeActivation, Codes&);
void saeDecode(const Context&, float* xHat, const SaePointers&, SaeShape, const Codes&);
void saeSquaredErrors(const Context&, float* losses, const float* x, const float* xHat, int n, int d);

}  // namespace MONOSEM_ISA
}  // namespace monosem
