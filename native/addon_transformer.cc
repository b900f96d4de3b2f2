// The transformer's operations at the boundary.
#include "boundary.h"

namespace monosem {
namespace {

// out [m, n] = a [m, k] B, B [k, n] fp32 or bf16 with strides
GemmArgs productOf(const View& out, const View& a, const View& b, ptrdiff_t bRow, ptrdiff_t bColumn, int m, int n, int k) {
  Weights w = b.weights();
  return {m, n, k, a.f32(), k, 1, w.full, bRow, bColumn, out.f32(), n, nullptr, false, w.half};
}

// linearForward(runtime, out, x, w, b, n, inputs, outputs)
void linearForward(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "linearForward");
  Addon& addon = arguments.addon();
  int n = info[5].ToNumber(), inputs = info[6].ToNumber(), outputs = info[7].ToNumber();
  View out = arguments.view(static_cast<int64_t>(n) * outputs), x = arguments.view(static_cast<int64_t>(n) * inputs);
  View w = arguments.weights(static_cast<int64_t>(inputs) * outputs);
  OptionalView b = optionalView(arguments, outputs);
  enqueue(addon, [=](Runtime& r) {
    GemmArgs product = productOf(out, x, w, outputs, 1, n, outputs, inputs);
    product.bias = b.f32();
    r.table->gemm(r.context, product);
  });
}

// linearBackward(runtime, dx, dW, db, dout, x, w, n, inputs, outputs)
void linearBackward(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "linearBackward");
  Addon& addon = arguments.addon();
  int n = info[7].ToNumber(), inputs = info[8].ToNumber(), outputs = info[9].ToNumber();
  int64_t inputCount = static_cast<int64_t>(n) * inputs, outputCount = static_cast<int64_t>(n) * outputs, weights = static_cast<int64_t>(inputs) * outputs;
  OptionalView dx = optionalView(arguments, inputCount), dW = optionalView(arguments, weights), db = optionalView(arguments, outputs);
  View dout = arguments.view(outputCount), x = arguments.view(inputCount), w = arguments.weights(weights);
  enqueue(addon, [=](Runtime& r) {
    if (dx.present) r.table->gemm(r.context, productOf(dx.view, dout, w, 1, outputs, n, inputs, outputs));
    if (dW.present) r.table->gemm(r.context, {inputs, outputs, n, x.f32(), 1, inputs, dout.f32(), outputs, 1, dW.f32(), outputs, nullptr, true});
    if (db.present) r.table->columnSums(r.context, db.f32(), dout.f32(), n, outputs, true);
  });
}

// linearTransposedForward(runtime, out, x, w, n, inputs, outputs)
void linearTransposedForward(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "linearTransposedForward");
  Addon& addon = arguments.addon();
  int n = info[4].ToNumber(), inputs = info[5].ToNumber(), outputs = info[6].ToNumber();
  View out = arguments.view(static_cast<int64_t>(n) * outputs), x = arguments.view(static_cast<int64_t>(n) * inputs);
  View w = arguments.weights(static_cast<int64_t>(inputs) * outputs);
  enqueue(addon, [=](Runtime& r) { r.table->gemm(r.context, productOf(out, x, w, 1, inputs, n, outputs, inputs)); });
}

// linearTransposedBackward(runtime, dx, dW, dout, x, w, n, inputs, outputs)
void linearTransposedBackward(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "linearTransposedBackward");
  Addon& addon = arguments.addon();
  int n = info[6].ToNumber(), inputs = info[7].ToNumber(), outputs = info[8].ToNumber();
  int64_t inputCount = static_cast<int64_t>(n) * inputs, weights = static_cast<int64_t>(inputs) * outputs;
  OptionalView dx = optionalView(arguments, inputCount), dW = optionalView(arguments, weights);
  View dout = arguments.view(static_cast<int64_t>(n) * outputs), x = arguments.view(inputCount), w = arguments.weights(weights);
  enqueue(addon, [=](Runtime& r) {
    if (dx.present) r.table->gemm(r.context, productOf(dx.view, dout, w, inputs, 1, n, inputs, outputs));
    if (dW.present) r.table->gemm(r.context, {outputs, inputs, n, dout.f32(), 1, outputs, x.f32(), inputs, 1, dW.f32(), inputs, nullptr, true});
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
    r.table->embedForward(r.context, out.f32(), tokens.i32(), wE.weights(), wPos.present ? wPos.view.weights() : Weights{}, n, d, t);
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

// rmsNormForward(runtime, out, rstd, x, w, n, d, epsilon)
void rmsNormForwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "rmsNormForward");
  Addon& addon = arguments.addon();
  int n = info[5].ToNumber(), d = info[6].ToNumber();
  float epsilon = info[7].ToNumber();
  int64_t count = static_cast<int64_t>(n) * d;
  View out = arguments.view(count), rstd = arguments.view(n), x = arguments.view(count), w = arguments.view(d);
  enqueue(addon, [=](Runtime& r) { r.table->rmsNormForward(r.context, out.f32(), rstd.f32(), x.f32(), w.f32(), n, d, epsilon); });
}

