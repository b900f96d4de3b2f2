// The second, optional addon: MPI for several processes that train one autoencoder. Collectives called from JavaScript run on a thread of
// their communicator; those of the kernels (exchange.h) run on the kernels' thread, on a communicator of their own, so that neither waits for the other.
#define OMPI_SKIP_MPICXX
#define MPICH_SKIP_MPICXX
#include <mpi.h>
#include <napi.h>
#include <string.h>
#include <time.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "exchange.h"
#include "kernels.h"

namespace monosem {
namespace {

constexpr int64_t kLargest = 1 << 30;  // bytes of one MPI call: its counts are ints

// ---- what MPI offers, for byte counts beyond an int and with sums of a fixed order ----

void allToAllBytes(MPI_Comm comm, int ranks, const char* send, const int64_t* sendBytes, char* receive, const int64_t* receiveBytes) {
  std::vector<MPI_Request> requests;
  requests.reserve(2 * ranks);
  int rank;
  MPI_Comm_rank(comm, &rank);
  int64_t from = 0, to = 0;
  std::vector<int64_t> sendAt(ranks), receiveAt(ranks);
  for (int r = 0; r < ranks; r++) {
    sendAt[r] = from;
    receiveAt[r] = to;
    from += sendBytes[r];
    to += receiveBytes[r];
  }
  auto post = [&](int r, bool receiving) {
    int64_t bytes = receiving ? receiveBytes[r] : sendBytes[r];
    for (int64_t done = 0; done < bytes; done += kLargest) {
      int count = static_cast<int>(bytes - done < kLargest ? bytes - done : kLargest);
      requests.emplace_back();
      if (receiving) MPI_Irecv(receive + receiveAt[r] + done, count, MPI_BYTE, r, 0, comm, &requests.back());
      else MPI_Isend(send + sendAt[r] + done, count, MPI_BYTE, r, 0, comm, &requests.back());
    }
  };
  // each rank begins with another partner, so that no one is asked by all at once
  for (int i = 1; i < ranks; i++) post((rank - i + ranks) % ranks, true);
  for (int i = 1; i < ranks; i++) post((rank + i) % ranks, false);
  if (sendBytes[rank]) memcpy(receive + receiveAt[rank], send + sendAt[rank], sendBytes[rank]);
  MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE);
}

void allGatherBytes(MPI_Comm comm, int ranks, const char* send, char* receive, const int64_t* receiveBytes) {
  int64_t largest = 0, total = 0;
  for (int r = 0; r < ranks; r++) {
    largest = receiveBytes[r] > largest ? receiveBytes[r] : largest;
    total += receiveBytes[r];
  }
  if (total < kLargest) {
    std::vector<int> counts(receiveBytes, receiveBytes + ranks), places(ranks, 0);
    for (int r = 1; r < ranks; r++) places[r] = places[r - 1] + counts[r - 1];
    int rank;
    MPI_Comm_rank(comm, &rank);
    MPI_Allgatherv(send, counts[rank], MPI_BYTE, receive, counts.data(), places.data(), MPI_BYTE, comm);
    return;
  }
  int64_t at = 0;
  int rank;
  MPI_Comm_rank(comm, &rank);
  for (int r = 0; r < ranks; r++) {
    if (r == rank && receiveBytes[r]) memcpy(receive + at, send, receiveBytes[r]);
    for (int64_t done = 0; done < receiveBytes[r]; done += kLargest)
      MPI_Bcast(receive + at + done, static_cast<int>(receiveBytes[r] - done < kLargest ? receiveBytes[r] - done : kLargest), MPI_BYTE, r, comm);
    at += receiveBytes[r];
  }
}

// A reduce-scatter and an allgather, as the fast algorithms for long vectors are, but with terms added in the order of the ranks.
// Wire is what crosses (float, or bf16 in 16 bits).
template <class Element, class Wire, class ToWire, class FromWire>
void sumInOrder(MPI_Comm comm, int ranks, Element* data, int64_t count, std::vector<char>& scratch, ToWire toWire, FromWire fromWire) {
  if (ranks == 1) return;
  int rank;
  MPI_Comm_rank(comm, &rank);
  auto first = [&](int r) { return count * r / ranks; };
  int64_t own = first(rank + 1) - first(rank);
  std::vector<int64_t> bytes(ranks), ownBytes(ranks, own * static_cast<int64_t>(sizeof(Wire)));
  for (int r = 0; r < ranks; r++) bytes[r] = (first(r + 1) - first(r)) * static_cast<int64_t>(sizeof(Wire));
  constexpr bool same = sizeof(Wire) == sizeof(Element);
  size_t needed = sizeof(Wire) * (static_cast<size_t>(own) * ranks + own + (same ? 0 : count));
  if (scratch.size() < needed) scratch.resize(needed);
  Wire *terms = reinterpret_cast<Wire*>(scratch.data()), *sums = terms + own * ranks, *outgoing = sums + own;
  if (same) outgoing = reinterpret_cast<Wire*>(data);
  else
    for (int64_t i = 0; i < count; i++) outgoing[i] = toWire(data[i]);
  allToAllBytes(comm, ranks, reinterpret_cast<char*>(outgoing), bytes.data(), reinterpret_cast<char*>(terms), ownBytes.data());
  constexpr int64_t kBlock = 1024;
  Element block[kBlock];
  for (int64_t at = 0; at < own; at += kBlock) {
    int64_t size = own - at < kBlock ? own - at : kBlock;
    for (int64_t i = 0; i < size; i++) block[i] = fromWire(terms[at + i]);
    for (int r = 1; r < ranks; r++)
      for (int64_t i = 0; i < size; i++) block[i] += fromWire(terms[r * own + at + i]);
    for (int64_t i = 0; i < size; i++) sums[at + i] = toWire(block[i]);
  }
  allGatherBytes(comm, ranks, reinterpret_cast<char*>(sums), reinterpret_cast<char*>(outgoing), bytes.data());
  if (!same)
    for (int64_t i = 0; i < count; i++) data[i] = fromWire(outgoing[i]);
}

// A lambda, which the loops above can inline.
constexpr auto unchanged = [](auto value) { return value; };

// ---- a communicator ----

// A thread that does what is pushed, in order.
class Queue {
 public:
  Queue() : thread_([this] { loop(); }) {}
  ~Queue() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  void push(std::function<void()> operation) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      queue_.push_back(std::move(operation));
    }
    wake_.notify_one();
  }

 private:
  void loop() {
    for (;;) {
      std::function<void()> operation;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [this] { return stop_ || !queue_.empty(); });
        if (queue_.empty()) return;
        operation = std::move(queue_.front());
        queue_.pop_front();
      }
      operation();
    }
  }
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stop_ = false;
  std::thread thread_;
};

