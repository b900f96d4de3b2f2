// The only file that sees N-API: checks what crosses the boundary, enqueues the work, hands back results.
// Every operation is `name(runtime, tensors..., numbers...)`; a tensor is an external View.
#include <napi.h>
#include <string.h>

#include <vector>

#include "runtime.h"

namespace {

using namespace monosem;

struct Buffer {
  void* data;
  size_t bytes;
  explicit Buffer(size_t size) : data(allocateAligned(size)), bytes(size) {}
  ~Buffer() { release(); }
  void release() {
    releaseAligned(data);
    data = nullptr;
  }
};

// A window on a buffer: what JavaScript holds as a tensor's handle.
struct View {
  std::shared_ptr<Buffer> buffer;
  size_t offset;  // bytes
  int64_t count;
  int dtype;
  char* data() const { return static_cast<char*>(buffer->data) + offset; }
  float* f32() const { return reinterpret_cast<float*>(data()); }
  int32_t* i32() const { return reinterpret_cast<int32_t*>(data()); }
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
void closeAtExit(void* addon) { static_cast<Addon*>(addon)->close(); }

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

OptionalView optionalView(Arguments& arguments, int64_t count, int dtype = kF32) {
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

void settleCompletion(Napi::Env env, Napi::Function, Completion* completion) {
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

// ---- runtime and memory ----

Napi::Value createRuntime(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int threads = info[0].As<Napi::Number>().Int32Value();
  std::string wanted = info[1].IsString() ? info[1].As<Napi::String>().Utf8Value() : "";
  const KernelTable* table = selectKernelTable(wanted.empty() ? nullptr : wanted.c_str());
  if (!table) throw Napi::Error::New(env, "native: this processor has no " + wanted);
  if (threads < 1 || threads > 256) throw Napi::RangeError::New(env, "native: threads must be 1 to 256");
  auto* addon = new Addon(threads, table);
  addon->settle = Napi::ThreadSafeFunction::New(env, Napi::Function::New(env, [](const Napi::CallbackInfo&) {}), "monosem", 0, 1);
  addon->settle.Unref(env);
  napi_add_env_cleanup_hook(env, closeAtExit, addon);
  return Napi::External<Addon>::New(env, addon, [](Napi::Env finalizeEnv, Addon* a) {
    if (a->open) napi_remove_env_cleanup_hook(finalizeEnv, closeAtExit, a);
    a->close();
    delete a;
  });
}

Napi::Value runtimeName(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "runtimeName");
  return Napi::String::New(info.Env(), arguments.addon().runtime.table->name);
}

Napi::Value externalView(Napi::Env env, View view, size_t accounted) {
  if (accounted) Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<int64_t>(accounted));
  return Napi::External<View>::New(
      env, new View(std::move(view)),
      [](Napi::Env finalizeEnv, View* v, size_t* bytes) {
        if (*bytes) Napi::MemoryManagement::AdjustExternalMemory(finalizeEnv, -static_cast<int64_t>(*bytes));
        delete v;
        delete bytes;
      },
      new size_t(accounted));
}

// allocate(runtime, count, dtype): zeroed
Napi::Value allocate(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "allocate");
  arguments.addon();
  int64_t count = static_cast<int64_t>(arguments.number());
  int dtype = arguments.integer();
  size_t bytes = static_cast<size_t>(count) * dtypeBytes(dtype);
  std::shared_ptr<Buffer> buffer;
  try {
    buffer = std::make_shared<Buffer>(bytes);
  } catch (const std::bad_alloc&) {
    throw Napi::Error::New(info.Env(), "native: out of memory allocating " + std::to_string(bytes) + " bytes");
  }
  memset(buffer->data, 0, bytes);
  return externalView(info.Env(), View{buffer, 0, count, dtype}, bytes);
}

// window(runtime, view, firstElement, count)
Napi::Value window(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "window");
  arguments.addon();
  View whole = arguments.any();
  int64_t first = static_cast<int64_t>(arguments.number()), count = static_cast<int64_t>(arguments.number());
  if (first < 0 || count < 0 || first + count > whole.count) arguments.fail("a window inside the tensor");
  return externalView(info.Env(), View{whole.buffer, whole.offset + first * dtypeBytes(whole.dtype), count, whole.dtype}, 0);
}

