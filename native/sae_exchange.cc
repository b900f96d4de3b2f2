// The choice of the largest activations over ranks that have different features (and, for a whole batch, different rows). What crosses are
// values with ids, counts and thresholds: every rank keeps or drops its own pairs.
#include "sae_exchange.h"

#include <algorithm>
#include <stdlib.h>

namespace monosem {
namespace MONOSEM_ISA {

namespace {

template <class T>
T* allocate(int64_t count) {
  T* memory = static_cast<T*>(malloc(sizeof(T) * (count ? count : 1)));
  if (!memory) abort();
  return memory;
}

// The first of the rows that a rank of a group finds the k-th keys of.
int firstRowOf(const Exchange& group, int rank, int rows) { return static_cast<int>(static_cast<int64_t>(rows) * rank / group.ranks); }

bool larger(uint64_t a, uint64_t b) { return a > b; }

// The key of a pair among those of all ranks.
uint64_t globalKey(const SaeRanks& ranks, const Codes& codes, int i) { return keyOf(codes.values[i], ranks.firstFeature + codes.featureIds[i]); }

uint32_t bitsOf(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits;
}

// The `wanted`-th largest value of a batch: `needed` of the `ties` pairs that have it belong to the `wanted` largest.
struct Threshold {
  uint32_t bits;  // positive values are ordered as the integers that their bits are
  int64_t needed, ties;
};

// Looks for it from the upper bits to the lower, in histograms summed over all ranks.
Threshold findThreshold(const SaeRanks& ranks, int64_t wanted, const Codes& codes) {
  constexpr int kRounds[] = {11, 10, 10}, kBits = 31;
  double counts[1 << 11];
  Threshold found{0, wanted, 0};
  int shift = kBits;
  for (int bits : kRounds) {
    uint32_t bins = 1u << bits;
    uint64_t above = shift;  // bits found so far are those from here up
    shift -= bits;
    for (uint32_t bin = 0; bin < bins; bin++) counts[bin] = 0;
    for (int64_t i = 0; i < codes.count; i++) {
      uint64_t value = bitsOf(codes.values[i]);
      if (value >> above == found.bits) counts[(value >> shift) & (bins - 1)]++;
    }
    sumOverAll(ranks, counts, bins);
    uint32_t bin = bins - 1;
    for (; bin > 0 && counts[bin] < found.needed; bin--) found.needed -= static_cast<int64_t>(counts[bin]);
    found.bits = found.bits << bits | bin;
    found.ties = static_cast<int64_t>(counts[bin]);
  }
  return found;
}

// Places of pairs in the whole, row before feature.
struct Places {
  uint64_t* items;
  int64_t count;
};

uint64_t placeOf(const SaeRanks& ranks, int row, int32_t id) { return static_cast<uint64_t>(ranks.firstRow + row) << 32 | static_cast<uint32_t>(ranks.firstFeature + id); }

// The places of all ranks of a group instead of this rank's.
void gather(const Exchange* group, Places& places) {
  if (!group) return;
  int64_t *sizes = allocate<int64_t>(2 * group->ranks), *bytes = sizes + group->ranks, own = places.count * 8, total = 0;
  for (int r = 0; r < group->ranks; r++) sizes[r] = sizeof(int64_t);
  group->allGather(group->self, &own, bytes, sizes);
  for (int r = 0; r < group->ranks; r++) total += bytes[r];
  uint64_t* all = allocate<uint64_t>(total / 8);
  group->allGather(group->self, places.items, all, bytes);
  free(places.items);
  free(sizes);
  places = {all, total / 8};
}

// The last of the ties, by place, that still belongs to the largest.
uint64_t lastTie(const SaeRanks& ranks, const Threshold& threshold, const Codes& codes) {
  Places ties{allocate<uint64_t>(codes.count), 0};
  for (int row = 0; row < codes.rows; row++)
    for (int i = codes.rowOffsets[row]; i < codes.rowOffsets[row + 1]; i++)
      if (bitsOf(codes.values[i]) == threshold.bits) ties.items[ties.count++] = placeOf(ranks, row, codes.featureIds[i]);
  gather(ranks.features, ties);
  gather(ranks.data, ties);
  uint64_t* last = ties.items + threshold.needed - 1;
  std::nth_element(ties.items, last, ties.items + ties.count, [](uint64_t a, uint64_t b) { return a < b; });
  uint64_t place = *last;
  free(ties.items);
  return place;
}

}  // namespace

void kthKeys(const Context& context, const Exchange* group, const uint64_t* keys, int rows, int k, uint64_t* kth) {
  if (!group) {
    for (int row = 0; row < rows; row++) kth[row] = 0;  // a rank alone has no more than k keys a row
    return;
  }
  // each rank decides on some of the rows: it gets the keys of everyone for them, and tells everyone the k-th
  int ranks = group->ranks, first = firstRowOf(*group, group->rank, rows), own = firstRowOf(*group, group->rank + 1, rows) - first;
  int64_t *send = allocate<int64_t>(3 * ranks), *receive = send + ranks, *thresholds = receive + ranks;
  for (int r = 0; r < ranks; r++) {
    int64_t theirs = firstRowOf(*group, r + 1, rows) - firstRowOf(*group, r, rows);
    send[r] = theirs * k * 8;
    receive[r] = static_cast<int64_t>(own) * k * 8;
    thresholds[r] = theirs * 8;
  }
  size_t all = static_cast<size_t>(ranks) * own * k;
  uint64_t* received = scratchArray<uint64_t>(context, kSlotSaeRankKeys, 2 * all + own);
  uint64_t *byRow = received + all, *found = byRow + all;
  group->allToAll(group->self, keys, send, received, receive);
  forRows(context, own, [&](int row) {
    uint64_t* candidates = byRow + static_cast<size_t>(row) * ranks * k;
    for (int r = 0; r < ranks; r++) memcpy(candidates + static_cast<size_t>(r) * k, received + (static_cast<size_t>(r) * own + row) * k, sizeof(uint64_t) * k);
    std::nth_element(candidates, candidates + k - 1, candidates + static_cast<size_t>(ranks) * k, [](uint64_t a, uint64_t b) { return a > b; });
    found[row] = candidates[k - 1];
  });
  group->allGather(group->self, found, kth, thresholds);
  free(send);
}

namespace {

// The k-th largest key of each row of all ranks' features, 0 where there are fewer; codes hold at least the k largest of this rank's. In scratch memory, until the next call.
const uint64_t* kthOfRows(const Context& context, const SaeRanks& ranks, int k, const Codes& codes) {
  uint64_t* keys = scratchArray<uint64_t>(context, kSlotSaeKeys, static_cast<size_t>(codes.rows) * (k + 1) + codes.count);
  uint64_t *kth = keys + static_cast<size_t>(codes.rows) * k, *all = kth + codes.rows;
  forRows(context, codes.rows, [&](int row) {
    int first = codes.rowOffsets[row], count = codes.rowOffsets[row + 1] - first, most = count < k ? count : k;
    for (int i = first; i < first + count; i++) all[i] = globalKey(ranks, codes, i);
    if (count > k) std::nth_element(all + first, all + first + k - 1, all + first + count, larger);
    uint64_t* own = keys + static_cast<size_t>(row) * k;
    memcpy(own, all + first, sizeof(uint64_t) * most);
    memset(own + most, 0, sizeof(uint64_t) * (k - most));
  });
  kthKeys(context, ranks.features, keys, codes.rows, k, kth);
  return kth;
}

}  // namespace

void keepLargestOfRows(const Context& context, const SaeRanks& ranks, int k, Codes& codes) {
  if (!ranks.features) return;
  const uint64_t* kth = kthOfRows(context, ranks, k, codes);
  filterCodes(codes, [&](int row, int i) { return globalKey(ranks, codes, i) >= kth[row]; });
}

void keepLargestOfRanks(const SaeRanks& ranks, int64_t wanted, Codes& codes) {
  Threshold threshold = findThreshold(ranks, wanted, codes);
  uint64_t last = threshold.needed < threshold.ties ? lastTie(ranks, threshold, codes) : UINT64_MAX;
  filterCodes(codes, [&](int row, int i) {
    uint32_t bits = bitsOf(codes.values[i]);
    return bits > threshold.bits || (bits == threshold.bits && placeOf(ranks, row, codes.featureIds[i]) <= last);
  });
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
