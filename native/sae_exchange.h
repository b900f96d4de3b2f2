// What the ranks of a step tell each other. A null exchange means that this rank is alone: then everything stays as it is.
#pragma once
#include "sae.h"

namespace monosem {
namespace MONOSEM_ISA {

// data[i] = sum (or maximum) over the ranks of a group
static inline void sumOver(const Exchange* group, float* data, int64_t count) {
  if (group) group->sum(group->self, data, count);
}
static inline void sumOver(const Exchange* group, double* data, int64_t count) {
  if (group) group->sumDoubles(group->self, data, count);
}
static inline void maxOver(const Exchange* group, double* data, int64_t count) {
  if (group) group->maxDoubles(group->self, data, count);
}

// Over all ranks: those with other features, then those with other rows.
static inline void sumOverAll(const SaeRanks& ranks, double* data, int64_t count) {
  sumOver(ranks.features, data, count);
  sumOver(ranks.data, data, count);
}
static inline void maxOverAll(const SaeRanks& ranks, double* data, int64_t count) {
  maxOver(ranks.features, data, count);
  maxOver(ranks.data, data, count);
}

// Whether this rank is the one of its group that adds what belongs to all of them.
static inline bool isFirst(const Exchange* group) { return !group || group->rank == 0; }

// topk: leaves of each row what is among the k largest of all ranks' features.
void keepLargestOfRows(const Context&, const SaeRanks&, int k, Codes&);
// batchtopk: leaves the `wanted` largest pairs of all ranks, which have at least as many; the lower (row, id) among equals.
void keepLargestOfRanks(const SaeRanks&, int64_t wanted, Codes&);
// kth[row] = the k-th largest of the keys [rows, k] of all ranks of a group, which are 0 where a rank has none
void kthKeys(const Context&, const Exchange*, const uint64_t* keys, int rows, int k, uint64_t* kth);

}  // namespace MONOSEM_ISA
}  // namespace monosem
