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

// A child that was drawn, its magnitude, and its own words.
struct Candidate {
  int32_t id;
  double value;
  PhiloxWords own;
};

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
  List<Active> active;
  List<Candidate> candidates;  // a stack: those of a feature lie above those of its ancestors
  // The last block of residual words: siblings often share one.
  uint32_t block = 0;
  bool hasBlock = false;
  PhiloxWords words;

  Sampler(const SyntheticLaw& l, uint64_t seed) : law(l), key{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)} {}

  PhiloxWords draw(uint32_t purpose, uint32_t counter) const { return philox(counter, low, high, purpose, key); }

  void begin(uint64_t sample) {
    low = static_cast<uint32_t>(sample);
    high = static_cast<uint32_t>(sample >> 32);
    active.count = 0;
    hasBlock = false;
    PhiloxWords four;
    for (int r = 0; r < 2 * law.pairs; r++) {
      if (r % 4 == 0) four = draw(kFactors, r / 4);
      factors[r] = r < law.rank ? static_cast<int16_t>(floor(normalOf(four.word[r % 4]) * kFactorScale + 0.5)) : 0;
    }
  }

  uint32_t residualWord(int id) {
    uint32_t wanted = static_cast<uint32_t>(id) / 4;
    if (!hasBlock || block != wanted) words = draw(kResidual, block = wanted), hasBlock = true;
    return words.word[id % 4];
  }

  bool isDrawn(int id, uint32_t word) const {
    const int16_t* loadings = law.loadings + static_cast<int64_t>(id) * law.rank;
    int32_t common = 0;
    for (int r = 0; r < law.rank; r++) common += static_cast<int32_t>(loadings[r]) * factors[r];
    return law.residuals[id] * normalOf(word) + common * kCommonUnit > law.thresholds[id];
  }

  double magnitude(int id, const PhiloxWords& own) const { return law.means[id] + law.stds[id] * normalOf(own.word[0]); }

  // A feature is active: so are those of its children that win.
  void activate(int id, double value, const PhiloxWords& own) {
    active.push({id, static_cast<float>(value)});
    int from = law.childOffsets[id], to = law.childOffsets[id + 1];
    if (from == to) return;
    double factor = law.scaled ? value / law.means[id] : 1;
    int bottom = candidates.count;
    for (int i = from; i < to; i++) {
      int child = law.childIds[i];
      if (!isDrawn(child, residualWord(child))) continue;
      PhiloxWords drawn = draw(kMagnitude, child);
      double size = magnitude(child, drawn);
      if (size > 0) candidates.push({child, size * factor, drawn});
    }
    int first = bottom, end = candidates.count;
    if (law.exclusive && end > bottom) {
      first += static_cast<int>(static_cast<uint64_t>(own.word[1]) * (end - bottom) >> 32);
      end = first + 1;
    }
    for (int i = first; i < end; i++) {
      Candidate winner = candidates.items[i];
      activate(winner.id, winner.value, winner.own);
    }
    candidates.count = bottom;
  }

  // A feature without a parent, worth a closer look.
  void tryRoot(int id, uint32_t word) {
    if (!isDrawn(id, word)) return;
    PhiloxWords own = draw(kMagnitude, id);
    double value = magnitude(id, own);
    if (value > 0) activate(id, value, own);
  }

  void scanGroup(int group);
  void sort();
  void add(float* x) const;
};

// ---- features without a parent, 64 at a time ----

// words[64]: 16 blocks, word after word
inline void philoxGroup(uint32_t* words, const uint32_t* blocks, uint32_t c1, uint32_t c2, uint32_t c3, PhiloxKey key) {
  alignas(64) uint32_t a[kSyntheticBlocks], b[kSyntheticBlocks], c[kSyntheticBlocks], d[kSyntheticBlocks];
  for (int i = 0; i < kSyntheticBlocks; i++) {
    a[i] = blocks[i];
    b[i] = c1;
    c[i] = c2;
    d[i] = c3;
  }
  for (int round = 0; round < kPhiloxRounds; round++) {
    for (int i = 0; i < kSyntheticBlocks; i++) {
      uint32_t high0 = static_cast<uint32_t>((static_cast<uint64_t>(kPhiloxM0) * a[i]) >> 32), low0 = kPhiloxM0 * a[i];
      uint32_t high1 = static_cast<uint32_t>((static_cast<uint64_t>(kPhiloxM1) * c[i]) >> 32), low1 = kPhiloxM1 * c[i];
      a[i] = high1 ^ b[i] ^ key.k0;
      c[i] = high0 ^ d[i] ^ key.k1;
      b[i] = low1;
      d[i] = low0;
    }
    key.k0 += kPhiloxW0;
    key.k1 += kPhiloxW1;
  }
  memcpy(words, a, sizeof a);
  memcpy(words + 16, b, sizeof b);
  memcpy(words + 32, c, sizeof c);
  memcpy(words + 48, d, sizeof d);
}

