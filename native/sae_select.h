// What a scan keeps of each row: lists of (feature, value) that grow vector by vector, features ascending, and the choice of the k largest.
#pragma once
#include <stdlib.h>

#include "sae.h"

namespace monosem {
namespace MONOSEM_ISA {

static inline int countAbove(const float* values, int count, float threshold) {
  int above = 0;
  for (int i = 0; i < count; i++) above += values[i] > threshold;
  return above;
}

// The k-th largest of values, at least k of which are positive, by halving the integers that their bits are.
static inline float kthLargest(const float* values, int count, int k) {
  const int32_t* bits = reinterpret_cast<const int32_t*>(values);
  int32_t low = 0, high = 0x7f800001;
  while (high - low > 1) {
    int32_t middle = low + (high - low) / 2;
    int reached = 0;
    for (int i = 0; i < count; i++) reached += bits[i] >= middle;
    if (reached >= k) low = middle;
    else high = middle;
  }
  float value;
  memcpy(&value, &low, 4);
  return value;
}

// Puts 0 in place of all but the k largest positive values; the first of equals stay.
static inline void clearAllButLargest(float* values, int count, int k) {
  for (int i = 0; i < count; i++) values[i] = values[i] > 0 ? values[i] : 0.0f;
  if (countAbove(values, count, 0) <= k) return;
  float kth = kthLargest(values, count, k);
  int ties = k - countAbove(values, count, kth);
  for (int i = 0; i < count; i++)
    if (values[i] < kth || (values[i] == kth && ties-- <= 0)) values[i] = 0;
}

// Values are those of the scan less their margin: no pair is worth less, and none is worth more than its value and two margins.
struct RowList {
  float* values = nullptr;
  int32_t* ids = nullptr;
  int count = 0, capacity = 0;
  int full = 0;    // how many it may hold before it is thinned out
  float least = 0; // what a pair must be able to be worth more than

  void clear(int fullAt) {
    count = 0;
    full = fullAt;
    least = 0;
  }

  void reserve(int wanted) {
    if (wanted <= capacity) return;
    capacity = wanted > 2 * capacity ? wanted : 2 * capacity;
    values = static_cast<float*>(realloc(values, sizeof(float) * capacity));
    ids = static_cast<int32_t*>(realloc(ids, sizeof(int32_t) * capacity));
    if (!values || !ids) abort();
  }

  // Adds the lanes of `mask`; lane 0 is feature `first`.
  void push(uint32_t mask, vf lanes, int32_t first) {
    reserve(count + VL);
    count += storeLanes(values + count, ids + count, mask, lanes, first);
  }

  // Leaves those that keep(i) says, in their order.
  template <class Keep>
  void filter(Keep keep) {
    int kept = 0;
    for (int i = 0; i < count; i++) {
      float value = values[i];
      int32_t id = ids[i];
      bool stays = keep(i);
      values[kept] = value;
      ids[kept] = id;
      kept += stays;
    }
    count = kept;
  }

  // A number that at least k values are above, and not many more; `least` where there are fewer. Halving an interval takes a fraction of
  // the time of sorting, and any such number will do.
  float nearKth(int k) const {
    float low = least, high = 0;
    if (countAbove(values, count, low) < k) return least;
    for (int i = 0; i < count; i++) high = values[i] > high ? values[i] : high;
    for (int round = 0; round < 24; round++) {
      float middle = 0.5f * (low + high);
      int above = countAbove(values, count, middle);
      if (above >= k) low = middle;
      else high = middle;
      if (above >= k && above <= k + k / 8) break;
    }
    return low;
  }

  // Leaves the k largest positive values.
  void keepLargest(int k) {
    clearAllButLargest(values, count, k);
    filter([&](int i) { return values[i] > 0; });
  }
};

}  // namespace MONOSEM_ISA
}  // namespace monosem
