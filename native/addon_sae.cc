// The autoencoder's operations at the boundary. Optional parameters cross as null.
#include "boundary.h"

namespace monosem {
namespace {

// The eight parameter tensors, or their moments.
struct SaeViews {
  OptionalView wEnc, bEnc, wDec, bDec, threshold, rMag, bMag, wSkip;
  SaePointers pointers() const {
    return {wEnc.f32(), bEnc.f32(), wDec.f32(), bDec.f32(), threshold.f32(), rMag.f32(), bMag.f32(), wSkip.f32()};
  }
};

SaeShape saeShape(Arguments& arguments) {
  SaeShape shape;
  shape.n = arguments.integer();
  shape.d = arguments.integer();
  shape.dOut = arguments.integer();
  shape.f = arguments.integer();
  if (shape.n < 1 || shape.d < 1 || shape.dOut < 1 || shape.f < 1) arguments.fail("positive sizes");
  return shape;
}

SaeForm saeForm(Arguments& arguments) {
  SaeForm form;
  form.kind = static_cast<SaeKind>(arguments.integer());
  form.k = arguments.integer();
  form.logThreshold = arguments.boolean();
  form.subtractDecoderBias = arguments.boolean();
  bool top = form.kind == kTopK || form.kind == kBatchTopK;
  if (form.kind < kRelu || form.kind > kBatchTopK || (top && form.k < 1)) arguments.fail("an activation");
  return form;
}

SaeViews saeViews(Arguments& arguments, const SaeShape& s) {
  int64_t f = s.f;
  SaeViews views;
  views.wEnc = optionalView(arguments, f * s.d);
  views.bEnc = optionalView(arguments, f);
  views.wDec = optionalView(arguments, f * s.dOut);
  views.bDec = optionalView(arguments, s.dOut);
  views.threshold = optionalView(arguments, f);
  views.rMag = optionalView(arguments, f);
  views.bMag = optionalView(arguments, f);
  views.wSkip = optionalView(arguments, static_cast<int64_t>(s.d) * s.dOut);
  if (!views.wEnc.present || !views.bEnc.present || !views.wDec.present || !views.bDec.present) arguments.fail("the parameters of an autoencoder");
  return views;
}

// What a form needs is there; checked before anything is enqueued.
void requireParameters(Arguments& arguments, const SaeForm& form, const SaeShape& s, const SaeViews& views) {
  if (form.kind == kJumpRelu && !views.threshold.present) arguments.fail("thresholds");
  if (form.kind == kGated && !(views.rMag.present && views.bMag.present)) arguments.fail("rMag and bMag");
  if (form.subtractDecoderBias && s.d != s.dOut) arguments.fail("input and target of one width");
}

// What every operation on a forward pass begins with.
struct SaeForward {
  SaeShape shape;
  SaeForm form;
  SaeViews params;
};

SaeForward saeForward(Arguments& arguments) {
  SaeForward forward;
  forward.shape = saeShape(arguments);
  forward.form = saeForm(arguments);
  forward.params = saeViews(arguments, forward.shape);
  requireParameters(arguments, forward.form, forward.shape, forward.params);
  return forward;
}

// W_enc as encoding reads it; shared by JavaScript and the operations in flight.
struct Packed {
  const KernelTable* table;
  SaePacked packed{};
  ~Packed() { table->saeReleasePacked(packed); }
};

using PackedHandle = std::shared_ptr<Packed>;

PackedHandle packedHandle(Arguments& arguments, const SaeShape& s) {
  Napi::Value value = arguments.value();
  if (value.IsNull()) return nullptr;
  if (!value.IsExternal()) arguments.fail("packed weights");
  PackedHandle packed = *value.As<Napi::External<PackedHandle>>().Data();
  if (!packed || packed->packed.f != s.f || packed->packed.d != s.d) arguments.fail("packed weights of the same W_enc");
  return packed;
}

// saeHasPrecision(runtime, precision) -> boolean
Napi::Value saeHasPrecision(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saeHasPrecision");
  Addon& addon = arguments.addon();
  return Napi::Boolean::New(info.Env(), hasPrecision(addon.runtime.table->tiles, static_cast<SaePrecision>(arguments.integer())));
}

// saePack(runtime, wEnc, smoothing, f, d, precision) -> packed
Napi::Value saePack(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saePack");
  Addon& addon = arguments.addon();
  int f = info[3].ToNumber(), d = info[4].ToNumber(), precision = info[5].ToNumber();
  View wEnc = arguments.view(static_cast<int64_t>(f) * d);
  OptionalView smoothing = optionalView(arguments, d);
  const KernelTable* table = addon.runtime.table;
  if (precision < kFp32 || precision > kInt8Panels || !hasPrecision(table->tiles, static_cast<SaePrecision>(precision))) arguments.fail("a precision of this processor");
  auto packed = std::make_shared<Packed>();
  packed->table = table;
  packed->packed.precision = static_cast<SaePrecision>(precision);
  packed->packed.exact = precision == kFp32;
  if (precision == kFp32 && table->tiles.bf16) packed->packed.precision = kBf16Panels;
  packed->packed.f = f;
  packed->packed.d = d;
  enqueue(addon, [=](Runtime& r) {
    table->saeAllocatePacked(packed->packed);
    if (smoothing.present) memcpy(packed->packed.smoothing, smoothing.f32(), sizeof(float) * d);
    table->saePack(r.context, packed->packed, wEnc.f32());
  });
  return Napi::External<PackedHandle>::New(info.Env(), new PackedHandle(packed), [](Napi::Env, PackedHandle* handle) { delete handle; });
}

// saeRepack(runtime, packed, wEnc, f, d)
void saeRepack(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saeRepack");
  Addon& addon = arguments.addon();
  SaeShape shape{1, info[4].ToNumber(), 1, info[3].ToNumber()};
  PackedHandle packed = packedHandle(arguments, shape);
  View wEnc = arguments.view(static_cast<int64_t>(shape.f) * shape.d);
  enqueue(addon, [=](Runtime& r) { r.table->saePack(r.context, packed->packed, wEnc.f32()); });
}

// saeFreePacked(runtime, packed): the memory goes when the operations in flight are done
void saeFreePacked(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saeFreePacked");
  Addon& addon = arguments.addon();
  Napi::Value value = arguments.value();
  if (!value.IsExternal()) arguments.fail("packed weights");
  PackedHandle packed = std::move(*value.As<Napi::External<PackedHandle>>().Data());
  enqueue(addon, [packed = std::move(packed)](Runtime&) mutable { packed.reset(); });
}

const Exchange* exchangeOf(Arguments& arguments) {
  Napi::Value value = arguments.value();
  if (value.IsNull()) return nullptr;
  if (!value.IsExternal()) arguments.fail("an exchange");
  const Exchange* exchange = value.As<Napi::External<Exchange>>().Data();
  if (exchange->version != kExchangeVersion) arguments.fail("an MPI addon compiled with these kernels (npm run build:mpi)");
  return exchange->ranks > 1 ? exchange : nullptr;
}

// features, data, firstFeature, totalFeatures, firstRow, totalRows, bf16
SaeRanks saeRanks(Arguments& arguments) {
  SaeRanks ranks;
  ranks.features = exchangeOf(arguments);
  ranks.data = exchangeOf(arguments);
  ranks.firstFeature = arguments.integer();
  ranks.totalFeatures = arguments.integer();
  ranks.firstRow = arguments.integer();
  ranks.totalRows = arguments.integer();
  ranks.bf16 = arguments.boolean();
  return ranks;
}

Napi::Object statsObject(Napi::Env env, const SaeStepStats& stats) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("squaredError", stats.squaredError);
  object.Set("prefixError", stats.prefixError);
  object.Set("sparsity", stats.sparsity);
  object.Set("l0", stats.l0);
  object.Set("auxLoss", stats.auxLoss);
  object.Set("preActLoss", stats.preActLoss);
  object.Set("dead", stats.dead);
  object.Set("maxDensity", stats.maxDensity);
  object.Set("gradientNorm", stats.gradientNorm);
  object.Set("badRow", stats.badRow);
  object.Set("skippedRows", stats.skippedRows);
  object.Set("precision", static_cast<int>(stats.precision));
  object.Set("scanned", static_cast<int>(stats.scanned));
  object.Set("encodeMs", stats.encodeMs);
  object.Set("decodeMs", stats.decodeMs);
  object.Set("updateMs", stats.updateMs);
  return object;
}

// saeStep(runtime, n, d, dOut, f, kind, k, logThreshold, subtractDecoderBias, params x8, m x8, v x8, packed, tokensSinceFired, running, x, y,
//   penalty, coefficient, bandwidth, tanhScale, preAct, adam x6, unitNormDecoder, freezeDecoder, gradientClip, auxK, auxCoefficient, deadAfter, prefixes, skipBadRows, ranks x7)
Napi::Value saeStep(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saeStep");
  Addon& addon = arguments.addon();
  SaeStepArgs step{};
  SaeShape shape = step.shape = saeShape(arguments);
  step.form = saeForm(arguments);
  SaeViews params = saeViews(arguments, shape), m = saeViews(arguments, shape), v = saeViews(arguments, shape);
  requireParameters(arguments, step.form, shape, params);
  requireParameters(arguments, step.form, shape, m);
  requireParameters(arguments, step.form, shape, v);
  PackedHandle packed = packedHandle(arguments, shape);
  if (!packed) arguments.fail("packed weights");
  View since = arguments.view(shape.f, kI32), running = arguments.view(8);
  View x = arguments.view(static_cast<int64_t>(shape.n) * shape.d), y = arguments.view(static_cast<int64_t>(shape.n) * shape.dOut);
  step.penalty = static_cast<SaePenalty>(arguments.integer());
  step.coefficient = arguments.real();
  step.bandwidth = arguments.real();
  step.tanhScale = arguments.real();
  step.preAct = arguments.real();
  step.adam = adamOptions(arguments);
  step.unitNormDecoder = arguments.boolean();
  step.freezeDecoder = arguments.boolean();
  step.gradientClip = arguments.real();
  step.auxCount = arguments.integer();
  step.auxCoefficient = arguments.real();
  step.deadAfterTokens = arguments.integer();
  Napi::Int32Array ends = arguments.value().As<Napi::Int32Array>();
  std::vector<int32_t> prefixes(ends.Data(), ends.Data() + ends.ElementLength());
  step.skipBadRows = arguments.boolean();
  step.ranks = saeRanks(arguments);
  for (size_t i = 0; i < prefixes.size(); i++)
    if (prefixes[i] <= (i ? prefixes[i - 1] : 0)) arguments.fail("ascending prefixes");
  if (prefixes.empty() || prefixes.back() != step.ranks.totalFeatures) arguments.fail("prefixes that end with all features");
  return enqueuePromise(info.Env(), addon, info.Env().Undefined(), [=](Runtime& r, Completion& completion) mutable {
    step.params = params.pointers();
    step.m = m.pointers();
    step.v = v.pointers();
    step.packed = &packed->packed;
    step.tokensSinceFired = since.i32();
    step.running = running.f32();
    step.x = x.f32();
    step.y = y.f32();
    step.prefixes = prefixes.data();
    step.prefixCount = static_cast<int>(prefixes.size());
    SaeStepStats stats;
    r.table->saeStep(r.context, step, stats);
    completion.result = [stats](Napi::Env env) -> Napi::Value { return statsObject(env, stats); };
  });
}

// Lambdas name what they take of a structured binding: clang before 16 does not know it otherwise.

// saeReconstruct(runtime, n, d, dOut, f, kind, k, logThreshold, subtractDecoderBias, params x8, packed, xHat, losses, x, y, ranks x7)
void saeReconstruct(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saeReconstruct");
  Addon& addon = arguments.addon();
  auto [shape, form, params] = saeForward(arguments);
  PackedHandle packed = packedHandle(arguments, shape);
  int64_t outputs = static_cast<int64_t>(shape.n) * shape.dOut;
  View xHat = arguments.view(outputs);
  OptionalView losses = optionalView(arguments, shape.n);
  View x = arguments.view(static_cast<int64_t>(shape.n) * shape.d), y = arguments.view(outputs);
  SaeRanks ranks = saeRanks(arguments);
  enqueue(addon, [=, shape = shape, form = form, params = params](Runtime& r) {
    Codes codes;
    std::vector<float> target;  // xHat may overwrite y before the losses are known
    if (losses.present && y.f32() == xHat.f32()) target.assign(y.f32(), y.f32() + outputs);
    r.table->saeEncode(r.context, params.pointers(), shape, x.f32(), form, packed ? &packed->packed : nullptr, ranks, codes);
    r.table->saeDecode(r.context, xHat.f32(), params.pointers(), shape, codes, x.f32(), ranks);
    if (losses.present) r.table->saeSquaredErrors(r.context, losses.f32(), target.empty() ? y.f32() : target.data(), xHat.f32(), shape.n, shape.dOut);
    releaseCodes(codes);
  });
}

// saeEncode(runtime, n, d, dOut, f, kind, k, logThreshold, subtractDecoderBias, params x8, packed, x, ranks x7) -> { rowOffsets, featureIds, values }
Napi::Value saeEncode(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saeEncode");
  Addon& addon = arguments.addon();
  auto [shape, form, params] = saeForward(arguments);
  PackedHandle packed = packedHandle(arguments, shape);
  View x = arguments.view(static_cast<int64_t>(shape.n) * shape.d);
  SaeRanks ranks = saeRanks(arguments);
  return enqueuePromise(info.Env(), addon, info.Env().Undefined(), [=, shape = shape, form = form, params = params](Runtime& r, Completion& completion) {
    std::shared_ptr<Codes> codes = sharedCodes();
    r.table->saeEncode(r.context, params.pointers(), shape, x.f32(), form, packed ? &packed->packed : nullptr, ranks, *codes);
    completion.result = [codes](Napi::Env env) -> Napi::Value { return codesObject(env, *codes); };
  });
}

// Codes that came from JavaScript: a copy, checked.
struct CodesCopy {
  std::vector<int32_t> rowOffsets, featureIds;
  std::vector<float> values;
  Codes codes() {
    Codes view;
    view.rows = static_cast<int>(rowOffsets.size()) - 1;
    view.count = static_cast<int64_t>(featureIds.size());
    view.rowOffsets = rowOffsets.data();
    view.featureIds = featureIds.data();
    view.values = values.data();
    return view;
  }
};

// Three arrays: the codes of n rows (any number where n < 0) with ids below f.
CodesCopy codesCopy(Arguments& arguments, int n, int f) {
  Napi::Int32Array offsets = arguments.value().As<Napi::Int32Array>(), ids = arguments.value().As<Napi::Int32Array>();
  Napi::Float32Array values = arguments.value().As<Napi::Float32Array>();
  CodesCopy copy;
  copy.rowOffsets.assign(offsets.Data(), offsets.Data() + offsets.ElementLength());
  copy.featureIds.assign(ids.Data(), ids.Data() + ids.ElementLength());
  copy.values.assign(values.Data(), values.Data() + values.ElementLength());
  auto& rows = copy.rowOffsets;
  int count = static_cast<int>(copy.featureIds.size());
  bool valid = !rows.empty() && (n < 0 || rows.size() == static_cast<size_t>(n) + 1) && copy.featureIds.size() == copy.values.size() && rows.front() == 0 &&
               rows.back() == count && tokensInRange(copy.featureIds.data(), count, 0, f);
  for (size_t i = 1; valid && i < rows.size(); i++) valid = rows[i] >= rows[i - 1];
  if (!valid) arguments.fail("codes of n rows with ids in range");
  return copy;
}

// saeDecode(runtime, n, d, dOut, f, params x8, xHat, x, rowOffsets, featureIds, values, ranks x7)
void saeDecode(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saeDecode");
  Addon& addon = arguments.addon();
  SaeShape shape = saeShape(arguments);
  SaeViews params = saeViews(arguments, shape);
  View xHat = arguments.view(static_cast<int64_t>(shape.n) * shape.dOut);
  OptionalView x = optionalView(arguments, static_cast<int64_t>(shape.n) * shape.d);
  if (params.wSkip.present && !x.present) arguments.fail("x, which the skip connection reads");
  CodesCopy codes = codesCopy(arguments, shape.n, shape.f);
  SaeRanks ranks = saeRanks(arguments);
  enqueue(addon, [=, copy = std::move(codes)](Runtime& r) mutable {
    r.table->saeDecode(r.context, xHat.f32(), params.pointers(), shape, copy.codes(), x.f32(), ranks);
  });
}

// saeNormalize(runtime, n, d, layerNorm, out, offsets, scales, x)
void saeNormalize(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saeNormalize");
  Addon& addon = arguments.addon();
  int n = arguments.integer(), d = arguments.integer();
  if (n < 1 || d < 1) arguments.fail("positive sizes");
  bool layerNorm = arguments.boolean();
  int64_t count = static_cast<int64_t>(n) * d;
  OptionalView out = optionalView(arguments, count);
  View offsets = arguments.view(n), scales = arguments.view(n), x = arguments.view(count);
  enqueue(addon, [=](Runtime& r) { r.table->saeNormalize(r.context, out.f32(), offsets.f32(), scales.f32(), x.f32(), n, d, layerNorm); });
}

// saeDenormalizeInPlace(runtime, n, d, y, offsets, scales)
void saeDenormalizeInPlace(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saeDenormalizeInPlace");
  Addon& addon = arguments.addon();
  int n = arguments.integer(), d = arguments.integer();
  if (n < 1 || d < 1) arguments.fail("positive sizes");
  View y = arguments.view(static_cast<int64_t>(n) * d);
  OptionalView offsets = optionalView(arguments, n);
  View scales = arguments.view(n);
  enqueue(addon, [=](Runtime& r) { r.table->saeDenormalizeInPlace(r.context, y.f32(), offsets.f32(), scales.f32(), n, d); });
}

// saeSquaredErrors(runtime, n, d, losses, y, xHat)
void saeSquaredErrors(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saeSquaredErrors");
  Addon& addon = arguments.addon();
  int n = arguments.integer(), d = arguments.integer();
  if (n < 1 || d < 1) arguments.fail("positive sizes");
  int64_t count = static_cast<int64_t>(n) * d;
  View losses = arguments.view(n), y = arguments.view(count), xHat = arguments.view(count);
  enqueue(addon, [=](Runtime& r) { r.table->saeSquaredErrors(r.context, losses.f32(), y.f32(), xHat.f32(), n, d); });
}

// saeCompare(runtime, n, d, sums, shift, y, xHat, center)
void saeCompare(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saeCompare");
  Addon& addon = arguments.addon();
  int n = arguments.integer(), d = arguments.integer();
  if (n < 1 || d < 1) arguments.fail("positive sizes");
  int64_t count = static_cast<int64_t>(n) * d;
  View sums = arguments.view(static_cast<int64_t>(n) * kComparisonSums), shift = arguments.view(d);
  View y = arguments.view(count), xHat = arguments.view(count), center = arguments.view(d);
  enqueue(addon, [=](Runtime& r) { r.table->saeCompare(r.context, sums.f32(), shift.f32(), y.f32(), xHat.f32(), center.f32(), n, d); });
}

// saeAddProducts(runtime, n, d, f, out, x, rowOffsets, featureIds, values)
void saeAddProducts(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saeAddProducts");
  Addon& addon = arguments.addon();
  int n = arguments.integer(), d = arguments.integer(), f = arguments.integer();
  if (n < 1 || d < 1 || f < 1) arguments.fail("positive sizes");
  View out = arguments.view(static_cast<int64_t>(f) * d), x = arguments.view(static_cast<int64_t>(n) * d);
  enqueue(addon, [=, copy = codesCopy(arguments, n, f)](Runtime& r) mutable { r.table->saeAddProducts(r.context, out.f32(), copy.codes(), x.f32(), f, d); });
}

// saeAddPairs(runtime, f, columns, capacity, byCount, ids, size, count, sum, before, missed, rowOffsets, featureIds, values, the columns' three)
void saeAddPairs(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saeAddPairs");
  Addon& addon = arguments.addon();
  SaePairsArgs table{};
  table.features = arguments.integer();
  table.columns = arguments.integer();
  table.capacity = arguments.integer();
  table.byCount = arguments.boolean();
  if (table.features < 1 || table.columns < 1 || table.capacity < 1) arguments.fail("positive sizes");
  int64_t places = static_cast<int64_t>(table.features) * table.capacity;
  OptionalView ids = optionalView(arguments, places, kI32);
  View size = arguments.view(table.features, kI32), count = arguments.view(places, kI32), sum = arguments.view(places);
  OptionalView before = optionalView(arguments, places);
  View missed = arguments.view(table.features);
  if (ids.present != before.present || (!ids.present && table.capacity != table.columns)) arguments.fail("ids and before, or a place for every column");
  CodesCopy codes = codesCopy(arguments, -1, table.features);
  CodesCopy columns = codesCopy(arguments, static_cast<int>(codes.rowOffsets.size()) - 1, table.columns);
  enqueue(addon, [=, codes = std::move(codes), columns = std::move(columns)](Runtime& r) mutable {
    table.ids = ids.i32();
    table.size = size.i32();
    table.count = count.i32();
    table.sum = sum.f32();
    table.before = before.f32();
    table.missed = missed.f32();
    r.table->saeAddPairs(r.context, table, codes.codes(), columns.codes());
  });
}

// saeEncodeFeatures(runtime, n, d, dOut, f, kind, k, logThreshold, subtractDecoderBias, params x8, out, x, ids)
void saeEncodeFeatures(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "saeEncodeFeatures");
  Addon& addon = arguments.addon();
  auto [shape, form, params] = saeForward(arguments);
  View out = arguments.any(), x = arguments.view(static_cast<int64_t>(shape.n) * shape.d);
  Napi::Int32Array list = arguments.value().As<Napi::Int32Array>();
  std::vector<int32_t> ids(list.Data(), list.Data() + list.ElementLength());
  int count = static_cast<int>(ids.size());
  if (out.dtype != kF32 || out.count != static_cast<int64_t>(shape.n) * count || !tokensInRange(ids.data(), count, 0, shape.f)) arguments.fail("feature ids, and out [n, ids]");
  enqueue(addon, [=, shape = shape, form = form, params = params, ids = std::move(ids)](Runtime& r) {
    r.table->saeEncodeFeatures(r.context, out.f32(), params.pointers(), shape, x.f32(), ids.data(), count, form);
  });
}

}  // namespace

void addSae(Napi::Env env, Napi::Object exports) {
  addOperation(env, exports, "saeHasPrecision", saeHasPrecision);
  addOperation(env, exports, "saePack", saePack);
  addOperation(env, exports, "saeRepack", saeRepack);
  addOperation(env, exports, "saeFreePacked", saeFreePacked);
  addOperation(env, exports, "saeStep", saeStep);
  addOperation(env, exports, "saeReconstruct", saeReconstruct);
  addOperation(env, exports, "saeEncode", saeEncode);
  addOperation(env, exports, "saeDecode", saeDecode);
  addOperation(env, exports, "saeEncodeFeatures", saeEncodeFeatures);
  addOperation(env, exports, "saeNormalize", saeNormalize);
  addOperation(env, exports, "saeDenormalizeInPlace", saeDenormalizeInPlace);
  addOperation(env, exports, "saeSquaredErrors", saeSquaredErrors);
  addOperation(env, exports, "saeCompare", saeCompare);
  addOperation(env, exports, "saeAddProducts", saeAddProducts);
  addOperation(env, exports, "saeAddPairs", saeAddPairs);
}

}  // namespace monosem