void release(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "release");
  Addon& addon = arguments.addon();
  View view = arguments.any();
  enqueue(addon, [view](Runtime&) { view.buffer->release(); });
}

// write(runtime, view, typedArray): fp32 data is rounded for a bf16 tensor
void write(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "write");
  Addon& addon = arguments.addon();
  View view = arguments.any();
  Napi::TypedArray array = arguments.value().As<Napi::TypedArray>();
  if (static_cast<int64_t>(array.ElementLength()) != view.count || array.ElementSize() != 4)
    arguments.fail("an array of " + std::to_string(view.count) + " 4-byte elements");
  const char* source = static_cast<const char*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  std::vector<char> staged(source, source + array.ByteLength());
  enqueue(addon, [view, staged = std::move(staged)](Runtime& r) {
    copyTensor(r.context, view.data(), view.dtype, staged.data(), view.dtype == kI32 ? kI32 : kF32, view.count);
  });
}

// read(runtime, view, typedArray) -> promise; bf16 is widened into a Float32Array
Napi::Value read(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "read");
  Addon& addon = arguments.addon();
  View view = arguments.any();
  Napi::TypedArray array = arguments.value().As<Napi::TypedArray>();
  if (static_cast<int64_t>(array.ElementLength()) != view.count || array.ElementSize() != 4)
    arguments.fail("an array of " + std::to_string(view.count) + " 4-byte elements");
  char* target = static_cast<char*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  return enqueuePromise(info.Env(), addon, array, [view, target](Runtime& runtime, Completion&) {
    copyTensor(runtime.context, target, view.dtype == kI32 ? kI32 : kF32, view.data(), view.dtype, view.count);
  });
}

Napi::Value finish(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "finish");
  return enqueuePromise(info.Env(), arguments.addon(), info.Env().Undefined(), [](Runtime&, Completion&) {});
}

// ---- elementwise ----

void fill(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "fill");
  Addon& addon = arguments.addon();
  View t = arguments.any();
  float value = arguments.real();
  enqueue(addon, [=](Runtime& r) { fillTensor(r.context, t.data(), t.dtype, t.count, value); });
}

void copy(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "copy");
  Addon& addon = arguments.addon();
  View to = arguments.any(), from = arguments.any();
  if (to.count != from.count || (to.dtype == kI32) != (from.dtype == kI32)) arguments.fail("tensors of the same size");
  enqueue(addon, [=](Runtime& r) { copyTensor(r.context, to.data(), to.dtype, from.data(), from.dtype, to.count); });
}

void addInPlaceOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "addInPlace");
  Addon& addon = arguments.addon();
  View y = arguments.any(), x = arguments.view(y.count);
  if (y.dtype != kF32) arguments.fail("f32");
  enqueue(addon, [=](Runtime& r) { r.table->addInPlace(r.context, y.f32(), x.f32(), y.count); });
}

void scaleInPlaceOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "scaleInPlace");
  Addon& addon = arguments.addon();
  View y = arguments.view(arguments.countAt(1));
  float factor = arguments.real();
  enqueue(addon, [=](Runtime& r) { r.table->scaleInPlace(r.context, y.f32(), factor, y.count); });
}

// broadcastRow(runtime, out, row, n, d)
void broadcastRowOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "broadcastRow");
  Addon& addon = arguments.addon();
  View out = arguments.any(), row = arguments.any();
  int n = arguments.integer(), d = arguments.integer();
  if (out.count != static_cast<int64_t>(n) * d || row.count != d || out.dtype != kF32 || row.dtype != kF32) arguments.fail("out [n, d] and row [d]");
  enqueue(addon, [=](Runtime& r) { broadcastRow(r.context, out.f32(), row.f32(), n, d); });
}

void columnSumsOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "columnSums");
  Addon& addon = arguments.addon();
  View out = arguments.any(), x = arguments.any();
  int n = arguments.integer(), d = arguments.integer();
  if (x.count != static_cast<int64_t>(n) * d || out.count != d || out.dtype != kF32 || x.dtype != kF32) arguments.fail("out [d] and x [n, d]");
  enqueue(addon, [=](Runtime& r) { r.table->columnSums(r.context, out.f32(), x.f32(), n, d, false); });
}

bool idsInRange(const int32_t* ids, int n, int64_t rows) {
  for (int i = 0; i < n; i++)
    if (ids[i] < 0 || ids[i] >= rows) return false;
  return true;
}

// gatherRows(runtime, out, source, ids, n, d) and scatterRows(runtime, out, source, ids, n, d)
template <bool kScatter>
void moveRows(const Napi::CallbackInfo& info) {
  Arguments arguments(info, kScatter ? "scatterRows" : "gatherRows");
  Addon& addon = arguments.addon();
  View out = arguments.any(), source = arguments.any(), ids = arguments.any();
  int n = arguments.integer(), d = arguments.integer();
  const View& small = kScatter ? source : out;
  const View& large = kScatter ? out : source;
  if (small.count != static_cast<int64_t>(n) * d || ids.count != n || ids.dtype != kI32 || d < 1 || large.count % d != 0) arguments.fail("[n, d] rows and n ids");
  enqueue(addon, [=](Runtime& r) {
    if (!idsInRange(ids.i32(), n, (kScatter ? out : source).count / d)) throw std::out_of_range(kScatter ? "scatterRows: an id is not a row of the table" : "gatherRows: an id is not a row of the table");
    (kScatter ? scatterRows : gatherRows)(r.context, out.data(), out.dtype, source.data(), source.dtype, ids.i32(), n, d);
  });
}

// clipNorm(runtime, out, [grads], maxNorm)
void clipNormOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "clipNorm");
  Addon& addon = arguments.addon();
  View out = arguments.view(2);
  Napi::Array list = arguments.value().As<Napi::Array>();
  std::vector<View> views;
  for (uint32_t i = 0; i < list.Length(); i++) views.push_back(*list.Get(i).As<Napi::External<View>>().Data());
  float maxNorm = arguments.real();
  enqueue(addon, [=](Runtime& r) {
    std::vector<const float*> grads;
    std::vector<int64_t> counts;
    for (const View& view : views) {
      grads.push_back(view.f32());
      counts.push_back(view.count);
    }
    r.table->clipNorm(r.context, out.f32(), grads.data(), counts.data(), static_cast<int>(views.size()), maxNorm);
  });
}

AdamOptions adamOptions(Arguments& arguments) {
  AdamOptions options;
  options.learningRate = arguments.number();
  options.beta1 = arguments.number();
  options.beta2 = arguments.number();
  options.epsilon = arguments.number();
  options.weightDecay = arguments.number();
  options.step = arguments.number();
  return options;
}

void adamOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "adam");
  Addon& addon = arguments.addon();
  int64_t count = arguments.countAt(1);
  View p = arguments.view(count), g = arguments.view(count), m = arguments.view(count), v = arguments.view(count);
  OptionalView gradScale = optionalView(arguments, 2);
  AdamOptions options = adamOptions(arguments);
  enqueue(addon, [=](Runtime& r) { r.table->adam(r.context, p.f32(), g.f32(), m.f32(), v.f32(), count, options, gradScale.f32()); });
}

// ---- transformer ----

// linearForward(runtime, out, x, w, b, n, inputs, outputs)
void linearForward(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "linearForward");
  Addon& addon = arguments.addon();
  int n = info[5].ToNumber(), inputs = info[6].ToNumber(), outputs = info[7].ToNumber();
  View out = arguments.view(static_cast<int64_t>(n) * outputs), x = arguments.view(static_cast<int64_t>(n) * inputs);
  View w = arguments.view(static_cast<int64_t>(inputs) * outputs);
  OptionalView b = optionalView(arguments, outputs);
  enqueue(addon, [=](Runtime& r) {
    r.table->gemm(r.context, {n, outputs, inputs, x.f32(), inputs, 1, w.f32(), outputs, 1, out.f32(), outputs, b.f32(), false});
  });
}