// common[64] = sum over factors of loading * factor
inline void commonOf(int32_t* common, const int16_t* loadings, const int16_t* factors, int pairs) {
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

// With q = 1 - (word + 1/2) / 2^32, a residual e is below sqrt(-2 ln 2q) (Chernoff) where q < 1/2, and not positive elsewhere. So a feature can only be
// drawn where its gap = threshold - common is negative, or gap^2 < residual^2 * -2 ln 2q. log2 is bounded from below by the chord that an fp32's bits are.
inline bool isPromising(float gap, float reach, uint32_t word) {
  uint32_t bits;
  float q = static_cast<float>(static_cast<int32_t>(~word >> 1)) + 0.25f;  // in units of 2^-31, rounded down
  memcpy(&bits, &q, 4);
  float log2 = static_cast<float>(static_cast<int32_t>(bits)) * (1.0f / (1 << 23)) - 157.0f;
  return (gap < 0) | (gap * gap < reach * (0.001f - log2));
}

void Sampler::scanGroup(int group) {
  alignas(64) uint32_t word[kSyntheticGroup];
  alignas(64) int32_t common[kSyntheticGroup];
  alignas(64) uint8_t promising[kSyntheticGroup];
  const uint32_t* blocks = law.blocks + group * kSyntheticBlocks;
  philoxGroup(word, blocks, low, high, kResidual, key);
  commonOf(common, law.groupLoadings + static_cast<int64_t>(group) * law.pairs * 2 * kSyntheticGroup, factors, law.pairs);
  const float* thresholds = law.groupThresholds + group * kSyntheticGroup;
  const float* reach = law.groupReach + group * kSyntheticGroup;
  for (int i = 0; i < kSyntheticGroup; i++) promising[i] = isPromising(thresholds[i] - static_cast<float>(common[i]) * static_cast<float>(kCommonUnit), reach[i], word[i]);
  for (int part = 0; part < kSyntheticGroup; part += 8) {
    uint64_t eight;
    memcpy(&eight, promising + part, 8);
    if (!eight) continue;
    for (int i = part; i < part + 8; i++)
      if (promising[i]) tryRoot(4 * static_cast<int>(blocks[i % kSyntheticBlocks]) + i / kSyntheticBlocks, word[i]);
  }
}

// Ascending by id; few, and nearly in order.
void Sampler::sort() {
  Active* items = active.items;
  for (int i = 1; i < active.count; i++) {
    Active moved = items[i];
    int j = i;
    for (; j > 0 && items[j - 1].id > moved.id; j--) items[j] = items[j - 1];
    items[j] = moved;
  }
}

void Sampler::add(float* x) const {
  int64_t d = law.d;
  memcpy(x, law.bias, sizeof(float) * d);
  int i = 0;
  for (; i + 4 <= active.count; i += 4) {
    const float* rows[4];
    float values[4];
    for (int r = 0; r < 4; r++) {
      rows[r] = law.directions + d * active.items[i + r].id;
      values[r] = active.items[i + r].value;
    }
    axpy4(x, values, rows[0], rows[1], rows[2], rows[3], law.d);
  }
  for (; i < active.count; i++) axpy(x, active.items[i].value, law.directions + d * active.items[i].id, law.d);
}

}  // namespace

void syntheticSample(const Context& context, const SyntheticLaw& law, uint64_t seed, uint64_t offset, int n, float* x, Codes* codes) {
  int tasks = (n + kSamplesPerTask - 1) / kSamplesPerTask;
  List<Active>* found = codes ? new List<Active>[tasks] : nullptr;
  List<int32_t> counts;
  for (int i = 0; codes && i < n; i++) counts.push(0);
  parallelFor(context, tasks, [&](int task, int) {
    Sampler sampler(law, seed);
    int end = (task + 1) * kSamplesPerTask < n ? (task + 1) * kSamplesPerTask : n;
    for (int i = task * kSamplesPerTask; i < end; i++) {
      sampler.begin(offset + i);
      for (int group = 0; group < law.groups; group++) sampler.scanGroup(group);
      sampler.sort();
      sampler.add(x + static_cast<int64_t>(i) * law.d);
      if (!codes) continue;
      counts.items[i] = sampler.active.count;
      for (int k = 0; k < sampler.active.count; k++) found[task].push(sampler.active.items[k]);
    }
  });
  if (!codes) return;
  int64_t total = 0;
  for (int task = 0; task < tasks; task++) total += found[task].count;
  allocateCodes(*codes, n, total);
  codes->rowOffsets[0] = 0;
  for (int i = 0; i < n; i++) codes->rowOffsets[i + 1] = codes->rowOffsets[i] + counts.items[i];
  int64_t at = 0;
  for (int task = 0; task < tasks; task++)
    for (int k = 0; k < found[task].count; k++, at++) {
      codes->featureIds[at] = found[task].items[k].id;
      codes->values[at] = found[task].items[k].value;
    }
  delete[] found;
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
