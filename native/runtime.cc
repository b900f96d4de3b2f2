#include "runtime.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <new>
#include <vector>

namespace monosem {

namespace {

constexpr size_t kHuge = 2 << 20;

void askForHugePages([[maybe_unused]] void* data, [[maybe_unused]] size_t bytes) {
#ifdef MADV_HUGEPAGE
  madvise(data, bytes, MADV_HUGEPAGE);
#endif
}

}  // namespace

void* allocateAligned(size_t bytes) {
  size_t alignment = bytes >= kHuge ? kHuge : 64;
  void* data = nullptr;
  if (posix_memalign(&data, alignment, bytes ? bytes : alignment) != 0) throw std::bad_alloc();
  if (bytes >= kHuge) askForHugePages(data, bytes);
  return data;
}

void releaseAligned(void* data) { free(data); }

// Large blocks come from the system, which zeroes a page when it is first touched: a cache that is never filled takes no memory.
void* allocateZeroed(size_t bytes) {
  if (bytes < kHuge) {
    void* data = allocateAligned(bytes);
    memset(data, 0, bytes);
    return data;
  }
  void* mapped = mmap(nullptr, bytes + kHuge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  char* data = static_cast<char*>(mapped);
  size_t before = (kHuge - reinterpret_cast<uintptr_t>(data) % kHuge) % kHuge;
  size_t after = kHuge - before, page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  size_t kept = (bytes + page - 1) / page * page;
  if (before) munmap(data, before);
  if (kept < bytes + after) munmap(data + before + kept, bytes + kHuge - before - kept);
  askForHugePages(data + before, bytes);
  return data + before;
}

void releaseZeroed(void* data, size_t bytes) {
  if (bytes < kHuge) releaseAligned(data);
  else if (data) munmap(data, bytes);
}

// ---- scratch ----

class Scratch {
 public:
  ~Scratch() {
    for (Block& block : blocks_) releaseAligned(block.data);
  }
  void* bytes(int slot, size_t bytes) {
    Block& block = blocks_[slot];
    if (block.capacity < bytes) {
      releaseAligned(block.data);
      block = {nullptr, 0};
      block.data = allocateAligned(bytes);
      block.capacity = bytes;
    }
    return block.data;
  }

 private:
  struct Block {
    void* data = nullptr;
    size_t capacity = 0;
  };
  Block blocks_[kSlotPerWorker + 256];
};

void* scratchBytes(Scratch* scratch, int slot, size_t bytes) { return scratch->bytes(slot, bytes); }

void allocateCodes(Codes& codes, int rows, int64_t count) {
  codes.rows = rows;
  codes.count = count;
  codes.rowOffsets = static_cast<int32_t*>(malloc(sizeof(int32_t) * (rows + 1)));
  codes.featureIds = static_cast<int32_t*>(malloc(sizeof(int32_t) * (count + 1)));
  codes.values = static_cast<float*>(malloc(sizeof(float) * (count + 1)));
  if (!codes.rowOffsets || !codes.featureIds || !codes.values) throw std::bad_alloc();
}

void releaseCodes(Codes& codes) {
  free(codes.rowOffsets);
  free(codes.featureIds);
  free(codes.values);
  codes = {};
}

// ---- thread pool ----
// The ticket packs (generation, next task). A worker takes a task by compare-and-swap, so a worker that wakes late finds
// another generation and leaves; the caller waits for the tasks, never for sleeping workers.

class ThreadPool {
 public:
  explicit ThreadPool(int threads) {
    for (int i = 1; i < threads; i++) workers_.emplace_back([this, i] { loop(i); });
  }
  ~ThreadPool() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }
  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  void run(int tasks, void (*fn)(void*, int, int), void* context) {
    if (tasks <= 1 || workers_.empty()) {
      for (int i = 0; i < tasks; i++) fn(context, i, 0);
      return;
    }
    uint64_t generation = (ticket_.load() >> 32) + 1;
    ticket_.store(generation << 32 | kClosed);
    fn_.store(fn, std::memory_order_relaxed);
    context_.store(context, std::memory_order_relaxed);
    tasks_.store(tasks, std::memory_order_relaxed);
    completed_.store(0, std::memory_order_relaxed);
    generation++;
    ticket_.store(generation << 32);
    if (sleepers_.load() > 0) {
      { std::lock_guard<std::mutex> lock(mutex_); }
      wake_.notify_all();
    }
    work(generation, 0);
    for (int spins = 0; completed_.load(std::memory_order_acquire) < tasks; spins++) pause(spins);
  }

 private:
  static constexpr uint64_t kClosed = 0xffffffffu;

  static void pause(int spins) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
    if (spins > 2000) std::this_thread::yield();
  }