// linearBackward(runtime, dx, dW, db, dout, x, w, n, inputs, outputs)
void linearBackward(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "linearBackward");
  Addon& addon = arguments.addon();
  int n = info[7].ToNumber(), inputs = info[8].ToNumber(), outputs = info[9].ToNumber();
  int64_t inputCount = static_cast<int64_t>(n) * inputs, outputCount = static_cast<int64_t>(n) * outputs, weights = static_cast<int64_t>(inputs) * outputs;
  OptionalView dx = optionalView(arguments, inputCount), dW = optionalView(arguments, weights), db = optionalView(arguments, outputs);
  View dout = arguments.view(outputCount), x = arguments.view(inputCount), w = arguments.view(weights);
  enqueue(addon, [=](Runtime& r) {
    if (dx.present) r.table->gemm(r.context, {n, inputs, outputs, dout.f32(), outputs, 1, w.f32(), 1, outputs, dx.f32(), inputs, nullptr, false});
    if (dW.present) r.table->gemm(r.context, {inputs, outputs, n, x.f32(), 1, inputs, dout.f32(), outputs, 1, dW.f32(), outputs, nullptr, true});
    if (db.present) r.table->columnSums(r.context, db.f32(), dout.f32(), n, outputs, true);
  });
}

bool tokensInRange(const int32_t* tokens, int n, int lowest, int64_t vocabulary) {
  for (int i = 0; i < n; i++)
    if (tokens[i] < lowest || tokens[i] >= vocabulary) return false;
  return true;
}

// embedForward(runtime, out, tokens, wE, wPos, n, d, t)
void embedForwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "embedForward");
  Addon& addon = arguments.addon();
  int n = info[5].ToNumber(), d = info[6].ToNumber(), t = info[7].ToNumber();
  View out = arguments.view(static_cast<int64_t>(n) * d), tokens = arguments.view(n, kI32), wE = arguments.any();
  OptionalView wPos;
  if (!arguments.isNull()) wPos = {true, arguments.any()};
  if (wPos.present && wPos.view.count < static_cast<int64_t>(t) * d) arguments.fail("wPos of at least t rows");
  enqueue(addon, [=](Runtime& r) {
    if (!tokensInRange(tokens.i32(), n, 0, wE.count / d)) throw std::out_of_range("embedForward: a token id is not in the vocabulary");
    r.table->embedForward(r.context, out.f32(), tokens.i32(), wE.f32(), wPos.f32(), n, d, t);
  });
}

// embedBackward(runtime, dWE, dWPos, dout, tokens, n, d, t)
void embedBackwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "embedBackward");
  Addon& addon = arguments.addon();
  int n = info[5].ToNumber(), d = info[6].ToNumber(), t = info[7].ToNumber();
  View dWE = arguments.any();
  OptionalView dWPos;
  if (!arguments.isNull()) dWPos = {true, arguments.any()};
  if (dWPos.present && dWPos.view.count < static_cast<int64_t>(t) * d) arguments.fail("dWPos of at least t rows");
  View dout = arguments.view(static_cast<int64_t>(n) * d), tokens = arguments.view(n, kI32);
  enqueue(addon, [=](Runtime& r) {
    if (!tokensInRange(tokens.i32(), n, 0, dWE.count / d)) throw std::out_of_range("embedBackward: a token id is not in the vocabulary");
    r.table->embedBackward(r.context, dWE.f32(), dWPos.f32(), dout.f32(), tokens.i32(), n, d, t);
  });
}

// layerNormForward(runtime, out, mean, rstd, x, w, b, n, d, epsilon)
void layerNormForwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "layerNormForward");
  Addon& addon = arguments.addon();
  int n = info[7].ToNumber(), d = info[8].ToNumber();
  float epsilon = info[9].ToNumber();
  int64_t count = static_cast<int64_t>(n) * d;
  View out = arguments.view(count), mean = arguments.view(n), rstd = arguments.view(n), x = arguments.view(count), w = arguments.view(d), b = arguments.view(d);
  enqueue(addon, [=](Runtime& r) {
    r.table->layerNormForward(r.context, out.f32(), mean.f32(), rstd.f32(), x.f32(), w.f32(), b.f32(), n, d, epsilon);
  });
}