struct Group {
  MPI_Comm comm, kernels;
  int rank = 0, ranks = 1;
  Exchange exchange{};
  std::vector<char> scratch;  // of the kernels' sums
  int64_t sentBytes = 0;      // by the kernels, to other ranks
  double seconds = 0;         // that the kernels spent in exchanges
  Queue queue;
};

double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
}

// Counts what an exchange sends and how long it takes.
struct Measured {
  Group& group;
  double start = now();
  explicit Measured(void* self) : group(*static_cast<Group*>(self)) {}
  ~Measured() { group.seconds += now() - start; }
};

// bytes that the sum of `bytes` sends from one rank: its share of a reduce-scatter and of an allgather
int64_t sumBytes(const Group& group, int64_t bytes) { return 2 * bytes * (group.ranks - 1) / group.ranks; }

void exchangeSum(void* self, float* data, int64_t count) {
  Measured measured(self);
  Group& g = measured.group;
  g.sentBytes += sumBytes(g, count * 4);
  sumInOrder<float, float>(g.kernels, g.ranks, data, count, g.scratch, unchanged, unchanged);
}

void exchangeSumInBf16(void* self, float* data, int64_t count) {
  Measured measured(self);
  Group& g = measured.group;
  g.sentBytes += sumBytes(g, count * 2);
  sumInOrder<float, uint16_t>(g.kernels, g.ranks, data, count, g.scratch, [](float value) { return roundToBf16(value); },
                              [](uint16_t bits) { return widenBf16(bits); });
}

void exchangeSumDoubles(void* self, double* data, int64_t count) {
  Measured measured(self);
  Group& g = measured.group;
  g.sentBytes += sumBytes(g, count * 8);
  sumInOrder<double, double>(g.kernels, g.ranks, data, count, g.scratch, unchanged, unchanged);
}

