// Portable vectors on the compiler's vector extension. VL is the number of fp32 lanes of the instruction set that this
// file is compiled for: 16 (AVX-512), 8 (AVX2), 4 (SSE2, NEON). Only C headers: nothing here may emit shared inline code.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX2__) || defined(__AVX512F__) || defined(__SSE2__)
// GCC 12 warns of its own intrinsics, whose unused lanes are undefined on purpose.
#pragma GCC diagnostic push
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace monosem {
namespace MONOSEM_ISA {

#if defined(__AVX512F__)
constexpr int VL = 16;
#elif defined(__AVX2__)
constexpr int VL = 8;
#else
constexpr int VL = 4;
#endif

typedef float vf __attribute__((vector_size(VL * 4)));
typedef int32_t vi __attribute__((vector_size(VL * 4)));
typedef float vfUnaligned __attribute__((vector_size(VL * 4), aligned(4), may_alias));
typedef int32_t viUnaligned __attribute__((vector_size(VL * 4), aligned(4), may_alias));

static inline __attribute__((always_inline)) vf load(const float* p) { return *reinterpret_cast<const vfUnaligned*>(p); }
static inline __attribute__((always_inline)) void store(float* p, vf v) { *reinterpret_cast<vfUnaligned*>(p) = v; }
static inline __attribute__((always_inline)) vi load(const int32_t* p) { return *reinterpret_cast<const viUnaligned*>(p); }
static inline __attribute__((always_inline)) void store(int32_t* p, vi v) { *reinterpret_cast<viUnaligned*>(p) = v; }
// A store past the caches, to aligned addresses only; an ordinary one where there is none.
static inline __attribute__((always_inline)) bool isStreamable(const float* p) { return reinterpret_cast<uintptr_t>(p) % (VL * 4) == 0; }
static inline __attribute__((always_inline)) void storeStreaming(float* p, vf v) {
#if defined(__AVX512F__)
  _mm512_stream_ps(p, v);
#elif defined(__AVX2__)
  _mm256_stream_ps(p, v);
#else
  store(p, v);
#endif
}
// Makes streaming stores visible before what is stored later.
static inline __attribute__((always_inline)) void fenceStreaming() {
#if defined(__AVX2__) || defined(__AVX512F__)
  _mm_sfence();
#endif
}
// By intrinsics: `vf{} + x` would cost an addition, as -0 + 0 is not -0.
static inline __attribute__((always_inline)) vf splat(float x) {
#if defined(__AVX512F__)
  return _mm512_set1_ps(x);
#elif defined(__AVX2__)
  return _mm256_set1_ps(x);
#elif defined(__SSE2__)
  return _mm_set1_ps(x);
#elif defined(__ARM_NEON)
  return vdupq_n_f32(x);
#else
  return vf{} + x;
#endif
}

// The first `lanes` lanes, the others 0.
static inline vf loadPartial(const float* p, int lanes) {
  if (lanes == VL) return load(p);
  float buffer[VL] = {};
  memcpy(buffer, p, sizeof(float) * lanes);
  return load(buffer);
}

static inline void storePartial(float* p, vf value, int lanes) {
  if (lanes == VL) return store(p, value);
  float buffer[VL];
  store(buffer, value);
  memcpy(p, buffer, sizeof(float) * lanes);
}

// Halves are added until one number is left: the same order for every instruction set.
static inline __attribute__((always_inline)) float horizontalSum(vf v) {
#if defined(__AVX512F__)
  __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
#elif defined(__AVX2__)
  __m256 eight = v;
#endif
#if defined(__AVX2__)
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
#elif defined(__SSE2__)
  __m128 four = v;
#endif
#if defined(__SSE2__)
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
#elif defined(__aarch64__)
  return vpadds_f32(vadd_f32(vget_low_f32(v), vget_high_f32(v)));
#else
  return (v[0] + v[2]) + (v[1] + v[3]);
#endif
}

static inline __attribute__((always_inline)) vf maximum(vf a, vf b) {
  vi greater = a > b;
  return reinterpret_cast<vf>((reinterpret_cast<vi>(a) & greater) | (reinterpret_cast<vi>(b) & ~greater));
}

// Each lane of a where the mask is set (all bits), of b elsewhere.
static inline __attribute__((always_inline)) vf select(vi mask, vf a, vf b) {
  return reinterpret_cast<vf>((reinterpret_cast<vi>(a) & mask) | (reinterpret_cast<vi>(b) & ~mask));
}

static inline float widened(float value) { return value; }
static inline float widened(uint16_t bf16) {
  uint32_t bits = static_cast<uint32_t>(bf16) << 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

// VL bf16 numbers, widened.
static inline __attribute__((always_inline)) vf load(const uint16_t* p) {
#if defined(__AVX512F__)
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))), 16));
#elif defined(__AVX2__)
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))), 16));
#elif defined(__aarch64__)
  return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