// layerNormBackward(runtime, dx, dW, db, dout, x, w, mean, rstd, n, d)
void layerNormBackwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "layerNormBackward");
  Addon& addon = arguments.addon();
  int n = info[9].ToNumber(), d = info[10].ToNumber();
  int64_t count = static_cast<int64_t>(n) * d;
  View dx = arguments.view(count);
  OptionalView dW = optionalView(arguments, d), db = optionalView(arguments, d);
  View dout = arguments.view(count), x = arguments.view(count), w = arguments.view(d), mean = arguments.view(n), rstd = arguments.view(n);
  enqueue(addon, [=](Runtime& r) {
    r.table->layerNormBackward(r.context, dx.f32(), dW.f32(), db.f32(), dout.f32(), x.f32(), w.f32(), mean.f32(), rstd.f32(), n, d);
  });
}

// geluForward(runtime, out, x, tanh), geluBackward(runtime, dx, dout, x, tanh)
void geluForwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "geluForward");
  Addon& addon = arguments.addon();
  int64_t count = arguments.countAt(1);
  View out = arguments.view(count), x = arguments.view(count);
  bool tanhKind = arguments.boolean();
  enqueue(addon, [=](Runtime& r) { r.table->geluForward(r.context, out.f32(), x.f32(), count, tanhKind); });
}

void geluBackwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "geluBackward");
  Addon& addon = arguments.addon();
  int64_t count = arguments.countAt(1);
  View dx = arguments.view(count), dout = arguments.view(count), x = arguments.view(count);
  bool tanhKind = arguments.boolean();
  enqueue(addon, [=](Runtime& r) { r.table->geluBackward(r.context, dx.f32(), dout.f32(), x.f32(), count, tanhKind); });
}

struct AttentionShape {
  int b, t, h, dh;
  int64_t activations() const { return static_cast<int64_t>(b) * t * h * dh; }
  int64_t pattern() const { return static_cast<int64_t>(b) * h * t * t; }
};

AttentionShape attentionShape(const Napi::CallbackInfo& info, int at) {
  return {info[at].ToNumber(), info[at + 1].ToNumber(), info[at + 2].ToNumber(), info[at + 3].ToNumber()};
}

void requireStarts(const OptionalView& starts, const AttentionShape& s) {
  if (!starts.present) return;
  for (int i = 0; i < s.b * s.t; i++)
    if (starts.i32()[i] < 0 || starts.i32()[i] > i % s.t) throw std::out_of_range("attention: starts must lie in 0..position");
}

// attentionForward(runtime, z, pattern, q, k, v, starts, b, t, h, dh)
void attentionForwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "attentionForward");
  Addon& addon = arguments.addon();
  AttentionShape s = attentionShape(info, 7);
  View z = arguments.view(s.activations()), pattern = arguments.view(s.pattern());
  View q = arguments.view(s.activations()), k = arguments.view(s.activations()), v = arguments.view(s.activations());
  OptionalView starts = optionalView(arguments, static_cast<int64_t>(s.b) * s.t, kI32);
  enqueue(addon, [=](Runtime& r) {
    requireStarts(starts, s);
    r.table->attentionForward(r.context, z.f32(), pattern.f32(), q.f32(), k.f32(), v.f32(), starts.i32(), s.b, s.t, s.h, s.dh);
  });
}

