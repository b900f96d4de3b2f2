#pragma once
#include "kernels.h"
namespace monosem {
namespace MONOSEM_ISA {
void layerNormForward(const Context&, float* out, float* mean, float* rstd, const float* x, const float* w, const float* b, int n, int d, float epsilon);
void layerNormBackward(const Context&, float* dx, float* dw, float* db, const float* dout, const float* x, const float* w, const float* mean, const float* rstd, int n, int d);
void rmsNormForward(const Context&, float* out, float* rstd, const float* x, const float* w, int n, int d, float epsilon);
void rmsNormBackward(const Context&, float* dx, float* dw, const float* dout, const float* x, const float* w, const float* rstd, int n, int d);
void activationForward(const Context&, float* out, const float* x, int64_t count, Activation);
void activationBackward(const Context&, float* dx, const float* dout, const float* x, int64_t count, Activation);
void gatedForward(const Context&, float* out, const float* gate, const float* up, int64_t count, Activation);
void gatedBackward(const Context&, float* dgate, float* dup, const float* dout, const float* gate, const float* up, int64_t count, Activation);
void softCapForward(const Context&, float* out, const float* x, float cap, int64_t count);
void softCapBackward(const Context&, float* dx, const float* dout, const float* out, float cap, int64_t count);
void rotary(const Context&, float* out, const float* x, const int32_t* positions, const float* cos, const float* sin, int n, int heads, int width, int half, float direction);
void attentionForward(const Context&, float* z, float* pattern, const float* q, const float* k, const float* v, const int32_t* starts, int b, int t, const AttentionHeads&);
void attentionBackward(const Context&, float* dq, float* dk, float* dv, const float* dz, const float* pattern, const float* q, const float* k, const float* v, const int32_t* starts, int b, int t, const AttentionHeads&);
void attentionCachedForward(const Context&, float* z, float* pattern, const float* q, const float* keys, const float* values, const int32_t* sequences, const int32_t* lengths, int n, int s, const AttentionHeads&);
void embedForward(const Context&, float* out, const int32_t* tokens, const Weights& wE, const Weights& wPos, int n, int d, int t);
void embedBackward(const Context&, float* dWE, float* dWPos, const float* dout, const int32_t* tokens, int n, int d, int t);
void crossEntropyForward(const Context&, float* losses, const float* logits, const int32_t* targets, int n, int v);
void crossEntropyBackward(const Context&, float* dlogits, const float* logits, const int32_t* targets, int n, int v, float scale);
void klDivergence(const Context&, float* out, const float* p, const float* q, int n, int v);
}  // namespace MONOSEM_ISA
}  // namespace monosem
