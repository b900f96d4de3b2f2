// Philox4x32-10 (Salmon et al. 2011): four random words for each counter. The same as src/kernels/philox.ts.
#pragma once
#include <stdint.h>

namespace monosem {

struct PhiloxKey {
  uint32_t k0, k1;
};

struct PhiloxWords {
  uint32_t word[4];
};

constexpr uint32_t kPhiloxM0 = 0xd2511f53u, kPhiloxM1 = 0xcd9e8d57u, kPhiloxW0 = 0x9e3779b9u, kPhiloxW1 = 0xbb67ae85u;
constexpr int kPhiloxRounds = 10;

static inline PhiloxWords philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, PhiloxKey key) {
  for (int round = 0; round < kPhiloxRounds; round++) {
    uint64_t p0 = static_cast<uint64_t>(kPhiloxM0) * c0, p1 = static_cast<uint64_t>(kPhiloxM1) * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ key.k0;
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ key.k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    key.k0 += kPhiloxW0;
    key.k1 += kPhiloxW1;
  }
  return {{c0, c1, c2, c3}};
}

}  // namespace monosem