#else
  vi bits;
  for (int i = 0; i < VL; i++) bits[i] = static_cast<int32_t>(static_cast<uint32_t>(p[i]) << 16);
  return reinterpret_cast<vf>(bits);
#endif
}

// One bit per lane: v > threshold.
static inline __attribute__((always_inline)) uint32_t greaterMask(vf v, vf threshold) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask(v, threshold, _CMP_GT_OQ);
#elif defined(__AVX2__)
  return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(v, threshold, _CMP_GT_OQ)));
#elif defined(__SSE2__)
  return static_cast<uint32_t>(_mm_movemask_ps(_mm_cmpgt_ps(v, threshold)));
#elif defined(__aarch64__)
  return vaddvq_u32(vandq_u32(vcgtq_f32(v, threshold), uint32x4_t{1, 2, 4, 8}));
#else
  vi greater = v > threshold;
  return (greater[0] & 1) | (greater[1] & 2) | (greater[2] & 4) | (greater[3] & 8);
#endif
}

// The lanes of the mask one after the other, and their places in the vector plus `first`. Whole vectors may be written. Returns how many lanes these are.
static inline __attribute__((always_inline)) int storeLanes(float* values, int32_t* places, uint32_t mask, vf v, int32_t first) {
#if defined(__AVX512F__)
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  __mmask16 wanted = static_cast<__mmask16>(mask);
  // to a register first: compressing to memory is slow on Zen 4
  _mm512_storeu_ps(values, _mm512_maskz_compress_ps(wanted, v));
  _mm512_storeu_si512(places, _mm512_maskz_compress_epi32(wanted, _mm512_add_epi32(lanes, _mm512_set1_epi32(first))));
  return __builtin_popcount(mask);
#else
  float buffer[VL];
  store(buffer, v);
  int count = 0;
  for (; mask; mask &= mask - 1) {
    int lane = __builtin_ctz(mask);
    values[count] = buffer[lane];
    places[count++] = first + lane;
  }
  return count;
#endif
}

