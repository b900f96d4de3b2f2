// Draws samples: what decides is computed in integers and doubles; vectors only find which features are worth a closer look.
#include "synthetic.h"

#include <math.h>
#include <stdlib.h>

#include "philox.h"
#include "simd.h"

namespace monosem {
namespace MONOSEM_ISA {
namespace {

enum Purpose : uint32_t { kFactors = 0, kResidual = 1, kMagnitude = 2 };
constexpr double kFactorScale = 1024, kCommonUnit = 1.0 / (1 << 25);
constexpr int kSamplesPerTask = 32;

// ---- normal numbers: the same algorithm as src/kernels/normal-quantile.ts ----

double polynomial(const double (&c)[8], double x) {
  double sum = 0;
  for (int i = 7; i >= 0; i--) sum = sum * x + c[i];
  return sum;
}

double normalQuantile(double p) {
  static const double a[8] = {3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987, 67265.7709270087, 33430.57558358813, 2509.0809287301227};
  static const double b[8] = {1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271, 28729.085735721943, 5226.495278852546};
  static const double c[8] = {1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684, 0.2417807251774506, 0.022723844989269184, 0.0007745450142783414};
  static const double d[8] = {1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457, 0.0005475938084995345, 1.0507500716444169e-9};
  static const double e[8] = {6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124, 0.0012426609473880784, 0.000027115555687434876, 2.0103343992922881e-7};
  static const double f[8] = {1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133, 0.000018463183175100548, 1.421511758316446e-7, 2.0442631033899397e-15};
  double q = p - 0.5;
  if (fabs(q) <= 0.425) {
    double r = 0.180625 - q * q;
    return q * (polynomial(a, r) / polynomial(b, r));
  }
  double tail = q < 0 ? p : 1 - p;
  double r = sqrt(-log(tail));
  double size = r <= 5 ? polynomial(c, r - 1.6) / polynomial(d, r - 1.6) : polynomial(e, r - 5) / polynomial(f, r - 5);
  return q < 0 ? -size : size;
}

double normalOf(uint32_t word) { return normalQuantile((word + 0.5) / 4294967296.0); }

// ---- one sample ----

struct Active {
  int32_t id;
  float value;
};

// A feature that was drawn, its value, and its own words.
struct Drawn {
  int32_t id;
  double value;
  PhiloxWords own;
};

// A feature without a parent that is worth a closer look.
struct Promising {
  int32_t id, common;
  uint32_t word;
};

// Rows and records come from far away: they are asked for as soon as it is known that they will be read.
inline void prefetch(const void* data, int64_t bytes) {
  for (int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(static_cast<const char*>(data) + at, 0, 2);
}

// Ascending by id; few, and nearly in order.
void sort(Active* items, int count) {
  for (int i = 1; i < count; i++) {
    Active moved = items[i];
    int j = i;
    for (; j > 0 && items[j - 1].id > moved.id; j--) items[j] = items[j - 1];
    items[j] = moved;
  }
}

// A growing list; kernels use no exceptions and no library containers.
template <class T>
struct List {
  T* items = nullptr;
  int count = 0, capacity = 0;
  ~List() { free(items); }
  void push(T item) {
    if (count == capacity) {
      capacity = capacity ? 2 * capacity : 64;
      items = static_cast<T*>(realloc(items, sizeof(T) * capacity));
    }
    items[count++] = item;
  }
};

struct Sampler {
  const SyntheticLaw& law;
  PhiloxKey key;
  uint32_t low, high;  // the sample's number
  int16_t factors[kLargestRank];
  List<Active>& active;        // of all samples so far
  List<Promising> promising;
  List<Drawn> queue;       // active features of this sample, parents before children
  List<Drawn> candidates;  // of one parent
  // The last block of residual words: siblings often share one.
  uint32_t block = 0;
  bool hasBlock = false;
  PhiloxWords words;

  Sampler(const SyntheticLaw& l, uint64_t seed, List<Active>& found) : law(l), key{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)}, active(found) {}

  PhiloxWords wordsOf(uint32_t purpose, uint32_t counter) const { return philox(counter, low, high, purpose, key); }

  void begin(uint64_t sample) {
    low = static_cast<uint32_t>(sample);
    high = static_cast<uint32_t>(sample >> 32);
    hasBlock = false;
    promising.count = queue.count = 0;
    PhiloxWords four;
    for (int r = 0; r < 2 * law.pairs; r++) {
      if (r % 4 == 0) four = wordsOf(kFactors, r / 4);
      factors[r] = r < law.rank ? static_cast<int16_t>(floor(normalOf(four.word[r % 4]) * kFactorScale + 0.5)) : 0;
    }
  }

  uint32_t residualWord(int id) {
    uint32_t wanted = static_cast<uint32_t>(id) / 4;
    if (!hasBlock || block != wanted) words = wordsOf(kResidual, block = wanted), hasBlock = true;
    return words.word[id % 4];
  }

  int32_t commonOf(const SyntheticFeature& feature) const {
    const int16_t* loadings = feature.loadings();
    int32_t common = 0;
    for (int r = 0; r < 2 * law.pairs; r++) common += static_cast<int32_t>(loadings[r]) * factors[r];
    return common;
  }

  static bool isDrawn(const SyntheticFeature& feature, int32_t common, uint32_t word) {
    return feature.residual * normalOf(word) + common * kCommonUnit > feature.threshold;
  }

  static double magnitude(const SyntheticFeature& feature, const PhiloxWords& own) { return feature.mean + feature.std * normalOf(own.word[0]); }

  void activate(const Drawn& feature) {
    queue.push(feature);
    int64_t row = static_cast<int64_t>(law.d) * feature.id;
    if (law.directions.half) prefetch(law.directions.half + row, sizeof(uint16_t) * law.d);
    else prefetch(law.directions.full + row, sizeof(float) * law.d);
    int from = law.childOffsets[feature.id], to = law.childOffsets[feature.id + 1];
    if (from < to) prefetch(&featureOf(law, law.childIds[from]), static_cast<int64_t>(to - from) * law.stride);
  }

  void tryRoot(const Promising& root) {
    const SyntheticFeature& feature = featureOf(law, root.id);
    if (!isDrawn(feature, root.common, root.word)) return;
    PhiloxWords own = wordsOf(kMagnitude, root.id);
    double value = magnitude(feature, own);
    if (value > 0) activate({root.id, value, own});
  }

  // The children of an active feature.
  void tryChildren(const Drawn& parent) {
    int from = law.childOffsets[parent.id], to = law.childOffsets[parent.id + 1];
    if (from == to) return;
    double factor = law.scaled ? parent.value / featureOf(law, parent.id).mean : 1;
    candidates.count = 0;
    for (int i = from; i < to; i++) {
      int child = law.childIds[i];
      const SyntheticFeature& feature = featureOf(law, child);
      if (!isDrawn(feature, commonOf(feature), residualWord(child))) continue;
      PhiloxWords own = wordsOf(kMagnitude, child);
      double size = magnitude(feature, own);
      if (size > 0) candidates.push({child, size * factor, own});
    }
    int first = 0, end = candidates.count;
    if (law.exclusive && end > 0) {
      first = static_cast<int>(static_cast<uint64_t>(parent.own.word[1]) * end >> 32);
      end = first + 1;
    }
    for (int i = first; i < end; i++) activate(candidates.items[i]);
  }

  void scanGroup(int group);

  // Appends the active features of a sample, ascending.
  void draw(uint64_t sample) {
    begin(sample);
    for (int group = 0; group < law.groups; group++) scanGroup(group);
    for (int i = 0; i < promising.count; i++) tryRoot(promising.items[i]);
    for (int i = 0; i < queue.count; i++) {
      Drawn parent = queue.items[i];  // the list may move
      tryChildren(parent);
    }
    int first = active.count;
    for (int i = 0; i < queue.count; i++) active.push({queue.items[i].id, static_cast<float>(queue.items[i].value)});
    sort(active.items + first, queue.count);
  }
};

// ---- features without a parent, 64 at a time ----

// A vector of 64-bit lanes; Philox keeps its words in their lower halves, whatever the upper halves hold.
typedef uint64_t vw __attribute__((vector_size(VL * 4)));
constexpr int kLanes = VL / 2;

// Products of the lower halves.
inline __attribute__((always_inline)) vw multiplyLower(vw a, vw b) {
#if defined(__AVX512F__)
  return reinterpret_cast<vw>(_mm512_mul_epu32(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<vw>(_mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__SSE2__)
  return reinterpret_cast<vw>(_mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
  return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

inline __attribute__((always_inline)) void storeLower(uint32_t* out, vw v) {
#if defined(__AVX512F__)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_cvtepi64_epi32(reinterpret_cast<__m512i>(v)));
#else
  for (int i = 0; i < kLanes; i++) out[i] = static_cast<uint32_t>(v[i]);
#endif
}

// words[64]: 16 blocks, word after word
inline void philoxGroup(uint32_t* words, const uint32_t* blocks, uint32_t c1, uint32_t c2, uint32_t c3, PhiloxKey key) {
  const vw m0 = vw{} + kPhiloxM0, m1 = vw{} + kPhiloxM1;
  for (int first = 0; first < kSyntheticBlocks; first += kLanes) {
    vw a, b = vw{} + c1, c = vw{} + c2, d = vw{} + c3, k0 = vw{} + key.k0, k1 = vw{} + key.k1;
    for (int i = 0; i < kLanes; i++) a[i] = blocks[first + i];
    for (int round = 0; round < kPhiloxRounds; round++) {
      vw p0 = multiplyLower(a, m0), p1 = multiplyLower(c, m1);
      a = (p1 >> 32) ^ b ^ k0;
      c = (p0 >> 32) ^ d ^ k1;
      b = p1;
      d = p0;
      k0 += kPhiloxW0;
      k1 += kPhiloxW1;
    }
    storeLower(words + first, a);
    storeLower(words + 16 + first, b);
    storeLower(words + 32 + first, c);
    storeLower(words + 48 + first, d);
  }
}

// common[64] = sum over factors of loading * factor
inline void commonOfGroup(int32_t* common, const int16_t* loadings, const int16_t* factors, int pairs) {
#if defined(__AVX512BW__)
  __m512i sum[4] = {};
  for (int p = 0; p < pairs; p++, loadings += 2 * kSyntheticGroup) {
    int32_t both;
    memcpy(&both, factors + 2 * p, 4);
    __m512i u = _mm512_set1_epi32(both);
    for (int v = 0; v < 4; v++) {
      __m512i l = _mm512_loadu_si512(loadings + 32 * v);
#if defined(__AVX512VNNI__)
      sum[v] = _mm512_dpwssd_epi32(sum[v], l, u);
#else
      sum[v] = _mm512_add_epi32(sum[v], _mm512_madd_epi16(l, u));
#endif
    }
  }
  for (int v = 0; v < 4; v++) _mm512_storeu_si512(common + 16 * v, sum[v]);
#else
  for (int i = 0; i < kSyntheticGroup; i++) common[i] = 0;
  for (int p = 0; p < pairs; p++, loadings += 2 * kSyntheticGroup)
    for (int i = 0; i < kSyntheticGroup; i++) common[i] += loadings[2 * i] * factors[2 * p] + loadings[2 * i + 1] * factors[2 * p + 1];
#endif
}

// One bit for each of VL features that may be drawn. With q = 1 - (word + 1/2) / 2^32, a residual e is below sqrt(-2 ln 2q) where q < 1/2
// (Chernoff), and not positive elsewhere. So a feature can only be drawn where its gap = threshold - common is negative, or
// gap^2 < residual^2 * -2 ln 2q. log2 is bounded from below by the chord that an fp32's bits are.
inline __attribute__((always_inline)) uint32_t promisingMask(const float* thresholds, const float* reach, const int32_t* common, const uint32_t* word) {
  vi words, commons;
  memcpy(&words, word, sizeof words);
  memcpy(&commons, common, sizeof commons);
  vi half = ~words;
  half = (half >> 1) & 0x7fffffff;
  vf q = __builtin_convertvector(half, vf) + splat(0.25f);  // in units of 2^-31, rounded down
  vf log2 = __builtin_convertvector(reinterpret_cast<vi>(q), vf) * splat(1.0f / (1 << 23)) - splat(157.0f);
  vf gap = maximum(load(thresholds) - __builtin_convertvector(commons, vf) * splat(static_cast<float>(kCommonUnit)), vf{});
  return greaterMask(load(reach) * maximum(splat(0.001f) - log2, splat(1e-20f)), gap * gap);
}

void Sampler::scanGroup(int group) {
  alignas(64) uint32_t word[kSyntheticGroup];
  alignas(64) int32_t common[kSyntheticGroup];
  const uint32_t* blocks = law.blocks + group * kSyntheticBlocks;
  philoxGroup(word, blocks, low, high, kResidual, key);
  commonOfGroup(common, law.groupLoadings + static_cast<int64_t>(group) * law.pairs * 2 * kSyntheticGroup, factors, law.pairs);
  const float* thresholds = law.groupThresholds + group * kSyntheticGroup;
  const float* reach = law.groupReach + group * kSyntheticGroup;
  for (int part = 0; part < kSyntheticGroup; part += VL)
    for (uint32_t mask = promisingMask(thresholds + part, reach + part, common + part, word + part); mask; mask &= mask - 1) {
      int lane = part + __builtin_ctz(mask);
      int id = 4 * static_cast<int>(blocks[lane % kSyntheticBlocks]) + lane / kSyntheticBlocks;
      prefetch(&featureOf(law, id), sizeof(SyntheticFeature));
      promising.push({id, common[lane], word[lane]});
    }
}

// x += sum of value * row, four rows at a time
template <class Element>
void addRows(float* x, const Element* directions, int d, const Active* active, int count) {
  auto row = [&](int i) { return directions + static_cast<int64_t>(d) * active[i].id; };
  int i = 0;
  for (; i + 4 <= count; i += 4) {
    const Element *r0 = row(i), *r1 = row(i + 1), *r2 = row(i + 2), *r3 = row(i + 3);
    float v0 = active[i].value, v1 = active[i + 1].value, v2 = active[i + 2].value, v3 = active[i + 3].value;
    int c = 0;
    for (; c + VL <= d; c += VL) store(x + c, (load(x + c) + v0 * load(r0 + c)) + v1 * load(r1 + c) + v2 * load(r2 + c) + v3 * load(r3 + c));
    for (; c < d; c++) x[c] = (x[c] + v0 * widened(r0[c])) + v1 * widened(r1[c]) + v2 * widened(r2[c]) + v3 * widened(r3[c]);
  }
  for (; i < count; i++) {
    const Element* r = row(i);
    float v = active[i].value;
    int c = 0;
    for (; c + VL <= d; c += VL) store(x + c, load(x + c) + v * load(r + c));
    for (; c < d; c++) x[c] += v * widened(r[c]);
  }
}

void addDirections(const SyntheticLaw& law, float* x, const Active* active, int count) {
  memcpy(x, law.bias, sizeof(float) * law.d);
  if (law.directions.half) addRows(x, law.directions.half, law.d, active, count);
  else addRows(x, law.directions.full, law.d, active, count);
}

// What one task found: sample i of it owns entries ends[i] .. ends[i + 1] - 1.
struct Found {
  List<Active> active;
  int ends[kSamplesPerTask + 1];
};

void gather(Codes& codes, const Found* found, int tasks, int n) {
  int64_t total = 0;
  for (int task = 0; task < tasks; task++) total += found[task].active.count;
  allocateCodes(codes, n, total);
  int64_t at = 0;
  codes.rowOffsets[0] = 0;
  for (int i = 0; i < n; i++) {
    const Found& own = found[i / kSamplesPerTask];
    for (int k = own.ends[i % kSamplesPerTask]; k < own.ends[i % kSamplesPerTask + 1]; k++, at++) {
      codes.featureIds[at] = own.active.items[k].id;
      codes.values[at] = own.active.items[k].value;
    }
    codes.rowOffsets[i + 1] = static_cast<int32_t>(at);
  }
}

}  // namespace

void syntheticSample(const Context& context, const SyntheticLaw& law, uint64_t seed, uint64_t offset, int n, float* x, Codes* codes) {
  int tasks = (n + kSamplesPerTask - 1) / kSamplesPerTask;
  Found* found = new Found[tasks];
  parallelFor(context, tasks, [&](int task, int) {
    Found& own = found[task];
    Sampler sampler(law, seed, own.active);
    int first = task * kSamplesPerTask, count = first + kSamplesPerTask < n ? kSamplesPerTask : n - first;
    own.ends[0] = 0;
    for (int i = 0; i < count; i++) {
      sampler.draw(offset + first + i);
      own.ends[i + 1] = own.active.count;
      addDirections(law, x + static_cast<int64_t>(first + i) * law.d, own.active.items + own.ends[i], own.ends[i + 1] - own.ends[i]);
    }
  });
  if (codes) gather(*codes, found, tasks, n);
  delete[] found;
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
