// Pairs sorted by feature, rows ascending: what is done feature by feature reads each weight row once, and in the order of memory.
#pragma once
#include <stdlib.h>

#include "sae.h"

namespace monosem {
namespace MONOSEM_ISA {

template <class Item>
struct SortedByFeature {
  int32_t* offsets = nullptr;  // [f + 1]
  Item* items = nullptr;
  void release() {
    free(offsets);
    free(items);
  }
};

// items: make(row, i) of every pair i of codes. To be released.
template <class Item, class Make>
SortedByFeature<Item> sortPairsByFeature(const Context& context, const Codes& codes, int f, Make make) {
  constexpr int kChunks = 8;  // does not depend on the threads
  int n = codes.rows;
  SortedByFeature<Item> sorted;
  sorted.offsets = static_cast<int32_t*>(malloc(sizeof(int32_t) * (static_cast<size_t>(f) + 1)));
  sorted.items = static_cast<Item*>(malloc(sizeof(Item) * (codes.count + 1)));
  if (!sorted.offsets || !sorted.items) abort();
  int32_t* next = scratchArray<int32_t>(context, kSlotSaeColumns, static_cast<size_t>(kChunks) * f);
  memset(next, 0, sizeof(int32_t) * static_cast<size_t>(kChunks) * f);
  const int32_t* offsets = codes.rowOffsets;
  auto firstRow = [n](int chunk) { return static_cast<int>(static_cast<int64_t>(n) * chunk / kChunks); };
  parallelFor(context, kChunks, [&](int chunk, int) {
    int32_t* counts = next + static_cast<size_t>(chunk) * f;
    for (int i = offsets[firstRow(chunk)]; i < offsets[firstRow(chunk + 1)]; i++) counts[codes.featureIds[i]]++;
  });
  int32_t total = 0;
  for (int j = 0; j < f; j++) {
    sorted.offsets[j] = total;
    for (int chunk = 0; chunk < kChunks; chunk++) {
      int32_t& slot = next[static_cast<size_t>(chunk) * f + j];
      int32_t count = slot;
      slot = total;
      total += count;
    }
  }
  sorted.offsets[f] = total;
  parallelFor(context, kChunks, [&](int chunk, int) {
    int32_t* slots = next + static_cast<size_t>(chunk) * f;
    for (int row = firstRow(chunk); row < firstRow(chunk + 1); row++)
      for (int i = offsets[row]; i < offsets[row + 1]; i++) sorted.items[slots[codes.featureIds[i]]++] = make(row, i);
  });
  return sorted;
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