  void work(uint64_t generation, int worker) {
    for (;;) {
      uint64_t ticket = ticket_.load();
      auto fn = fn_.load(std::memory_order_relaxed);
      void* context = context_.load(std::memory_order_relaxed);
      uint64_t index = ticket & 0xffffffffu;
      if (ticket >> 32 != generation || index >= static_cast<uint64_t>(tasks_.load(std::memory_order_relaxed))) return;
      if (!ticket_.compare_exchange_weak(ticket, ticket + 1)) continue;
      fn(context, static_cast<int>(index), worker);
      completed_.fetch_add(1, std::memory_order_release);
    }
  }

  void loop(int worker) {
    uint64_t seen = 0;
    for (;;) {
      uint64_t generation = ticket_.load() >> 32;
      for (int spins = 0; generation == seen && spins < 20000; spins++) {
        pause(0);
        generation = ticket_.load() >> 32;
      }
      if (generation == seen) {
        std::unique_lock<std::mutex> lock(mutex_);
        sleepers_++;
        wake_.wait(lock, [&] { return stop_ || ticket_.load() >> 32 != seen; });
        sleepers_--;
        if (stop_) return;
        continue;
      }
      seen = generation;
      work(generation, worker);
    }
  }

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::atomic<int> sleepers_{0};
  std::atomic<uint64_t> ticket_{0};
  std::atomic<void (*)(void*, int, int)> fn_{nullptr};
  std::atomic<void*> context_{nullptr};
  std::atomic<int> tasks_{0};
  std::atomic<int> completed_{0};
};

void poolRun(ThreadPool* pool, int tasks, void (*fn)(void*, int, int), void* context) { pool->run(tasks, fn, context); }
int poolThreads(const ThreadPool* pool) { return pool->threads(); }

// ---- stream ----

Stream::Stream() : thread_([this] { loop(); }) {}

Stream::~Stream() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    queue_.clear();
  }
  wake_.notify_all();
  thread_.join();
}

void Stream::push(std::function<void()> operation) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    queue_.push_back(std::move(operation));
  }
  wake_.notify_one();
}

void Stream::loop() {
  for (;;) {
    std::function<void()> operation;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return stop_ || !queue_.empty(); });
      if (stop_) return;
      operation = std::move(queue_.front());
      queue_.pop_front();
    }
    operation();
  }
}

Runtime::Runtime(int threads, const KernelTable* kernels)
    : table(kernels), context{new ThreadPool(threads), new Scratch(), &kernels->tiles}, stream(new Stream()) {}

Runtime::~Runtime() {
  stream.reset();
  delete context.pool;
  delete context.scratch;
}

// ---- memory operations ----