// out [4 rows, `stride` apart] of 4 = the transpose of 4 runs of 4 fp32 or bf16 numbers.
#if defined(__SSE2__)
static inline __attribute__((always_inline)) __m128 load4(const float* p) { return _mm_loadu_ps(p); }
static inline __attribute__((always_inline)) __m128 load4(const uint16_t* p) {
  return _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
template <class Element>
static inline __attribute__((always_inline)) void transpose4(float* out, ptrdiff_t stride, const Element* p0, const Element* p1, const Element* p2, const Element* p3) {
  __m128 a = load4(p0), b = load4(p1), c = load4(p2), d = load4(p3);
  _MM_TRANSPOSE4_PS(a, b, c, d);
  _mm_storeu_ps(out, a);
  _mm_storeu_ps(out + stride, b);
  _mm_storeu_ps(out + 2 * stride, c);
  _mm_storeu_ps(out + 3 * stride, d);
}
#elif defined(__aarch64__)
template <class Element>
static inline __attribute__((always_inline)) void transpose4(float* out, ptrdiff_t stride, const Element* p0, const Element* p1, const Element* p2, const Element* p3) {
  vf a = load(p0), b = load(p1), c = load(p2), d = load(p3);
  float64x2_t even01 = vreinterpretq_f64_f32(vtrn1q_f32(a, b)), odd01 = vreinterpretq_f64_f32(vtrn2q_f32(a, b));
  float64x2_t even23 = vreinterpretq_f64_f32(vtrn1q_f32(c, d)), odd23 = vreinterpretq_f64_f32(vtrn2q_f32(c, d));
  store(out, vreinterpretq_f32_f64(vtrn1q_f64(even01, even23)));
  store(out + stride, vreinterpretq_f32_f64(vtrn1q_f64(odd01, odd23)));
  store(out + 2 * stride, vreinterpretq_f32_f64(vtrn2q_f64(even01, even23)));
  store(out + 3 * stride, vreinterpretq_f32_f64(vtrn2q_f64(odd01, odd23)));
}
#else
template <class Element>
static inline void transpose4(float* out, ptrdiff_t stride, const Element* p0, const Element* p1, const Element* p2, const Element* p3) {
  for (int i = 0; i < 4; i++) {
    out[i * stride] = widened(p0[i]);
    out[i * stride + 1] = widened(p1[i]);
    out[i * stride + 2] = widened(p2[i]);
    out[i * stride + 3] = widened(p3[i]);
  }
}
#endif

// exp(x), relative error about 2e-7 (Cephes polynomial); clamped to the range of normal numbers.
static inline __attribute__((always_inline)) vf exponential(vf x) {
  const vf low = splat(-87.0f), high = splat(88.0f);
  x = maximum(low, x);  // in this order NaN stays NaN
  x = -maximum(-high, -x);
  vf scaled = x * 1.44269504088896341f;
  const vf magic = splat(12582912.0f);  // adding it rounds to the nearest integer
  vf rounded = (scaled + magic) - magic;
  vi exponent = __builtin_convertvector(rounded, vi);
  vf r = x - rounded * 0.693359375f;
  r = r - rounded * -2.12194440e-4f;
  vf p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  vi bits = (exponent + 127) << 23;
  return p * reinterpret_cast<vf>(bits);
}

// tanh(x), relative error about 2e-7 (Cephes polynomial for small x).
static inline __attribute__((always_inline)) vf hyperbolicTangent(vf x) {
  vf z = x * x;
  vf p = splat(-5.70498872745e-3f);
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  return select(z < 0.390625f, p * z * x + x, 1.0f - 2.0f / (exponential(2.0f * x) + 1.0f));
}

// sum a[i] b[i]; the order of additions depends on n only.
static inline float dot(const float* a, const float* b, int n) {
  vf s0{}, s1{}, s2{}, s3{};
  int i = 0;
  for (; i + 4 * VL <= n; i += 4 * VL) {
    s0 += load(a + i) * load(b + i);
    s1 += load(a + i + VL) * load(b + i + VL);
    s2 += load(a + i + 2 * VL) * load(b + i + 2 * VL);
    s3 += load(a + i + 3 * VL) * load(b + i + 3 * VL);
  }
  for (; i + VL <= n; i += VL) s0 += load(a + i) * load(b + i);
  float sum = horizontalSum((s0 + s1) + (s2 + s3));
  for (; i < n; i++) sum += a[i] * b[i];
  return sum;
}

// y += alpha x
static inline void axpy(float* y, float alpha, const float* x, int n) {
  int i = 0;
  for (; i + VL <= n; i += VL) store(y + i, load(y + i) + alpha * load(x + i));
  for (; i < n; i++) y[i] += alpha * x[i];
}

// y += a0 x0 + a1 x1 + a2 x2 + a3 x3
static inline void axpy4(float* y, const float* a, const float* x0, const float* x1, const float* x2, const float* x3, int n) {
  int i = 0;
  for (; i + VL <= n; i += VL)
    store(y + i, (load(y + i) + a[0] * load(x0 + i)) + a[1] * load(x1 + i) + a[2] * load(x2 + i) + a[3] * load(x3 + i));
  for (; i < n; i++) y[i] = (y[i] + a[0] * x0[i]) + a[1] * x1[i] + a[2] * x2[i] + a[3] * x3[i];
}

// out[r] = w . rows[r], w fp32 or bf16; the order of additions depends on n only, not on how many rows are taken together.
template <int kRows, class Element>
static inline __attribute__((always_inline)) void dotRows(float* out, const Element* w, const float* const* rows, int n) {
  vf even[kRows], odd[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; r++) even[r] = odd[r] = vf{};
  int i = 0;
  for (; i + 2 * VL <= n; i += 2 * VL) {
    vf w0 = load(w + i), w1 = load(w + i + VL);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r++) {
      even[r] += w0 * load(rows[r] + i);
      odd[r] += w1 * load(rows[r] + i + VL);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; r++) {
    float total = horizontalSum(even[r] + odd[r]);
    for (int j = i; j < n; j++) total += widened(w[j]) * rows[r][j];
    out[r] = total;
  }
}

static inline float sum(const float* x, int n) {
  vf s0{}, s1{};
  int i = 0;
  for (; i + 2 * VL <= n; i += 2 * VL) {
    s0 += load(x + i);
    s1 += load(x + i + VL);
  }
  float total = horizontalSum(s0 + s1);
  for (; i < n; i++) total += x[i];
  return total;
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