// attentionBackward(runtime, dq, dk, dv, dz, pattern, q, k, v, starts, b, t, h, dh)
void attentionBackwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "attentionBackward");
  Addon& addon = arguments.addon();
  AttentionShape s = attentionShape(info, 10);
  int64_t count = s.activations();
  View dq = arguments.view(count), dk = arguments.view(count), dv = arguments.view(count), dz = arguments.view(count);
  View pattern = arguments.view(s.pattern()), q = arguments.view(count), k = arguments.view(count), v = arguments.view(count);
  OptionalView starts = optionalView(arguments, static_cast<int64_t>(s.b) * s.t, kI32);
  enqueue(addon, [=](Runtime& r) {
    requireStarts(starts, s);
    r.table->attentionBackward(r.context, dq.f32(), dk.f32(), dv.f32(), dz.f32(), pattern.f32(), q.f32(), k.f32(), v.f32(), starts.i32(), s.b, s.t, s.h, s.dh);
  });
}

// crossEntropyForward(runtime, losses, logits, targets, n, v)
void crossEntropyForwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "crossEntropyForward");
  Addon& addon = arguments.addon();
  int n = info[4].ToNumber(), v = info[5].ToNumber();
  View losses = arguments.view(n), logits = arguments.view(static_cast<int64_t>(n) * v), targets = arguments.view(n, kI32);
  enqueue(addon, [=](Runtime& r) {
    if (!tokensInRange(targets.i32(), n, -1, v)) throw std::out_of_range("crossEntropyForward: a target is not in the vocabulary");
    r.table->crossEntropyForward(r.context, losses.f32(), logits.f32(), targets.i32(), n, v);
  });
}

// crossEntropyBackward(runtime, dlogits, logits, targets, n, v, scale)
void crossEntropyBackwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "crossEntropyBackward");
  Addon& addon = arguments.addon();
  int n = info[4].ToNumber(), v = info[5].ToNumber();
  float scale = info[6].ToNumber();
  int64_t count = static_cast<int64_t>(n) * v;
  View dlogits = arguments.view(count), logits = arguments.view(count), targets = arguments.view(n, kI32);
  enqueue(addon, [=](Runtime& r) {
    if (!tokensInRange(targets.i32(), n, -1, v)) throw std::out_of_range("crossEntropyBackward: a target is not in the vocabulary");
    r.table->crossEntropyBackward(r.context, dlogits.f32(), logits.f32(), targets.i32(), n, v, scale);
  });
}

// klDivergence(runtime, out, p, q, n, v)
void klDivergenceOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "klDivergence");
  Addon& addon = arguments.addon();
  int n = info[4].ToNumber(), v = info[5].ToNumber();
  int64_t count = static_cast<int64_t>(n) * v;
  View out = arguments.view(n), p = arguments.view(count), q = arguments.view(count);
  enqueue(addon, [=](Runtime& r) { r.table->klDivergence(r.context, out.f32(), p.f32(), q.f32(), n, v); });
}

// ---- sparse autoencoder ----

struct SaeViews {
  View wEnc, bEnc, wDec, bDec;
  SaePointers pointers() const { return {wEnc.f32(), bEnc.f32(), wDec.f32(), bDec.f32()}; }
};

SaeViews saeViews(Arguments& arguments, int d, int f) {
  int64_t weights = static_cast<int64_t>(f) * d;
  SaeViews views;
  views.wEnc = arguments.view(weights);
  views.bEnc = arguments.view(f);
  views.wDec = arguments.view(weights);
  views.bDec = arguments.view(d);
  return views;
}

SaeShape saeShape(Arguments& arguments) {
  SaeShape shape;
  shape.n = arguments.integer();
  shape.d = arguments.integer();
  shape.f = arguments.integer();
  if (shape.n < 1 || shape.d < 1 || shape.f < 1) arguments.fail("positive sizes");
  return shape;
}

// k = 0 is ReLU
SaeActivation saeActivation(Arguments& arguments) {
  int k = arguments.integer();
  if (k < 0) arguments.fail("k >= 0");
  return {k > 0, k};
}

