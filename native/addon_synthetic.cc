// Synthetic activations at the boundary: a law crosses once and is kept with the tables that the kernels read.
#include <limits>

#include "boundary.h"
#include "synthetic.h"

namespace monosem {
namespace {

template <class Array, class Element>
std::vector<Element> arrayCopy(Arguments& arguments, int64_t count) {
  Array array = arguments.value().As<Array>();
  if (count >= 0 && static_cast<int64_t>(array.ElementLength()) != count) arguments.fail("an array of " + std::to_string(count) + " elements");
  return {array.Data(), array.Data() + array.ElementLength()};
}

// Owns what a SyntheticLaw points to.
struct Generator {
  SyntheticLaw law{};
  View directions, bias;
  std::vector<int32_t> childOffsets, childIds;
  std::vector<int16_t> groupLoadings;
  std::vector<char> records;
  std::vector<uint32_t> blocks;
  std::vector<float> groupThresholds, groupReach;
  void point();
  void pack();
};

using GeneratorHandle = std::shared_ptr<Generator>;

void Generator::point() {
  law.childOffsets = childOffsets.data();
  law.childIds = childIds.data();
  law.records = records.data();
  law.blocks = blocks.data();
  law.groupLoadings = groupLoadings.data();
  law.groupThresholds = groupThresholds.data();
  law.groupReach = groupReach.data();
}

// Features without a parent, four neighbours a block, sixteen blocks a group.
void Generator::pack() {
  std::vector<bool> isChild(law.features);
  for (int32_t child : childIds) isChild[child] = true;
  for (int block = 0; 4 * block < law.features; block++)
    for (int id = 4 * block; id < 4 * block + 4; id++)
      if (id < law.features && !isChild[id]) {
        blocks.push_back(block);
        break;
      }
  int used = static_cast<int>(blocks.size());
  law.groups = (used + kSyntheticBlocks - 1) / kSyntheticBlocks;
  blocks.resize(law.groups * kSyntheticBlocks);
  size_t lanes = static_cast<size_t>(law.groups) * kSyntheticGroup;
  groupThresholds.assign(lanes, std::numeric_limits<float>::infinity());
  groupReach.assign(lanes, 0);
  groupLoadings.assign(lanes * law.pairs * 2, 0);
  for (int b = 0; b < used; b++)
    for (int word = 0; word < 4; word++) {
      int id = 4 * blocks[b] + word;
      if (id >= law.features || isChild[id]) continue;
      int group = b / kSyntheticBlocks, lane = word * kSyntheticBlocks + b % kSyntheticBlocks;
      const SyntheticFeature& feature = featureOf(law, id);
      groupThresholds[group * kSyntheticGroup + lane] = static_cast<float>(feature.threshold - 1e-4);
      groupReach[group * kSyntheticGroup + lane] = static_cast<float>(2 * 0.693147180559945 * feature.residual * feature.residual * 1.0001 + 1e-6);
      for (int r = 0; r < law.rank; r++)
        groupLoadings[((static_cast<size_t>(group) * law.pairs + r / 2) * kSyntheticGroup + lane) * 2 + r % 2] = feature.loadings()[r];
    }
}

// syntheticCreate(runtime, features, d, rank, directions, bias, childOffsets, childIds, loadings, residuals, thresholds, means, stds, exclusive, scaled) -> generator
Napi::Value syntheticCreate(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "syntheticCreate");
  arguments.addon();
  auto generator = std::make_shared<Generator>();
  SyntheticLaw& law = generator->law;
  law.features = arguments.integer();
  law.d = arguments.integer();
  law.rank = arguments.integer();
  if (law.features < 1 || law.d < 1 || law.rank < 1 || law.rank > kLargestRank) arguments.fail("positive sizes");
  generator->directions = arguments.weights(static_cast<int64_t>(law.features) * law.d);
  generator->bias = arguments.view(law.d);
  generator->childOffsets = arrayCopy<Napi::Int32Array, int32_t>(arguments, law.features + 1);
  generator->childIds = arrayCopy<Napi::Int32Array, int32_t>(arguments, -1);
  auto loadings = arrayCopy<Napi::Int16Array, int16_t>(arguments, static_cast<int64_t>(law.features) * law.rank);
  auto residuals = arrayCopy<Napi::Float64Array, double>(arguments, law.features);
  auto thresholds = arrayCopy<Napi::Float64Array, double>(arguments, law.features);
  auto means = arrayCopy<Napi::Float64Array, double>(arguments, law.features);
  auto stds = arrayCopy<Napi::Float64Array, double>(arguments, law.features);
  law.pairs = (law.rank + 1) / 2;
  law.stride = static_cast<int>((sizeof(SyntheticFeature) + sizeof(int16_t) * 2 * law.pairs + 31) / 32 * 32);
  generator->records.resize(static_cast<size_t>(law.features) * law.stride);
  for (int id = 0; id < law.features; id++) {
    auto* feature = reinterpret_cast<SyntheticFeature*>(generator->records.data() + static_cast<size_t>(id) * law.stride);
    *feature = {thresholds[id], residuals[id], means[id], stds[id]};
    memcpy(feature + 1, loadings.data() + static_cast<size_t>(id) * law.rank, sizeof(int16_t) * law.rank);
  }
  law.exclusive = arguments.boolean();
  law.scaled = arguments.boolean();
  if (!tokensInRange(generator->childIds.data(), static_cast<int>(generator->childIds.size()), 1, law.features)) arguments.fail("children among the features");
  law.records = generator->records.data();
  generator->pack();
  generator->point();
  return Napi::External<GeneratorHandle>::New(info.Env(), new GeneratorHandle(generator), [](Napi::Env, GeneratorHandle* handle) { delete handle; });
}

// What both ways of sampling begin with: generator, x, n, seed (low, high), offset (low, high).
struct Request {
  GeneratorHandle generator;
  View x;
  int n;
  uint64_t seed, offset;
  void run(Runtime& r, Codes* codes) const {
    SyntheticLaw law = generator->law;
    law.directions = generator->directions.weights();
    law.bias = generator->bias.f32();
    r.table->syntheticSample(r.context, law, seed, offset, n, x.f32(), codes);
  }
};

uint64_t wide(Arguments& arguments) {
  uint64_t low = static_cast<uint64_t>(arguments.number());
  return low | static_cast<uint64_t>(arguments.number()) << 32;
}

Request request(Arguments& arguments) {
  Napi::Value handle = arguments.value();
  if (!handle.IsExternal()) arguments.fail("a generator");
  Request request;
  request.generator = *handle.As<Napi::External<GeneratorHandle>>().Data();
  View x = arguments.any();
  request.n = arguments.integer();
  if (request.n < 0 || x.dtype != kF32 || x.count != static_cast<int64_t>(request.n) * request.generator->law.d) arguments.fail("x of n rows");
  request.x = x;
  request.seed = wide(arguments);
  request.offset = wide(arguments);
  return request;
}

// syntheticFill(runtime, generator, x, n, seed x2, offset x2)
void syntheticFill(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "syntheticFill");
  Addon& addon = arguments.addon();
  enqueue(addon, [request = request(arguments)](Runtime& r) { request.run(r, nullptr); });
}

// syntheticSample(runtime, generator, x, n, seed x2, offset x2) -> { rowOffsets, featureIds, values }
Napi::Value syntheticSample(const Napi::CallbackInfo& info) {
  Arguments arguments(info, "syntheticSample");
  Addon& addon = arguments.addon();
  return enqueuePromise(info.Env(), addon, info.Env().Undefined(), [request = request(arguments)](Runtime& r, Completion& completion) {
    std::shared_ptr<Codes> codes = sharedCodes();
    request.run(r, codes.get());
    completion.result = [codes](Napi::Env env) -> Napi::Value { return codesObject(env, *codes); };
  });
}

}  // namespace

void addSynthetic(Napi::Env env, Napi::Object exports) {
  addOperation(env, exports, "syntheticCreate", syntheticCreate);
  addOperation(env, exports, "syntheticFill", syntheticFill);
  addOperation(env, exports, "syntheticSample", syntheticSample);
}

}  // namespace monosem
