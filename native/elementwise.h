#pragma once
#include "kernels.h"
namespace monosem {
namespace MONOSEM_ISA {
void columnSums(const Context&, float* out, const float* x, int n, int d, bool accumulate);
void add(const Context&, float* out, const float* a, const float* b, int64_t count);
void addInPlace(const Context&, float* y, const float* x, int64_t count);
void scaleInPlace(const Context&, float* y, float factor, int64_t count);
void mixInPlace(const Context&, float* y, const float* x, float weight, int64_t count);
void clipNorm(const Context&, float* out, const float* const* grads, const int64_t* counts, int tensors, float maxNorm);
void adam(const Context&, float* p, const float* g, float* m, float* v, int64_t count, const AdamOptions&, const float* gradScale);
}  // namespace MONOSEM_ISA
}  // namespace monosem
