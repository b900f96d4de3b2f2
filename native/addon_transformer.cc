// The transformer's operations at the boundary.
#include "boundary.h"

namespace monosem {
namespace {

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

// attentionCachedForward(runtime, z, pattern, q, keys, values, sequences, lengths, n, h, s, b, dh)
void attentionCachedForwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "attentionCachedForward");
  Addon& addon = arguments.addon();
  int n = info[8].ToNumber(), h = info[9].ToNumber(), s = info[10].ToNumber(), b = info[11].ToNumber(), dh = info[12].ToNumber();
  int64_t rows = static_cast<int64_t>(n) * h * dh, cache = static_cast<int64_t>(b) * s * h * dh;
  View z = arguments.view(rows), pattern = arguments.view(static_cast<int64_t>(n) * h * s), q = arguments.view(rows);
  View keys = arguments.view(cache), values = arguments.view(cache);
  View sequences = arguments.view(n, kI32), lengths = arguments.view(n, kI32);
  enqueue(addon, [=](Runtime& r) {
    if (!tokensInRange(sequences.i32(), n, 0, b)) throw std::out_of_range("attentionCachedForward: a sequence is not in the cache");
    if (!tokensInRange(lengths.i32(), n, 1, static_cast<int64_t>(s) + 1)) throw std::out_of_range("attentionCachedForward: a length is not in 1..S");
    r.table->attentionCachedForward(r.context, z.f32(), pattern.f32(), q.f32(), keys.f32(), values.f32(), sequences.i32(), lengths.i32(), n, h, s, dh);
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

}  // namespace

void addTransformer(Napi::Env env, Napi::Object exports) {
  addOperation(env, exports, "linearForward", linearForward);
  addOperation(env, exports, "linearBackward", linearBackward);
  addOperation(env, exports, "embedForward", embedForwardOp);
  addOperation(env, exports, "embedBackward", embedBackwardOp);
  addOperation(env, exports, "layerNormForward", layerNormForwardOp);
  addOperation(env, exports, "layerNormBackward", layerNormBackwardOp);
  addOperation(env, exports, "geluForward", geluForwardOp);
  addOperation(env, exports, "geluBackward", geluBackwardOp);
  addOperation(env, exports, "attentionForward", attentionForwardOp);
  addOperation(env, exports, "attentionBackward", attentionBackwardOp);
  addOperation(env, exports, "attentionCachedForward", attentionCachedForwardOp);
  addOperation(env, exports, "crossEntropyForward", crossEntropyForwardOp);
  addOperation(env, exports, "crossEntropyBackward", crossEntropyBackwardOp);
  addOperation(env, exports, "klDivergence", klDivergenceOp);
}

}  // namespace monosem