// saeStep(runtime, n, d, f, k, params x4, m x4, v x4, tokensSinceFired, x, l1, unitNorm, adam x6, auxK, auxCoefficient, deadAfter)
Napi::Value saeStepOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saeStep");
  Addon& addon = arguments.addon();
  SaeShape shape = saeShape(arguments);
  SaeActivation activation = saeActivation(arguments);
  SaeViews params = saeViews(arguments, shape.d, shape.f), m = saeViews(arguments, shape.d, shape.f), v = saeViews(arguments, shape.d, shape.f);
  View since = arguments.view(shape.f, kI32), x = arguments.view(static_cast<int64_t>(shape.n) * shape.d);
  SaeStepArgs step{};
  step.shape = shape;
  step.activation = activation;
  step.l1Coefficient = arguments.real();
  step.unitNormDecoder = arguments.boolean();
  step.adam = adamOptions(arguments);
  step.auxCount = arguments.integer();
  step.auxK = step.auxCount > 0;
  step.auxCoefficient = arguments.real();
  step.deadAfterTokens = arguments.integer();
  return enqueuePromise(info.Env(), addon, info.Env().Undefined(), [=](Runtime& r, Completion& completion) mutable {
    step.params = params.pointers();
    step.m = m.pointers();
    step.v = v.pointers();
    step.tokensSinceFired = since.i32();
    step.x = x.f32();
    SaeStepStats stats;
    r.table->saeStep(r.context, step, stats);
    completion.result = [stats](Napi::Env env) -> Napi::Value {
      Napi::Object object = Napi::Object::New(env);
      object.Set("squaredError", stats.squaredError);
      object.Set("l1", stats.l1);
      object.Set("l0", stats.l0);
      object.Set("auxLoss", stats.auxLoss);
      object.Set("dead", stats.dead);
      return object;
    };
  });
}

// saeReconstruct(runtime, n, d, f, k, params x4, xHat, losses, x)
void saeReconstruct(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saeReconstruct");
  Addon& addon = arguments.addon();
  SaeShape shape = saeShape(arguments);
  SaeActivation activation = saeActivation(arguments);
  SaeViews params = saeViews(arguments, shape.d, shape.f);
  int64_t count = static_cast<int64_t>(shape.n) * shape.d;
  View xHat = arguments.view(count);
  OptionalView losses = optionalView(arguments, shape.n);
  View x = arguments.view(count);
  enqueue(addon, [=](Runtime& r) {
    Codes codes;
    r.table->saeEncode(r.context, params.pointers(), shape, x.f32(), activation, codes);
    r.table->saeDecode(r.context, xHat.f32(), params.pointers(), shape, codes);
    if (losses.present) r.table->saeSquaredErrors(r.context, losses.f32(), x.f32(), xHat.f32(), shape.n, shape.d);
    releaseCodes(codes);
  });
}

template <class Array, class Element>
Array copyArray(Napi::Env env, const Element* data, size_t count) {
  Array array = Array::New(env, count);
  memcpy(array.Data(), data, count * sizeof(Element));
  return array;
}

// saeEncode(runtime, n, d, f, k, params x4, x) -> { rowOffsets, featureIds, values }
Napi::Value saeEncodeOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saeEncode");
  Addon& addon = arguments.addon();
  SaeShape shape = saeShape(arguments);
  SaeActivation activation = saeActivation(arguments);
  SaeViews params = saeViews(arguments, shape.d, shape.f);
  View x = arguments.view(static_cast<int64_t>(shape.n) * shape.d);
  return enqueuePromise(info.Env(), addon, info.Env().Undefined(), [=](Runtime& r, Completion& completion) {
    auto codes = std::shared_ptr<Codes>(new Codes, [](Codes* c) {
      releaseCodes(*c);
      delete c;
    });
    r.table->saeEncode(r.context, params.pointers(), shape, x.f32(), activation, *codes);
    completion.result = [codes](Napi::Env env) -> Napi::Value {
      Napi::Object object = Napi::Object::New(env);
      object.Set("rowOffsets", copyArray<Napi::Int32Array>(env, codes->rowOffsets, codes->rows + 1));
      object.Set("featureIds", copyArray<Napi::Int32Array>(env, codes->featureIds, codes->count));
      object.Set("values", copyArray<Napi::Float32Array>(env, codes->values, codes->count));
      return object;
    };
  });
}

