// The addon: the runtime, memory and elementwise operations. The files addon*.cc are the only ones that see N-API: they check
// what crosses the boundary, enqueue the work and hand back results.
#include "boundary.h"

namespace monosem {
namespace {

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

// write(runtime, view, typedArray): fp32 data is rounded for a bf16 tensor, 2-byte elements are its bits
void write(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "write");
  Addon& addon = arguments.addon();
  View view = arguments.any();
  Napi::TypedArray array = arguments.value().As<Napi::TypedArray>();
  bool half = array.ElementSize() == 2;
  if (static_cast<int64_t>(array.ElementLength()) != view.count || (half ? view.dtype != kBf16 : array.ElementSize() != 4))
    arguments.fail("an array of " + std::to_string(view.count) + " elements of the tensor's type");
  const char* source = static_cast<const char*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  std::vector<char> staged(source, source + array.ByteLength());
  int type = half ? kBf16 : view.dtype == kI32 ? kI32 : kF32;
  enqueue(addon, [view, type, staged = std::move(staged)](Runtime& r) { copyTensor(r.context, view.data(), view.dtype, staged.data(), type, view.count); });
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

// transpose(runtime, out, x, rows, columns)
void transposeOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "transpose");
  Addon& addon = arguments.addon();
  View out = arguments.any(), x = arguments.any();
  int rows = arguments.integer(), columns = arguments.integer();
  int64_t count = static_cast<int64_t>(rows) * columns;
  if (out.count != count || x.count != count || out.dtype == kI32 || x.dtype == kI32) arguments.fail("two matrices of the same size");
  enqueue(addon, [=](Runtime& r) { transposeTensor(r.context, out.data(), out.dtype, x.data(), x.dtype, rows, columns); });
}

void addOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "add");
  Addon& addon = arguments.addon();
  int64_t count = arguments.countAt(1);
  View out = arguments.view(count), a = arguments.view(count), b = arguments.view(count);
  enqueue(addon, [=](Runtime& r) { r.table->add(r.context, out.f32(), a.f32(), b.f32(), count); });
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

// mixInPlace(runtime, y, x, weight)
void mixInPlaceOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "mixInPlace");
  Addon& addon = arguments.addon();
  int64_t count = arguments.countAt(1);
  View y = arguments.view(count), x = arguments.view(count);
  float weight = arguments.real();
  enqueue(addon, [=](Runtime& r) { r.table->mixInPlace(r.context, y.f32(), x.f32(), weight, count); });
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

void adamOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "adam");
  Addon& addon = arguments.addon();
  int64_t count = arguments.countAt(1);
  View p = arguments.view(count), g = arguments.view(count), m = arguments.view(count), v = arguments.view(count);
  OptionalView gradScale = optionalView(arguments, 2);
  AdamOptions options = adamOptions(arguments);
  enqueue(addon, [=](Runtime& r) { r.table->adam(r.context, p.f32(), g.f32(), m.f32(), v.f32(), count, options, gradScale.f32()); });
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
  addOperation(env, exports, "createRuntime", createRuntime);
  addOperation(env, exports, "runtimeName", runtimeName);
  addOperation(env, exports, "allocate", allocate);
  addOperation(env, exports, "window", window);
  addOperation(env, exports, "release", release);
  addOperation(env, exports, "write", write);
  addOperation(env, exports, "read", read);
  addOperation(env, exports, "finish", finish);
  addOperation(env, exports, "fill", fill);
  addOperation(env, exports, "copy", copy);
  addOperation(env, exports, "transpose", transposeOp);
  addOperation(env, exports, "add", addOp);
  addOperation(env, exports, "addInPlace", addInPlaceOp);
  addOperation(env, exports, "scaleInPlace", scaleInPlaceOp);
  addOperation(env, exports, "mixInPlace", mixInPlaceOp);
  addOperation(env, exports, "broadcastRow", broadcastRowOp);
  addOperation(env, exports, "columnSums", columnSumsOp);
  addOperation(env, exports, "gatherRows", moveRows<false>);
  addOperation(env, exports, "scatterRows", moveRows<true>);
  addOperation(env, exports, "clipNorm", clipNormOp);
  addOperation(env, exports, "adam", adamOp);
  addOperation(env, exports, "fmaLoop", fmaLoopOp);
  addTransformer(env, exports);
  addSae(env, exports);
  addSynthetic(env, exports);
  return exports;
}

}  // namespace
}  // namespace monosem

using monosem::initialise;
NODE_API_MODULE(monosem, initialise)
