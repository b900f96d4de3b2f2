// How the kernels of several ranks meet. addon_mpi.cc provides it, the steps of an autoencoder use it; the two addons share nothing else.
#pragma once
#include <stdint.h>

namespace monosem {

constexpr uint32_t kExchangeVersion = 0x4d580001;  // changes with the layout below

// All ranks of a group call the same functions in the same order, on the thread of their kernels; a call returns when this rank's part is done.
// Sums are taken in the order of the ranks, so that every rank gets the same bits whatever the algorithm underneath.
struct Exchange {
  uint32_t version;
  int rank, ranks;
  void* self;
  // data[i] = sum (or maximum) over the ranks of their data[i]
  void (*sum)(void* self, float* data, int64_t count);
  // the same with bf16 on the wire: terms are rounded, summed in fp32, and the sums are rounded
  void (*sumInBf16)(void* self, float* data, int64_t count);
  void (*sumDoubles)(void* self, double* data, int64_t count);
  void (*maxDoubles)(void* self, double* data, int64_t count);
  // Sends sendBytes[r] to rank r, pieces one after the other in `send`, and takes receiveBytes[r] from each. Both arrays have `ranks` places.
  void (*allToAll)(void* self, const void* send, const int64_t* sendBytes, void* receive, const int64_t* receiveBytes);
  // Everyone's bytes in the order of the ranks; receiveBytes[rank] of them are this rank's own.
  void (*allGather)(void* self, const void* send, void* receive, const int64_t* receiveBytes);
};

// Which part of an autoencoder, and of a batch, this rank has. Without ranks: null, null, all features and all rows.
struct SaeRanks {
  const Exchange* features = nullptr;  // ranks that have other features and the same rows
  const Exchange* data = nullptr;      // ranks that have the same features and other rows
  int firstFeature = 0, totalFeatures = 0;
  int firstRow = 0, totalRows = 0;
  bool bf16 = false;  // gradients cross in bf16
};

}  // namespace monosem