// rmsNormBackward(runtime, dx, dW, dout, x, w, rstd, n, d)
void rmsNormBackwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "rmsNormBackward");
  Addon& addon = arguments.addon();
  int n = info[7].ToNumber(), d = info[8].ToNumber();
  int64_t count = static_cast<int64_t>(n) * d;
  View dx = arguments.view(count);
  OptionalView dW = optionalView(arguments, d);
  View dout = arguments.view(count), x = arguments.view(count), w = arguments.view(d), rstd = arguments.view(n);
  enqueue(addon, [=](Runtime& r) { r.table->rmsNormBackward(r.context, dx.f32(), dW.f32(), dout.f32(), x.f32(), w.f32(), rstd.f32(), n, d); });
}

Activation activation(Arguments& arguments) {
  int kind = arguments.integer();
  if (kind < kActivationGelu || kind > kActivationRelu) arguments.fail("the number of an activation");
  return static_cast<Activation>(kind);
}

// activationForward(runtime, out, x, kind), activationBackward(runtime, dx, dout, x, kind)
void activationForwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "activationForward");
  Addon& addon = arguments.addon();
  int64_t count = arguments.countAt(1);
  View out = arguments.view(count), x = arguments.view(count);
  Activation kind = activation(arguments);
  enqueue(addon, [=](Runtime& r) { r.table->activationForward(r.context, out.f32(), x.f32(), count, kind); });
}

void activationBackwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "activationBackward");
  Addon& addon = arguments.addon();
  int64_t count = arguments.countAt(1);
  View dx = arguments.view(count), dout = arguments.view(count), x = arguments.view(count);
  Activation kind = activation(arguments);
  enqueue(addon, [=](Runtime& r) { r.table->activationBackward(r.context, dx.f32(), dout.f32(), x.f32(), count, kind); });
}

// gatedForward(runtime, out, gate, up, kind), gatedBackward(runtime, dgate, dup, dout, gate, up, kind)
void gatedForwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "gatedForward");
  Addon& addon = arguments.addon();
  int64_t count = arguments.countAt(1);
  View out = arguments.view(count), gate = arguments.view(count), up = arguments.view(count);
  Activation kind = activation(arguments);
  enqueue(addon, [=](Runtime& r) { r.table->gatedForward(r.context, out.f32(), gate.f32(), up.f32(), count, kind); });
}

void gatedBackwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "gatedBackward");
  Addon& addon = arguments.addon();
  int64_t count = arguments.countAt(1);
  View dgate = arguments.view(count), dup = arguments.view(count), dout = arguments.view(count), gate = arguments.view(count), up = arguments.view(count);
  Activation kind = activation(arguments);
  enqueue(addon, [=](Runtime& r) { r.table->gatedBackward(r.context, dgate.f32(), dup.f32(), dout.f32(), gate.f32(), up.f32(), count, kind); });
}

// softCapForward(runtime, out, x, cap), softCapBackward(runtime, dx, dout, out, cap)
void softCapForwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "softCapForward");
  Addon& addon = arguments.addon();
  int64_t count = arguments.countAt(1);
  View out = arguments.view(count), x = arguments.view(count);
  float cap = arguments.real();
  enqueue(addon, [=](Runtime& r) { r.table->softCapForward(r.context, out.f32(), x.f32(), cap, count); });
}

void softCapBackwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "softCapBackward");
  Addon& addon = arguments.addon();
  int64_t count = arguments.countAt(1);
  View dx = arguments.view(count), dout = arguments.view(count), out = arguments.view(count);
  float cap = arguments.real();
  enqueue(addon, [=](Runtime& r) { r.table->softCapBackward(r.context, dx.f32(), dout.f32(), out.f32(), cap, count); });
}

// rotaryForward(runtime, out, x, positions, cos, sin, n, heads * width, heads, rows of the table, half), rotaryBackward likewise
template <bool kBackward>
void rotaryOp(const Napi::CallbackInfo& info) {
  const char* name = kBackward ? "rotaryBackward" : "rotaryForward";
  Arguments arguments(info, name);
  Addon& addon = arguments.addon();
  int n = info[6].ToNumber(), d = info[7].ToNumber(), heads = info[8].ToNumber(), rows = info[9].ToNumber(), half = info[10].ToNumber();
  int64_t count = static_cast<int64_t>(n) * d, angles = static_cast<int64_t>(rows) * half;
  View out = arguments.view(count), x = arguments.view(count), positions = arguments.view(n, kI32);
  View cos = arguments.view(angles), sin = arguments.view(angles);
  if (heads < 1 || d % heads != 0 || 2 * half > d / heads) arguments.fail("heads at least as wide as what turns");
  enqueue(addon, [=](Runtime& r) {
    if (!tokensInRange(positions.i32(), n, 0, rows)) throw std::out_of_range(std::string(name) + ": a position is not a row of cos and sin");
    r.table->rotary(r.context, out.f32(), x.f32(), positions.i32(), cos.f32(), sin.f32(), n, heads, d / heads, half, kBackward ? -1.0f : 1.0f);
  });
}

// Six numbers: heads, key heads, head width, scale, soft cap, window.
AttentionHeads attentionHeads(Arguments& arguments, const Napi::CallbackInfo& info, int at) {
  AttentionHeads a = {info[at].ToNumber(), info[at + 1].ToNumber(), info[at + 2].ToNumber(), info[at + 3].ToNumber(), info[at + 4].ToNumber(), info[at + 5].ToNumber()};
  if (a.keyValueHeads < 1 || a.heads % a.keyValueHeads != 0 || a.softCap < 0 || a.window < 0) arguments.fail("options of attention that fit together");
  return a;
}

// b sequences of t positions
struct AttentionShape {
  int b, t;
  AttentionHeads heads;
  int64_t positions() const { return static_cast<int64_t>(b) * t; }
  int64_t queries() const { return positions() * heads.heads * heads.width; }
  int64_t keys() const { return positions() * heads.keyValueHeads * heads.width; }
  int64_t pattern() const { return positions() * heads.heads * t; }
};

// b, t and the numbers of the heads
AttentionShape attentionShape(Arguments& arguments, const Napi::CallbackInfo& info, int at) {
  return {info[at].ToNumber(), info[at + 1].ToNumber(), attentionHeads(arguments, info, at + 2)};
}

void requireStarts(const char* operation, const OptionalView& starts, const AttentionShape& s) {
  if (!starts.present) return;
  for (int64_t i = 0; i < s.positions(); i++)
    if (starts.i32()[i] < 0 || starts.i32()[i] > i % s.t) throw std::out_of_range(std::string(operation) + ": starts must lie in 0..position");
}

// attentionForward(runtime, z, pattern, q, k, v, starts, b, t, heads...)
void attentionForwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "attentionForward");
  Addon& addon = arguments.addon();
  AttentionShape s = attentionShape(arguments, info, 7);
  View z = arguments.view(s.queries());
  OptionalView pattern = optionalView(arguments, s.pattern());
  View q = arguments.view(s.queries()), k = arguments.view(s.keys()), v = arguments.view(s.keys());
  OptionalView starts = optionalView(arguments, s.positions(), kI32);
  enqueue(addon, [=](Runtime& r) {
    requireStarts("attentionForward", starts, s);
    r.table->attentionForward(r.context, z.f32(), pattern.f32(), q.f32(), k.f32(), v.f32(), starts.i32(), s.b, s.t, s.heads);
  });
}

