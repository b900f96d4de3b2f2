// Rotary position embeddings (Su et al. 2021), pairs (i, i + half) of each head as in GPT-NeoX.
#include "rows.h"
#include "simd.h"
#include "transformer.h"

namespace monosem {
namespace MONOSEM_ISA {

// out, x [n, heads * width], cos, sin [., half]; direction is 1, or -1 for the gradient. out may be x.
void rotary(const Context& context, float* out, const float* x, const int32_t* positions, const float* cos, const float* sin, int n, int heads, int width, int half, float direction) {
  forRows(context, n, [&](int row, int) {
    const float *c = cos + static_cast<size_t>(positions[row]) * half, *s = sin + static_cast<size_t>(positions[row]) * half;
    for (int head = 0; head < heads; head++) {
      size_t at = (static_cast<size_t>(row) * heads + head) * width;
      const float* in = x + at;
      float* o = out + at;
      for (int i = 0; i < half; i += VL) {
        int lanes = half - i < VL ? half - i : VL;
        vf a = loadPartial(in + i, lanes), b = loadPartial(in + half + i, lanes);
        vf cosine = loadPartial(c + i, lanes), sine = loadPartial(s + i, lanes) * direction;
        storePartial(o + i, a * cosine - b * sine, lanes);
        storePartial(o + half + i, b * cosine + a * sine, lanes);
      }
      if (o != in) memcpy(o + 2 * half, in + 2 * half, sizeof(float) * (width - 2 * half));
    }
  });
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
