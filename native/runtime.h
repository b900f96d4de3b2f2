// What a set of kernels runs on: a pool of threads, scratch memory, and the stream, a thread that does the enqueued
// operations one after the other, so that Node's event loop never waits for arithmetic.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "kernels.h"

namespace monosem {

// Aligned memory; large blocks ask for huge pages.
void* allocateAligned(size_t bytes);
void releaseAligned(void* data);
// Zeros, aligned in the same way; given back with their size.
void* allocateZeroed(size_t bytes);
void releaseZeroed(void* data, size_t bytes);

class Stream {
 public:
  Stream();
  ~Stream();  // finishes the operation at hand, drops the rest
  void push(std::function<void()> operation);

 private:
  void loop();
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stop_ = false;
  std::thread thread_;
};

struct Runtime {
  Runtime(int threads, const KernelTable* table);
  ~Runtime();
  const KernelTable* table;
  Context context;
  // First failure since the last promise; only the stream touches it.
  std::string failure;
  std::unique_ptr<Stream> stream;
};

// ---- memory operations, compiled once: they are bound by bandwidth ----
enum DType { kF32 = 0, kBf16 = 1, kI32 = 2 };
inline size_t dtypeBytes(int dtype) { return dtype == kBf16 ? 2 : 4; }
void fillTensor(const Context&, void* data, int dtype, int64_t count, float value);
void copyTensor(const Context&, void* to, int toType, const void* from, int fromType, int64_t count);
// out [columns, rows] = x [rows, columns] transposed
void transposeTensor(const Context&, void* out, int outType, const void* x, int xType, int rows, int columns);
void broadcastRow(const Context&, float* out, const float* row, int n, int d);
// out[i] = source[ids[i]]
void gatherRows(const Context&, void* out, int outType, const void* source, int sourceType, const int32_t* ids, int n, int d);
// out[ids[i]] = source[i]
void scatterRows(const Context&, void* out, int outType, const void* source, int sourceType, const int32_t* ids, int n, int d);

}  // namespace monosem