// attentionBackward(runtime, dq, dk, dv, dz, pattern, q, k, v, starts, b, t, heads...)
void attentionBackwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "attentionBackward");
  Addon& addon = arguments.addon();
  AttentionShape s = attentionShape(arguments, info, 10);
  View dq = arguments.view(s.queries()), dk = arguments.view(s.keys()), dv = arguments.view(s.keys()), dz = arguments.view(s.queries());
  View pattern = arguments.view(s.pattern()), q = arguments.view(s.queries()), k = arguments.view(s.keys()), v = arguments.view(s.keys());
  OptionalView starts = optionalView(arguments, s.positions(), kI32);
  enqueue(addon, [=](Runtime& r) {
    requireStarts("attentionBackward", starts, s);
    r.table->attentionBackward(r.context, dq.f32(), dk.f32(), dv.f32(), dz.f32(), pattern.f32(), q.f32(), k.f32(), v.f32(), starts.i32(), s.b, s.t, s.heads);
  });
}

// attentionCachedForward(runtime, z, pattern, q, keys, values, sequences, lengths, n, b, s, heads...)
void attentionCachedForwardOp(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "attentionCachedForward");
  Addon& addon = arguments.addon();
  int n = info[8].ToNumber(), b = info[9].ToNumber(), s = info[10].ToNumber();
  AttentionHeads heads = attentionHeads(arguments, info, 11);
  int64_t rows = static_cast<int64_t>(n) * heads.heads * heads.width, cache = static_cast<int64_t>(b) * s * heads.keyValueHeads * heads.width;
  View z = arguments.view(rows);
  OptionalView pattern = optionalView(arguments, static_cast<int64_t>(n) * heads.heads * s);
  View q = arguments.view(rows), keys = arguments.view(cache), values = arguments.view(cache);
  View sequences = arguments.view(n, kI32), lengths = arguments.view(n, kI32);
  enqueue(addon, [=](Runtime& r) {
    if (!tokensInRange(sequences.i32(), n, 0, b)) throw std::out_of_range("attentionCachedForward: a sequence is not in the cache");
    if (!tokensInRange(lengths.i32(), n, 1, static_cast<int64_t>(s) + 1)) throw std::out_of_range("attentionCachedForward: a length is not in 1..S");
    r.table->attentionCachedForward(r.context, z.f32(), pattern.f32(), q.f32(), keys.f32(), values.f32(), sequences.i32(), lengths.i32(), n, s, heads);
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
  addOperation(env, exports, "linearTransposedForward", linearTransposedForward);
  addOperation(env, exports, "linearTransposedBackward", linearTransposedBackward);
  addOperation(env, exports, "embedForward", embedForwardOp);
  addOperation(env, exports, "embedBackward", embedBackwardOp);
  addOperation(env, exports, "layerNormForward", layerNormForwardOp);
  addOperation(env, exports, "layerNormBackward", layerNormBackwardOp);
  addOperation(env, exports, "rmsNormForward", rmsNormForwardOp);
  addOperation(env, exports, "rmsNormBackward", rmsNormBackwardOp);
  addOperation(env, exports, "activationForward", activationForwardOp);
  addOperation(env, exports, "activationBackward", activationBackwardOp);
  addOperation(env, exports, "gatedForward", gatedForwardOp);
  addOperation(env, exports, "gatedBackward", gatedBackwardOp);
  addOperation(env, exports, "softCapForward", softCapForwardOp);
  addOperation(env, exports, "softCapBackward", softCapBackwardOp);
  addOperation(env, exports, "rotaryForward", rotaryOp<false>);
  addOperation(env, exports, "rotaryBackward", rotaryOp<true>);
  addOperation(env, exports, "attentionForward", attentionForwardOp);
  addOperation(env, exports, "attentionBackward", attentionBackwardOp);
  addOperation(env, exports, "attentionCachedForward", attentionCachedForwardOp);
  addOperation(env, exports, "crossEntropyForward", crossEntropyForwardOp);
  addOperation(env, exports, "crossEntropyBackward", crossEntropyBackwardOp);
  addOperation(env, exports, "klDivergence", klDivergenceOp);
}

}  // namespace monosem