void exchangeMaxDoubles(void* self, double* data, int64_t count) {
  Measured measured(self);
  Group& g = measured.group;
  g.sentBytes += sumBytes(g, count * 8);
  MPI_Allreduce(MPI_IN_PLACE, data, static_cast<int>(count), MPI_DOUBLE, MPI_MAX, g.kernels);
}

void exchangeAllToAll(void* self, const void* send, const int64_t* sendBytes, void* receive, const int64_t* receiveBytes) {
  Measured measured(self);
  Group& g = measured.group;
  for (int r = 0; r < g.ranks; r++)
    if (r != g.rank) g.sentBytes += sendBytes[r];
  allToAllBytes(g.kernels, g.ranks, static_cast<const char*>(send), sendBytes, static_cast<char*>(receive), receiveBytes);
}

void exchangeAllGather(void* self, const void* send, void* receive, const int64_t* receiveBytes) {
  Measured measured(self);
  Group& g = measured.group;
  g.sentBytes += receiveBytes[g.rank] * (g.ranks - 1);
  allGatherBytes(g.kernels, g.ranks, static_cast<const char*>(send), static_cast<char*>(receive), receiveBytes);
}

using GroupHandle = std::shared_ptr<Group>;

GroupHandle createGroup(MPI_Comm comm) {
  auto group = std::make_shared<Group>();
  group->comm = comm;
  MPI_Comm_dup(comm, &group->kernels);
  MPI_Comm_rank(comm, &group->rank);
  MPI_Comm_size(comm, &group->ranks);
  group->exchange = {kExchangeVersion, group->rank,        group->ranks,       group.get(),       exchangeSum,
                     exchangeSumInBf16, exchangeSumDoubles, exchangeMaxDoubles, exchangeAllToAll, exchangeAllGather};
  return group;
}

// ---- JavaScript ----

Napi::Value groupObject(Napi::Env env, const GroupHandle& group) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("rank", group->rank);
  object.Set("size", group->ranks);
  object.Set("handle", Napi::External<GroupHandle>::New(env, new GroupHandle(group), [](Napi::Env, GroupHandle* handle) { delete handle; }));
  object.Set("exchange", Napi::External<Exchange>::New(env, &group->exchange));
  return object;
}

GroupHandle groupOf(const Napi::CallbackInfo& info) {
  if (info.Length() == 0 || !info[0].IsExternal()) throw Napi::TypeError::New(info.Env(), "mpi: expected a communicator");
  return *info[0].As<Napi::External<GroupHandle>>().Data();
}

// A collective on its way. The thread-safe function keeps Node alive until it is settled.
struct Pending {
  Napi::Promise::Deferred deferred;
  Napi::ObjectReference keepAlive;
  Napi::ThreadSafeFunction settle;
  std::function<Napi::Value(Napi::Env)> result;
};

// Runs `operation(group, pending)` on the communicator's thread and returns a promise.
template <class Operation>
Napi::Value collective(const Napi::CallbackInfo& info, Operation operation) {
  Napi::Env env = info.Env();
  GroupHandle group = groupOf(info);
  auto* pending = new Pending{Napi::Promise::Deferred::New(env), {}, {}, {}};
  if (info.Length() > 1 && info[1].IsTypedArray()) pending->keepAlive = Napi::Persistent(info[1].As<Napi::Object>());
  pending->settle = Napi::ThreadSafeFunction::New(env, Napi::Function(), "mpi", 0, 1);
  Napi::Promise promise = pending->deferred.Promise();
  group->queue.push([group, pending, operation]() mutable {
    operation(*group, *pending);
    pending->settle.NonBlockingCall(pending, [](Napi::Env env, Napi::Function, Pending* done) {
      std::unique_ptr<Pending> owned(done);
      if (env == nullptr) return;
      Napi::HandleScope scope(env);
      owned->deferred.Resolve(owned->result ? owned->result(env) : env.Undefined());
      owned->settle.Release();
    });
  });
  return promise;
}

struct Bytes {
  const char* data;
  int64_t size;
};

Bytes bytesArgument(const Napi::CallbackInfo& info, int index) {
  if (!info[index].IsTypedArray()) throw Napi::TypeError::New(info.Env(), "mpi: expected a typed array");
  Napi::TypedArray array = info[index].As<Napi::TypedArray>();
  return {static_cast<const char*>(array.ArrayBuffer().Data()) + array.ByteOffset(), static_cast<int64_t>(array.ByteLength())};
}

