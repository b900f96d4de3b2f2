// What autoencoders of normalised inputs do to each token before the encoder and after the decoder. Sums are in double precision and in the order of
// the columns: a row costs little beside encoding it.
#include "sae.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

constexpr double kLayerNormEpsilon = 1e-5;

// out = (x - mean) / (std + epsilon), with d - 1 in the denominator of the variance
void layerNormRow(float* out, float& offset, float& scale, const float* x, int d) {
  double mean = 0, squares = 0;
  for (int i = 0; i < d; i++) mean += x[i];
  mean /= d;
  for (int i = 0; i < d; i++) squares += (x[i] - mean) * (x[i] - mean);
  double deviation = sqrt(squares / (d > 1 ? d - 1 : 1));
  if (out)
    for (int i = 0; i < d; i++) out[i] = static_cast<float>((x[i] - mean) / (deviation + kLayerNormEpsilon));
  offset = static_cast<float>(mean);
  scale = static_cast<float>(deviation);
}

// out = x sqrt(d) / ||x||
void constantNormRow(float* out, float& offset, float& scale, const float* x, int d) {
  double squares = 0;
  for (int i = 0; i < d; i++) squares += static_cast<double>(x[i]) * x[i];
  double norm = sqrt(squares / d), factor = norm > 0 ? 1 / norm : 0;
  if (squares != squares) factor = squares;  // NaN stays
  if (out)
    for (int i = 0; i < d; i++) out[i] = static_cast<float>(x[i] * factor);
  offset = 0;
  scale = static_cast<float>(norm);
}

}  // namespace

void saeNormalize(const Context& context, float* out, float* offsets, float* scales, const float* x, int n, int d, bool layerNorm) {
  forRows(context, n, [&](int row) {
    size_t start = static_cast<size_t>(row) * d;
    (layerNorm ? layerNormRow : constantNormRow)(out ? out + start : nullptr, offsets[row], scales[row], x + start, d);
  });
}

void saeDenormalizeInPlace(const Context& context, float* y, const float* offsets, const float* scales, int n, int d) {
  forRows(context, n, [&](int row) {
    float* values = y + static_cast<size_t>(row) * d;
    float scale = scales[row], offset = offsets ? offsets[row] : 0.0f;
    for (int i = 0; i < d; i++) values[i] = values[i] * scale + offset;
  });
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
