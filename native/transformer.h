#pragma once
#include "kernels.h"
namespace monosem {
namespace MONOSEM_ISA {
void layerNormForward(const Context&, float* out, float* mean, float* rstd, const float* x, const float* w, const float* b, int n, int d, float epsilon);
void layerNormBackward(const Context&, float* dx, float* dw, float* db, const float* dout, const float* x, const float* w, const float* mean, const float* rstd, int n, int d);
void geluForward(const Context&, float* out, const float* x, int64_t count, bool tanhKind);
void geluBackward(const Context&, float* dx, const float* dout, const float* x, int64_t count, bool tanhKind);
void attentionForward(const Context&, float* z, float* pattern, const float* q, const float* k, const float* v, const int32_t* starts, int b, int t, int h, int dh);
void attentionBackward(const Context&, float* dq, float* dk, float* dv, const float* dz, const float* pattern, const float* q, const float* k, const float* v, const int32_t* starts, int b, int t, int h, int dh);
void attentionCachedForward(const Context&, float* z, float* pattern, const float* q, const float* keys, const float* values, const int32_t* sequences, const int32_t* lengths, int n, int h, int s, int dh);
void embedForward(const Context&, float* out, const int32_t* tokens, const float* wE, const float* wPos, int n, int d, int t);
void embedBackward(const Context&, float* dWE, float* dWPos, const float* dout, const int32_t* tokens, int n, int d, int t);
void crossEntropyForward(const Context&, float* losses, const float* logits, const int32_t* targets, int n, int v);
void crossEntropyBackward(const Context&, float* dlogits, const float* logits, const int32_t* targets, int n, int v, float scale);
void klDivergence(const Context&, float* out, const float* p, const float* q, int n, int v);
}  // namespace MONOSEM_ISA
}  // namespace monosem