using Buffers = std::vector<std::vector<char>>;

Napi::Value buffersArray(Napi::Env env, const Buffers& buffers) {
  Napi::Array array = Napi::Array::New(env, buffers.size());
  for (size_t i = 0; i < buffers.size(); i++) array.Set(i, Napi::Buffer<char>::Copy(env, buffers[i].data(), buffers[i].size()));
  return array;
}

// init() -> { rank, size, handle, exchange } of all ranks
Napi::Value init(const Napi::CallbackInfo& info) {
  int provided = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided);
  if (provided < MPI_THREAD_MULTIPLE) throw Napi::Error::New(info.Env(), "mpi: this MPI library does not allow calls from several threads (MPI_THREAD_MULTIPLE)");
  MPI_Comm world;
  MPI_Comm_dup(MPI_COMM_WORLD, &world);
  return groupObject(info.Env(), createGroup(world));
}

// finalize(): all ranks, when nothing is under way
void finalize(const Napi::CallbackInfo&) { MPI_Finalize(); }

// abort(code): ends all ranks
void abortAll(const Napi::CallbackInfo& info) { MPI_Abort(MPI_COMM_WORLD, info[0].ToNumber().Int32Value()); }

// split(group, color) -> group of the ranks with the same colour, in the order of their ranks
Napi::Value split(const Napi::CallbackInfo& info) {
  int color = info[1].ToNumber().Int32Value();
  return collective(info, [color](Group& group, Pending& pending) {
    MPI_Comm comm;
    MPI_Comm_split(group.comm, color, group.rank, &comm);
    GroupHandle part = createGroup(comm);
    pending.result = [part](Napi::Env env) { return groupObject(env, part); };
  });
}

Napi::Value barrier(const Napi::CallbackInfo& info) {
  return collective(info, [](Group& group, Pending&) { MPI_Barrier(group.comm); });
}

// broadcast(group, bytes, root) -> bytes of the root
Napi::Value broadcast(const Napi::CallbackInfo& info) {
  Bytes bytes = bytesArgument(info, 1);
  int root = info[2].ToNumber().Int32Value();
  return collective(info, [bytes, root](Group& group, Pending& pending) {
    int64_t size = bytes.size;
    MPI_Bcast(&size, 1, MPI_INT64_T, root, group.comm);
    auto found = std::make_shared<std::vector<char>>(size);
    if (group.rank == root && size) memcpy(found->data(), bytes.data, size);
    for (int64_t done = 0; done < size; done += kLargest)
      MPI_Bcast(found->data() + done, static_cast<int>(size - done < kLargest ? size - done : kLargest), MPI_BYTE, root, group.comm);
    pending.result = [found](Napi::Env env) -> Napi::Value { return Napi::Buffer<char>::Copy(env, found->data(), found->size()); };
  });
}

// gather(group, bytes, root) -> [bytes of every rank] on the root, else null; root -1: on every rank
Napi::Value gather(const Napi::CallbackInfo& info) {
  Bytes bytes = bytesArgument(info, 1);
  int root = info[2].ToNumber().Int32Value();
  return collective(info, [bytes, root](Group& group, Pending& pending) {
    int ranks = group.ranks;
    std::vector<int64_t> sizes(ranks), outgoing(ranks, 0), incoming(ranks, 0);
    MPI_Allgather(&bytes.size, 1, MPI_INT64_T, sizes.data(), 1, MPI_INT64_T, group.comm);
    bool receives = root < 0 || root == group.rank;
    if (receives) incoming = sizes;
    for (int r = 0; r < ranks; r++) outgoing[r] = root < 0 || r == root ? bytes.size : 0;
    int64_t total = 0;
    for (int64_t size : incoming) total += size;
    std::vector<char> all(total);
    if (root < 0) allGatherBytes(group.comm, ranks, bytes.data, all.data(), incoming.data());
    else allToAllBytes(group.comm, ranks, bytes.data, outgoing.data(), all.data(), incoming.data());
    auto found = std::make_shared<Buffers>();
    int64_t at = 0;
    for (int r = 0; receives && r < ranks; at += incoming[r++]) found->emplace_back(all.data() + at, all.data() + at + incoming[r]);
    pending.result = [found, receives](Napi::Env env) -> Napi::Value { return receives ? buffersArray(env, *found) : env.Null(); };
  });
}