namespace {

void convert(void* to, int toType, const void* from, int fromType, int64_t count) {
  if (toType == fromType) {
    memcpy(to, from, count * dtypeBytes(toType));
  } else if (toType == kBf16) {
    uint16_t* out = static_cast<uint16_t*>(to);
    const float* in = static_cast<const float*>(from);
    for (int64_t i = 0; i < count; i++) out[i] = roundToBf16(in[i]);
  } else {
    float* out = static_cast<float*>(to);
    const uint16_t* in = static_cast<const uint16_t*>(from);
    for (int64_t i = 0; i < count; i++) out[i] = widenBf16(in[i]);
  }
}

char* at(void* data, int dtype, int64_t index) { return static_cast<char*>(data) + index * dtypeBytes(dtype); }
const char* at(const void* data, int dtype, int64_t index) { return static_cast<const char*>(data) + index * dtypeBytes(dtype); }

template <class Body>
void forRange(const Context& context, int64_t count, int64_t chunk, Body body) {
  parallelFor(context, static_cast<int>((count + chunk - 1) / chunk), [&](int task, int) {
    int64_t begin = task * chunk;
    body(begin, count - begin < chunk ? count : begin + chunk);
  });
}

}  // namespace

void fillTensor(const Context& context, void* data, int dtype, int64_t count, float value) {
  forRange(context, count, 1 << 18, [&](int64_t begin, int64_t end) {
    if (dtype == kF32)
      for (int64_t i = begin; i < end; i++) static_cast<float*>(data)[i] = value;
    else if (dtype == kI32)
      for (int64_t i = begin; i < end; i++) static_cast<int32_t*>(data)[i] = static_cast<int32_t>(value);
    else
      for (int64_t i = begin; i < end; i++) static_cast<uint16_t*>(data)[i] = roundToBf16(value);
  });
}

void copyTensor(const Context& context, void* to, int toType, const void* from, int fromType, int64_t count) {
  forRange(context, count, 1 << 18, [&](int64_t begin, int64_t end) {
    convert(at(to, toType, begin), toType, at(from, fromType, begin), fromType, end - begin);
  });
}

namespace {

float elementAt(const float* data, size_t index) { return data[index]; }
float elementAt(const uint16_t* data, size_t index) { return widenBf16(data[index]); }
void setElement(float* data, size_t index, float value) { data[index] = value; }
void setElement(uint16_t* data, size_t index, float value) { data[index] = roundToBf16(value); }

// Squares that fit the L1 cache; a task takes a stripe of them.
template <class Out, class In>
void transposeMatrix(const Context& context, Out* out, const In* x, size_t rows, size_t columns) {
  constexpr size_t kSide = 32;
  forRange(context, static_cast<int64_t>(columns), kSide, [&](size_t c0, size_t c1) {
    for (size_t r0 = 0; r0 < rows; r0 += kSide) {
      size_t r1 = r0 + kSide < rows ? r0 + kSide : rows;
      for (size_t c = c0; c < c1; c++)
        for (size_t r = r0; r < r1; r++) setElement(out, c * rows + r, elementAt(x, r * columns + c));
    }
  });
}

}  // namespace

void transposeTensor(const Context& context, void* out, int outType, const void* x, int xType, int rows, int columns) {
  auto to = [&](auto* target) {
    if (xType == kBf16) transposeMatrix(context, target, static_cast<const uint16_t*>(x), rows, columns);
    else transposeMatrix(context, target, static_cast<const float*>(x), rows, columns);
  };
  if (outType == kBf16) to(static_cast<uint16_t*>(out));
  else to(static_cast<float*>(out));
}

void broadcastRow(const Context& context, float* out, const float* row, int n, int d) {
  forRange(context, n, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) memcpy(out + i * d, row, sizeof(float) * d);
  });
}

void gatherRows(const Context& context, void* out, int outType, const void* source, int sourceType, const int32_t* ids, int n, int d) {
  forRange(context, n, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++)
      convert(at(out, outType, i * d), outType, at(source, sourceType, static_cast<int64_t>(ids[i]) * d), sourceType, d);
  });
}

void scatterRows(const Context& context, void* out, int outType, const void* source, int sourceType, const int32_t* ids, int n, int d) {
  forRange(context, n, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++)
      convert(at(out, outType, static_cast<int64_t>(ids[i]) * d), outType, at(source, sourceType, i * d), sourceType, d);
  });
}

}  // namespace monosem