// saeDecode(runtime, n, d, f, params x4, xHat, rowOffsets, featureIds, values)
void saeDecodeOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saeDecode");
  Addon& addon = arguments.addon();
  SaeShape shape = saeShape(arguments);
  SaeViews params = saeViews(arguments, shape.d, shape.f);
  View xHat = arguments.view(static_cast<int64_t>(shape.n) * shape.d);
  Napi::Int32Array offsets = arguments.value().As<Napi::Int32Array>(), ids = arguments.value().As<Napi::Int32Array>();
  Napi::Float32Array values = arguments.value().As<Napi::Float32Array>();
  std::vector<int32_t> rowOffsets(offsets.Data(), offsets.Data() + offsets.ElementLength());
  std::vector<int32_t> featureIds(ids.Data(), ids.Data() + ids.ElementLength());
  std::vector<float> codeValues(values.Data(), values.Data() + values.ElementLength());
  bool valid = rowOffsets.size() == static_cast<size_t>(shape.n) + 1 && featureIds.size() == codeValues.size() &&
               rowOffsets.front() == 0 && rowOffsets.back() == static_cast<int32_t>(featureIds.size()) &&
               tokensInRange(featureIds.data(), static_cast<int>(featureIds.size()), 0, shape.f);
  for (size_t i = 1; valid && i < rowOffsets.size(); i++) valid = rowOffsets[i] >= rowOffsets[i - 1];
  if (!valid) arguments.fail("codes of n rows with feature ids below f");
  enqueue(addon, [=, rowOffsets = std::move(rowOffsets), featureIds = std::move(featureIds), codeValues = std::move(codeValues)](Runtime& r) mutable {
    Codes codes;
    codes.rows = shape.n;
    codes.count = static_cast<int64_t>(featureIds.size());
    codes.rowOffsets = rowOffsets.data();
    codes.featureIds = featureIds.data();
    codes.values = codeValues.data();
    r.table->saeDecode(r.context, xHat.f32(), params.pointers(), shape, codes);
  });
}

// fmaLoop(runtime, rounds) -> floating-point operations done
Napi::Value fmaLoopOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "fmaLoop");
  Addon& addon = arguments.addon();
  int rounds = arguments.integer();
  return enqueuePromise(info.Env(), addon, info.Env().Undefined(), [=](Runtime& r, Completion& completion) {
    double operations = r.table->fmaLoop(r.context, rounds);
    completion.result = [operations](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, operations); };
  });
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  auto add = [&](const char* name, auto function) { exports.Set(name, Napi::Function::New(env, function, name)); };
  add("createRuntime", createRuntime);
  add("runtimeName", runtimeName);
  add("allocate", allocate);
  add("window", window);
  add("release", release);
  add("write", write);
  add("read", read);
  add("finish", finish);
  add("fill", fill);
  add("copy", copy);
  add("addInPlace", addInPlaceOp);
  add("scaleInPlace", scaleInPlaceOp);
  add("broadcastRow", broadcastRowOp);
  add("columnSums", columnSumsOp);
  add("gatherRows", moveRows<false>);
  add("scatterRows", moveRows<true>);
  add("clipNorm", clipNormOp);
  add("adam", adamOp);
  add("linearForward", linearForward);
  add("linearBackward", linearBackward);
  add("embedForward", embedForwardOp);
  add("embedBackward", embedBackwardOp);
  add("layerNormForward", layerNormForwardOp);
  add("layerNormBackward", layerNormBackwardOp);
  add("geluForward", geluForwardOp);
  add("geluBackward", geluBackwardOp);
  add("attentionForward", attentionForwardOp);
  add("attentionBackward", attentionBackwardOp);
  add("crossEntropyForward", crossEntropyForwardOp);
  add("crossEntropyBackward", crossEntropyBackwardOp);
  add("klDivergence", klDivergenceOp);
  add("saeStep", saeStepOp);
  add("saeReconstruct", saeReconstruct);
  add("saeEncode", saeEncodeOp);
  add("saeDecode", saeDecodeOp);
  add("fmaLoop", fmaLoopOp);
  return exports;
}

}  // namespace

NODE_API_MODULE(monosem, initialise)
