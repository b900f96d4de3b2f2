// The layouts that encoding reads. Weights: panels of NR features, [depth group][feature]. Batches: panels of MR rows,
// [depth group][row]. A group is 32 bits: 1 fp32, 2 bf16 or 4 int8, so that all three are transposed by the same code.
#include <stdlib.h>
#include <string.h>

#include "sae.h"
#include "sae_tile.h"

namespace monosem {

// runtime.cc
void* allocateAligned(size_t bytes);
void releaseAligned(void* data);

namespace MONOSEM_ISA {

namespace {

int groupsOf(SaePrecision precision, int d) {
  return precision == kFp32 ? d : precision == kBf16Panels ? (d + 1) / 2 : (d + 3) / 4;
}

int panelsOf(int f) { return (f + NR - 1) / NR; }

// [rows][groups] -> [groups][width], zeros past `rows`; 16 groups at a time, so that the strided writes stay in few cache lines
template <int width>
void transposeGroups(uint32_t* panel, const uint32_t* rows, int count, size_t stride, int groups) {
  for (int g0 = 0; g0 < groups; g0 += 16) {
    int g1 = g0 + 16 < groups ? g0 + 16 : groups;
    for (int j = 0; j < width; j++)
      if (j < count)
        for (int g = g0; g < g1; g++) panel[g * width + j] = rows[j * stride + g];
      else
        for (int g = g0; g < g1; g++) panel[g * width + j] = 0;
  }
}

void toBf16(uint32_t* out, const float* x, int d) {
  uint16_t* half = reinterpret_cast<uint16_t*>(out);
  const uint32_t* bits = reinterpret_cast<const uint32_t*>(x);
  for (int i = 0; i < d; i++) half[i] = static_cast<uint16_t>((bits[i] + 0x7fffu + ((bits[i] >> 16) & 1)) >> 16);
  if (d & 1) half[d] = 0;
}

// Rounds x factor / 127ths of its largest magnitude to integers -127..127, plus `offset`; returns the value of one unit.
float toInt8(uint32_t* out, const float* x, const float* smoothing, bool multiply, int offset, int d, float* smoothed, int32_t* sum) {
  float largest = 0;
  for (int i = 0; i < d; i++) {
    smoothed[i] = multiply ? x[i] * smoothing[i] : x[i] / smoothing[i];
    float magnitude = smoothed[i] < 0 ? -smoothed[i] : smoothed[i];
    largest = magnitude > largest ? magnitude : largest;
  }
  float unit = largest > 0 ? largest / 127.0f : 1.0f, perUnit = 1.0f / unit;
  const float magic = 12582912.0f;  // adding it rounds to the nearest integer
  uint8_t* bytes = reinterpret_cast<uint8_t*>(out);
  int32_t total = 0;
  for (int i = 0; i < d; i++) {
    float shifted = smoothed[i] * perUnit + magic;
    int32_t bits;
    memcpy(&bits, &shifted, 4);
    int32_t q = bits - 0x4b400000;
    total += q;
    bytes[i] = static_cast<uint8_t>(q + offset);
  }
  for (int i = d; i % 4; i++) bytes[i] = static_cast<uint8_t>(offset);
  if (sum) *sum = total;
  return unit;
}

float norm(const float* x, int d) { return sqrtf(dot(x, x, d)); }

constexpr float kDeviations = 4;  // of an error that is known as a standard deviation
// Rounding errors are independent and spread over the dimensions: each product of two bf16 is off by about 2^-9 of itself.
constexpr float kBf16Error = kDeviations * 1.7f / 512;

// ||x - rounded x||
float roundedAway(const float* x, const uint32_t* rounded, int d) {
  const uint16_t* half = reinterpret_cast<const uint16_t*>(rounded);
  float squares = 0;
  for (int i = 0; i < d; i++) squares += (x[i] - widened(half[i])) * (x[i] - widened(half[i]));
  return sqrtf(squares);
}

// |x . w - rounded x . rounded w| <= ||x - rounded x|| ||w|| + ||rounded x|| ||w - rounded w|| (Cauchy and Schwarz), to which come the rounding of
// d additions in this product and in the one that is computed again, each at most 2^-24 of ||x|| ||w||. One part in 100 is for the rest.
float exactError(float normX, float away, float largestAwayW, int d) {
  return 1.01f * (away + normX * (largestAwayW + d * (4.0f / (1 << 24))));
}

}  // namespace

bool saeHasPrecision(SaePrecision precision) {
  return precision == kFp32 || (precision == kBf16Panels && kHasBf16) || (precision == kInt8Panels && kHasInt8);
}

size_t panelScratchBytes(int d) { return sizeof(uint32_t) * (static_cast<size_t>(NR) * (d / 2 + 2) + d); }

void saeAllocatePacked(SaePacked& packed) {
  size_t features = static_cast<size_t>(panelsOf(packed.f)) * NR;
  packed.panels = allocateAligned(sizeof(uint32_t) * features * groupsOf(packed.precision, packed.d));
  packed.scale = static_cast<float*>(allocateAligned(sizeof(float) * features));
  packed.error = static_cast<float*>(allocateAligned(sizeof(float) * features));
  if (!packed.smoothing) {
    packed.smoothing = static_cast<float*>(allocateAligned(sizeof(float) * packed.d));
    for (int i = 0; i < packed.d; i++) packed.smoothing[i] = 1.0f;
  }
}

void saeReleasePacked(SaePacked& packed) {
  releaseAligned(packed.panels);
  releaseAligned(packed.scale);
  releaseAligned(packed.error);
  releaseAligned(packed.smoothing);
  packed.panels = packed.scale = packed.error = packed.smoothing = nullptr;
}

void packFeaturePanel(SaePacked& packed, const float* wEnc, int panel, void* scratch) {
  int d = packed.d, first = panel * NR, count = packed.f - first < NR ? packed.f - first : NR;
  int groups = groupsOf(packed.precision, d);
  uint32_t* out = static_cast<uint32_t*>(packed.panels) + static_cast<size_t>(panel) * NR * groups;
  const float* rows = wEnc + static_cast<size_t>(first) * d;
  float *scale = packed.scale + first, *error = packed.error + first;
  for (int j = 0; j < NR; j++) scale[j] = error[j] = 0;
  if (packed.precision == kFp32) return transposeGroups<NR>(out, reinterpret_cast<const uint32_t*>(rows), count, d, groups);
  uint32_t* converted = static_cast<uint32_t*>(scratch);
  float* smoothed = reinterpret_cast<float*>(converted + static_cast<size_t>(NR) * (d / 2 + 2));
  for (int j = 0; j < count; j++) {
    const float* row = rows + static_cast<size_t>(j) * d;
    uint32_t* target = converted + static_cast<size_t>(j) * groups;
    if (packed.precision == kBf16Panels) {
      toBf16(target, row, d);
      float length = norm(row, d);
      scale[j] = length > 0 ? roundedAway(row, target, d) / length : 0;
      error[j] = packed.exact ? length : length * kBf16Error / sqrtf(static_cast<float>(d));
    } else {
      scale[j] = toInt8(target, row, packed.smoothing, true, 128, d, smoothed, nullptr);
      error[j] = norm(smoothed, d);
    }
  }
  transposeGroups<NR>(out, converted, count, groups, groups);
}

void saePack(const Context& context, SaePacked& packed, const float* wEnc) {
  parallelFor(context, panelsOf(packed.f), [&](int panel, int worker) {
    packFeaturePanel(packed, wEnc, panel, scratchBytes(context.scratch, kSlotPerWorker + worker, panelScratchBytes(packed.d)));
  });
}

PackedRows packBatch(const Context& context, const float* centred, int n, int d, const SaePacked& like) {
  int groups = groupsOf(like.precision, d), panels = (n + MR - 1) / MR;
  uint32_t* out = scratchArray<uint32_t>(context, kSlotSaePackX, static_cast<size_t>(panels) * MR * groups);
  float* scale = scratchArray<float>(context, kSlotSaeRowScales, 3 * static_cast<size_t>(n));
  float* error = scale + n;
  int32_t* sum = reinterpret_cast<int32_t*>(error + n);
  float largestAway = 0;
  for (int j = 0; like.exact && j < like.f; j++) largestAway = like.scale[j] > largestAway ? like.scale[j] : largestAway;
  parallelFor(context, panels, [&](int p, int worker) {
    int count = n - p * MR < MR ? n - p * MR : MR;
    uint32_t* panel = out + static_cast<size_t>(p) * MR * groups;
    const float* rows = centred + static_cast<size_t>(p) * MR * d;
    if (like.precision == kFp32) {
      for (int i = 0; i < count; i++) error[p * MR + i] = 0;
      return transposeGroups<MR>(panel, reinterpret_cast<const uint32_t*>(rows), count, d, groups);
    }
    uint32_t* converted = static_cast<uint32_t*>(scratchBytes(context.scratch, kSlotPerWorker + worker, panelScratchBytes(d)));
    float* smoothed = reinterpret_cast<float*>(converted + static_cast<size_t>(NR) * (d / 2 + 2));
    for (int i = 0; i < count; i++) {
      int row = p * MR + i;
      const float* x = rows + static_cast<size_t>(i) * d;
      if (like.precision == kBf16Panels) {
        toBf16(converted + static_cast<size_t>(i) * groups, x, d);
        float length = norm(x, d);
        error[row] = like.exact ? exactError(length, roundedAway(x, converted + static_cast<size_t>(i) * groups, d), largestAway, d) : length;
      } else {
        scale[row] = toInt8(converted + static_cast<size_t>(i) * groups, x, like.smoothing, false, 0, d, smoothed, &sum[row]);
        // both factors are rounded to steps of about 4 standard deviations / 127; rounding is off by step / sqrt(12)
        error[row] = kDeviations * (scale[row] + norm(smoothed, d) * 4 / (127 * sqrtf(static_cast<float>(d)))) / sqrtf(12.0f);
      }
    }
    transposeGroups<MR>(panel, converted, count, groups, groups);
  });
  return {like.precision, out, scale, sum, error};
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
