// What every file of the addon shares: tensors as JavaScript holds them, arguments as they cross, and the way onto the stream.
// Every operation is `name(runtime, tensors..., numbers...)`; a tensor is an external View.
#pragma once
#include <napi.h>
#include <string.h>

#include <stdexcept>
#include <vector>

#include "runtime.h"

namespace monosem {

// Zeros at first.
struct Buffer {
  void* data;
  size_t bytes;
  explicit Buffer(size_t size) : data(allocateZeroed(size)), bytes(size) {}
  ~Buffer() { release(); }
  void release() {
    releaseZeroed(data, bytes);
    data = nullptr;
  }
};

// A window on a buffer: what JavaScript holds as a tensor's handle.
struct View {
  std::shared_ptr<Buffer> buffer;
  size_t offset = 0;  // bytes
  int64_t count = 0;
  int dtype = kF32;
  char* data() const { return static_cast<char*>(buffer->data) + offset; }
  float* f32() const { return reinterpret_cast<float*>(data()); }
  int32_t* i32() const { return reinterpret_cast<int32_t*>(data()); }
  Weights weights() const {
    if (dtype == kBf16) return {nullptr, reinterpret_cast<const uint16_t*>(data())};
    return {f32(), nullptr};
  }
};

// The runtime and the function that carries results back to JavaScript's thread.
struct Addon {
  Runtime runtime;
  Napi::ThreadSafeFunction settle;
  int pending = 0;  // promises not settled yet; JavaScript's thread only
  bool open = true;
  Addon(int threads, const KernelTable* table) : runtime(threads, table) {}
  // Ends the stream, then lets go of the function: in this order nothing calls it afterwards.
  void close() {
    if (!open) return;
    open = false;
    runtime.stream.reset();
    settle.Release();
  }
};

// At exit Node destroys thread-safe functions before it collects objects, so we close before: cleanup hooks run last in, first out.
inline void closeAtExit(void* addon) { static_cast<Addon*>(addon)->close(); }

// ---- arguments ----

class Arguments {
 public:
  Arguments(const Napi::CallbackInfo& info, const char* name) : info_(info), name_(name) {}
  Addon& addon() {
    if (info_.Length() == 0 || !info_[0].IsExternal()) fail("a runtime");
    next_ = 1;
    return *info_[0].As<Napi::External<Addon>>().Data();
  }
  View view(int64_t count, int dtype = kF32) {
    View v = any();
    if (v.count != count || v.dtype != dtype) fail("a tensor of " + std::to_string(count) + " elements of the right type");
    return v;
  }
  // f32 or bf16
  View weights(int64_t count) {
    View v = any();
    if (v.count != count || v.dtype == kI32) fail("f32 or bf16 weights of " + std::to_string(count) + " elements");
    return v;
  }
  View any() {
    if (!info_[next_].IsExternal()) fail("a tensor");
    return *info_[next_++].As<Napi::External<View>>().Data();
  }
  bool isNull() {
    if (!info_[next_].IsNull()) return false;
    next_++;
    return true;
  }
  double number() {
    if (!info_[next_].IsNumber()) fail("a number");
    return info_[next_++].As<Napi::Number>().DoubleValue();
  }
  int integer() { return static_cast<int>(number()); }
  float real() { return static_cast<float>(number()); }
  bool boolean() {
    if (!info_[next_].IsBoolean()) fail("a boolean");
    return info_[next_++].As<Napi::Boolean>().Value();
  }
  Napi::Value value() { return info_[next_++]; }
  [[noreturn]] void fail(const std::string& expected) {
    throw Napi::TypeError::New(info_.Env(), std::string("native: ") + name_ + ": argument " + std::to_string(next_) + ": expected " + expected);
  }
  int64_t countAt(int index) {
    if (!info_[index].IsExternal()) fail("a tensor");
    return info_[index].As<Napi::External<View>>().Data()->count;
  }