// reduce(group, Float64Array, maximum) -> nothing: in place, on every rank
Napi::Value reduce(const Napi::CallbackInfo& info) {
  Bytes bytes = bytesArgument(info, 1);
  bool maximum = info[2].ToBoolean();
  return collective(info, [bytes, maximum](Group& group, Pending&) {
    double* data = reinterpret_cast<double*>(const_cast<char*>(bytes.data));
    int64_t count = bytes.size / 8;
    std::vector<char> scratch;
    if (maximum) MPI_Allreduce(MPI_IN_PLACE, data, static_cast<int>(count), MPI_DOUBLE, MPI_MAX, group.comm);
    else sumInOrder<double, double>(group.comm, group.ranks, data, count, scratch, unchanged, unchanged);
  });
}

// traffic(group) -> { bytes, seconds }: what the kernels' exchanges sent from this rank, and took
Napi::Value traffic(const Napi::CallbackInfo& info) {
  GroupHandle group = groupOf(info);
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("bytes", static_cast<double>(group->sentBytes));
  object.Set("seconds", group->seconds);
  return object;
}

// What `bench comm` times, in the order of `exchangeKinds` in communicator.ts. `bytes` is the size of what is summed (on the wire), sent to all, or gathered.
using TimedExchange = void (*)(const Exchange& exchange, char* data, char* other, const int64_t* pieces, int64_t bytes);
constexpr TimedExchange kTimedExchanges[] = {
    [](const Exchange& e, char* data, char*, const int64_t*, int64_t bytes) { e.sum(e.self, reinterpret_cast<float*>(data), bytes / 4); },
    [](const Exchange& e, char* data, char*, const int64_t*, int64_t bytes) { e.sumInBf16(e.self, reinterpret_cast<float*>(data), bytes / 2); },
    [](const Exchange& e, char* data, char* other, const int64_t* pieces, int64_t) { e.allToAll(e.self, data, pieces, other, pieces); },
    [](const Exchange& e, char* data, char* other, const int64_t* pieces, int64_t) { e.allGather(e.self, data, other, pieces); },
};

// timeExchange(group, kind, bytes, repeats) -> seconds of one of the kernels' exchanges, mean of `repeats` after one that is not counted. No kernels
// may use the communicator meanwhile. Traffic counts these too.
Napi::Value timeExchange(const Napi::CallbackInfo& info) {
  int64_t kind = info[1].ToNumber().Int64Value(), bytes = info[2].ToNumber().Int64Value(), repeats = info[3].ToNumber().Int64Value();
  if (kind < 0 || kind > 3 || bytes < 0 || repeats < 1) throw Napi::TypeError::New(info.Env(), "mpi: expected a kind of exchange, bytes, and repeats of at least 1");
  return collective(info, [kind, bytes, repeats](Group& group, Pending& pending) {
    std::vector<int64_t> pieces(group.ranks);
    for (int r = 0; r < group.ranks; r++) pieces[r] = bytes * (r + 1) / group.ranks - bytes * r / group.ranks;
    // in an exchange with all each pair has to agree on the size of its piece
    if (kind == 2) pieces.assign(group.ranks, bytes / group.ranks);
    std::vector<char> data(2 * bytes), other(bytes);
    auto exchange = [&] { kTimedExchanges[kind](group.exchange, data.data(), other.data(), pieces.data(), bytes); };
    exchange();
    MPI_Barrier(group.kernels);
    double start = now();
    for (int64_t i = 0; i < repeats; i++) exchange();
    double seconds = (now() - start) / static_cast<double>(repeats);
    pending.result = [seconds](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, seconds); };
  });
}

// library() -> name and version of the MPI library
Napi::Value library(const Napi::CallbackInfo& info) {
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(text, &length);
  return Napi::String::New(info.Env(), text);  // some libraries count the 0 at the end
}

Napi::Object addAll(Napi::Env env, Napi::Object exports) {
  auto add = [&](const char* name, auto function) { exports.Set(name, Napi::Function::New(env, function, name)); };
  add("init", init);
  add("finalize", finalize);
  add("abort", abortAll);
  add("split", split);
  add("barrier", barrier);
  add("broadcast", broadcast);
  add("gather", gather);
  add("reduce", reduce);
  add("traffic", traffic);
  add("timeExchange", timeExchange);
  add("library", library);
  return exports;
}

}  // namespace

NODE_API_MODULE(mpi, addAll)

}  // namespace monosem