 private:
  const Napi::CallbackInfo& info_;
  const char* name_;
  int next_ = 0;
};

struct OptionalView {
  bool present = false;
  View view;
  float* f32() const { return present ? view.f32() : nullptr; }
  int32_t* i32() const { return present ? view.i32() : nullptr; }
};

inline OptionalView optionalView(Arguments& arguments, int64_t count, int dtype = kF32) {
  OptionalView optional;
  if (arguments.isNull()) return optional;
  optional.present = true;
  optional.view = arguments.view(count, dtype);
  return optional;
}

// ---- the stream ----

template <class Operation>
void enqueue(Addon& addon, Operation operation) {
  Runtime& runtime = addon.runtime;
  runtime.stream->push([&runtime, operation = std::move(operation)]() mutable {
    try {
      operation(runtime);
    } catch (const std::out_of_range& error) {
      if (runtime.failure.empty()) runtime.failure = std::string("out of range: ") + error.what();
    } catch (const std::exception& error) {
      if (runtime.failure.empty()) runtime.failure = error.what();
    }
  });
}

// A promise on its way: made on JavaScript's thread, filled by the stream, settled on JavaScript's thread.
struct Completion {
  Napi::Promise::Deferred deferred;
  Napi::ObjectReference keepAlive;
  std::function<Napi::Value(Napi::Env)> result;
  std::string failure;
  Addon* addon;
};

inline void settleCompletion(Napi::Env env, Napi::Function, Completion* completion) {
  std::unique_ptr<Completion> owned(completion);
  if (env == nullptr) return;
  Napi::HandleScope scope(env);
  if (--owned->addon->pending == 0) owned->addon->settle.Unref(env);
  if (owned->failure.empty()) owned->deferred.Resolve(owned->result ? owned->result(env) : env.Undefined());
  else owned->deferred.Reject(Napi::Error::New(env, owned->failure).Value());
}

// Enqueues `operation(runtime, completion)` and returns a promise that settles after it.
template <class Operation>
Napi::Value enqueuePromise(Napi::Env env, Addon& addon, Napi::Value keepAlive, Operation operation) {
  auto* completion = new Completion{Napi::Promise::Deferred::New(env), {}, {}, {}, &addon};
  if (keepAlive.IsObject()) completion->keepAlive = Napi::Persistent(keepAlive.As<Napi::Object>());
  Napi::Promise promise = completion->deferred.Promise();
  if (addon.pending++ == 0) addon.settle.Ref(env);
  Addon* owner = &addon;
  addon.runtime.stream->push([owner, completion, operation = std::move(operation)]() mutable {
    Runtime& runtime = owner->runtime;
    try {
      if (runtime.failure.empty()) operation(runtime, *completion);
    } catch (const std::exception& error) {
      runtime.failure = error.what();
    }
    completion->failure = runtime.failure;
    runtime.failure.clear();
    owner->settle.NonBlockingCall(completion, settleCompletion);
  });
  return promise;
}

inline AdamOptions adamOptions(Arguments& arguments) {
  AdamOptions options;
  options.learningRate = arguments.number();
  options.beta1 = arguments.number();
  options.beta2 = arguments.number();
  options.epsilon = arguments.number();
  options.weightDecay = arguments.number();
  options.step = arguments.number();
  return options;
}

template <class Array, class Element>
Array copyArray(Napi::Env env, const Element* data, size_t count) {
  Array array = Array::New(env, count);
  memcpy(array.Data(), data, count * sizeof(Element));
  return array;
}

// Codes that are released when nobody holds them any more.
inline std::shared_ptr<Codes> sharedCodes() {
  return std::shared_ptr<Codes>(new Codes, [](Codes* codes) {
    releaseCodes(*codes);
    delete codes;
  });
}

inline Napi::Value codesObject(Napi::Env env, const Codes& codes) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("rowOffsets", copyArray<Napi::Int32Array>(env, codes.rowOffsets, codes.rows + 1));
  object.Set("featureIds", copyArray<Napi::Int32Array>(env, codes.featureIds, codes.count));
  object.Set("values", copyArray<Napi::Float32Array>(env, codes.values, codes.count));
  return object;
}

// Whether ids lie in lowest .. end - 1
inline bool tokensInRange(const int32_t* ids, int n, int lowest, int64_t end) {
  for (int i = 0; i < n; i++)
    if (ids[i] < lowest || ids[i] >= end) return false;
  return true;
}

// Each file adds its operations to the exports.
void addTransformer(Napi::Env, Napi::Object exports);
void addSae(Napi::Env, Napi::Object exports);
void addSynthetic(Napi::Env, Napi::Object exports);

inline void addOperation(Napi::Env env, Napi::Object exports, const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
  exports.Set(name, Napi::Function::New(env, function, name));
}
inline void addOperation(Napi::Env env, Napi::Object exports, const char* name, void (*function)(const Napi::CallbackInfo&)) {
  exports.Set(name, Napi::Function::New(env, function, name));
}

}  // namespace monosem
