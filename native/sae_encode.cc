// Encoding: which (row, feature) pairs matter, and their pre-activations in fp32. A scan in the precision of the packed weights finds
// candidates; below fp32 each candidate is computed again exactly, so precision decides only how few candidates are missed.
#include <algorithm>
#include <stdlib.h>

#include "gemm.h"
#include "sae_exchange.h"
#include "sae_scan.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

constexpr int kMaxPanels = 16;        // row panels per task: their rows stay in L2 while all features pass
constexpr float kDeviations = 4;      // candidates of a cut may be off by so many standard deviations
constexpr int kExtraBf16 = 8, kExtraInt8 = 16;  // candidates of a top k beyond k

struct Candidate {
  int32_t row, id;
  float value;
};

// A growing list, one per worker, emptied for every task.
struct Found {
  Candidate* items = nullptr;
  int64_t count = 0, capacity = 0;
  void push(int32_t row, int32_t id, float value) {
    if (count == capacity) {
      capacity = capacity ? capacity * 2 : 4096;
      items = static_cast<Candidate*>(realloc(items, sizeof(Candidate) * capacity));
      if (!items) abort();
    }
    items[count++] = {row, id, value};
  }
};

// The `keep` largest of a stream of positive values.
struct TopK {
  uint64_t* keys;
  int count, capacity, keep;
  float threshold;  // candidates must be above it
  void push(int32_t id, float value) {
    if (count == capacity) compact();
    if (value > threshold) keys[count++] = keyOf(value, id);
  }
  void compact() {
    if (count <= keep) return;
    largestFirst(keep);
    count = keep;
    threshold = valueOfKey(keys[keep - 1]);
  }
  // The k largest come first, the k-th of them last.
  void largestFirst(int k) {
    std::nth_element(keys, keys + k - 1, keys + count, [](uint64_t a, uint64_t b) { return a > b; });
  }
};

// What one task found, rows ascending, ids ascending within a row.
struct TaskCodes {
  int32_t* ids = nullptr;
  float* values = nullptr;
};

struct Encoding {
  ScanJob job;
  SaeForm form;
  const float *cut, *centred, *wEnc;
  int panelsPerTask, panels;
  bool rescoreLater;  // topk over ranks: what is found are candidates, see rescoreOverRanks

  float exactly(int row, int32_t id) const {
    return dot(centred + static_cast<size_t>(row) * job.d, wEnc + static_cast<size_t>(id) * job.d, job.d) + job.bEnc[id];
  }
  void prefetch(int32_t id) const {
    const float* row = wEnc + static_cast<size_t>(id) * job.d;
    for (int i = 0; i < job.d; i += 16) __builtin_prefetch(row + i, 0, 2);
  }
  int32_t idOf(int index) const { return job.features.ids ? job.features.ids[index] : index; }
};

// By how much, per unit of a weight's error, two approximate values of a row may be in the wrong order.
float doubtOf(const Encoding& e, int row) { return 2 * kDeviations * e.job.rowError[row]; }

constexpr int kAhead = 8;  // weights are spread over memory: they are fetched so many candidates before they are needed

// Computes a row's candidates again in fp32, but those only that may be among the k largest.
void rescore(const Encoding& e, int row, TopK& top, int k) {
  float least = -__builtin_inff(), doubt = doubtOf(e, row);
  if (top.count > k) {
    top.largestFirst(k);
    least = valueOfKey(top.keys[k - 1]);
  }
  int kept = 0;
  for (int i = 0; i < top.count; i++) {
    uint64_t key = top.keys[i];
    if (valueOfKey(key) >= least - doubt * e.job.weightError[idOfKey(key)]) top.keys[kept++] = key;
  }
  for (int i = 0; i < kAhead && i < kept; i++) e.prefetch(idOfKey(top.keys[i]));
  top.count = 0;
  for (int i = 0; i < kept; i++) {
    if (i + kAhead < kept) e.prefetch(idOfKey(top.keys[i + kAhead]));
    int32_t id = idOfKey(top.keys[i]);
    float value = e.exactly(row, id);
    if (value > 0) top.keys[top.count++] = keyOf(value, id);
  }
  top.keep = k;
}

template <SaePrecision precision>
void findTopK(const Encoding& e, int panel0, int panel1, void* scratch, Found& found) {
  int row0 = panel0 * MR, rows = (panel1 * MR < e.job.n ? panel1 * MR : e.job.n) - row0;
  int k = e.form.k < e.job.features.count ? e.form.k : e.job.features.count;
  int keep = k + (precision == kFp32 ? 0 : precision == kBf16Panels ? kExtraBf16 : kExtraInt8), capacity = 3 * keep + 32;
  TopK* tops = static_cast<TopK*>(scratch);
  uint64_t* keys = reinterpret_cast<uint64_t*>(tops + rows);
  for (int r = 0; r < rows; r++) tops[r] = {keys + static_cast<size_t>(r) * capacity, 0, capacity, keep, 0.0f};
  scanPairs<precision>(e.job, panel0, panel1, [&](int row, int) { return splat(tops[row - row0].threshold); },
                       [&](int row, int index, float value) { tops[row - row0].push(e.idOf(index), value); });
  for (int r = 0; r < rows; r++) {
    TopK& top = tops[r];
    if (precision != kFp32 && !e.rescoreLater) rescore(e, row0 + r, top, k);
    top.compact();
    std::sort(top.keys, top.keys + top.count, [](uint64_t a, uint64_t b) { return static_cast<uint32_t>(a) > static_cast<uint32_t>(b); });
    for (int i = 0; i < top.count; i++) found.push(row0 + r, idOfKey(top.keys[i]), valueOfKey(top.keys[i]));
  }
}

template <SaePrecision precision>
void findAboveCut(const Encoding& e, int panel0, int panel1, Found& found) {
  const float* cut = e.cut;
  scanPairs<precision>(e.job, panel0, panel1,
                       [&](int row, int index) {
                         vf limit = load(cut + index);
                         return precision == kFp32 ? limit : limit - (kDeviations * e.job.rowError[row]) * load(e.job.weightError + index);
                       },
                       [&](int row, int index, float value) {
                         int32_t id = e.idOf(index);
                         if (precision != kFp32) {
                           value = e.exactly(row, id);
                           if (!(value > cut[index])) return;
                         }
                         found.push(row, id, value);
                       });
}

template <SaePrecision precision>
void findTask(const Encoding& e, int panel0, int panel1, void* scratch, Found& found) {
  if (e.form.kind == kTopK) findTopK<precision>(e, panel0, panel1, scratch, found);
  else findAboveCut<precision>(e, panel0, panel1, found);
}

// Found pairs arrive by feature: puts them in row order. counts [rows] is left with how many each row has.
TaskCodes sortByRow(const Found& found, int row0, int rows, int32_t* counts) {
  TaskCodes codes{static_cast<int32_t*>(malloc(sizeof(int32_t) * (found.count + 1))), static_cast<float*>(malloc(sizeof(float) * (found.count + 1)))};
  if (!codes.ids || !codes.values) abort();
  int64_t next[kMaxPanels * MR];
  for (int r = 0; r < rows; r++) counts[r] = 0;
  for (int64_t i = 0; i < found.count; i++) counts[found.items[i].row - row0]++;
  int64_t total = 0;
  for (int r = 0; r < rows; r++) {
    next[r] = total;
    total += counts[r];
  }
  for (int64_t i = 0; i < found.count; i++) {
    const Candidate& c = found.items[i];
    int64_t at = next[c.row - row0]++;
    codes.ids[at] = c.id;
    codes.values[at] = c.value;
  }
  return codes;
}

// Runs the tasks of row panels panel0 .. e.panels - 1 and joins what they find.
void findAll(const Context& context, const Encoding& e, Codes& codes) {
  int n = e.job.n, tasks = ceilDiv(e.panels, e.panelsPerTask), rowsPerTask = e.panelsPerTask * MR, threads = poolThreads(context.pool);
  int keep = e.form.kind == kTopK ? e.form.k + kExtraInt8 : 0;
  size_t rowScratch = (sizeof(TopK) + sizeof(uint64_t) * (3 * static_cast<size_t>(keep) + 32)) * rowsPerTask;
  Found* found = static_cast<Found*>(calloc(threads, sizeof(Found)));
  TaskCodes* parts = static_cast<TaskCodes*>(calloc(tasks, sizeof(TaskCodes)));
  int32_t* offsets = static_cast<int32_t*>(calloc(static_cast<size_t>(n) + 1, sizeof(int32_t)));
  if (!found || !parts || !offsets) abort();
  parallelFor(context, tasks, [&](int task, int worker) {
    int panel0 = task * e.panelsPerTask, panel1 = panel0 + e.panelsPerTask < e.panels ? panel0 + e.panelsPerTask : e.panels;
    void* scratch = e.form.kind == kTopK ? scratchBytes(context.scratch, kSlotPerWorker + worker, rowScratch) : nullptr;
    found[worker].count = 0;
    if (e.job.precision == kFp32) findTask<kFp32>(e, panel0, panel1, scratch, found[worker]);
    if (e.job.precision == kBf16Panels) findTask<kBf16Panels>(e, panel0, panel1, scratch, found[worker]);
    if (e.job.precision == kInt8Panels) findTask<kInt8Panels>(e, panel0, panel1, scratch, found[worker]);
    int row0 = panel0 * MR, rows = (panel1 * MR < n ? panel1 * MR : n) - row0;
    parts[task] = sortByRow(found[worker], row0, rows, offsets + 1 + row0);
  });
  for (int i = 0; i < threads; i++) free(found[i].items);
  free(found);
  for (int r = 0; r < n; r++) offsets[r + 1] += offsets[r];
  allocateCodes(codes, n, offsets[n]);
  memcpy(codes.rowOffsets, offsets, sizeof(int32_t) * (static_cast<size_t>(n) + 1));
  free(offsets);
  parallelFor(context, tasks, [&](int task, int) {
    int row0 = task * rowsPerTask, row1 = row0 + rowsPerTask < n ? row0 + rowsPerTask : n;
    int64_t first = codes.rowOffsets[row0], count = codes.rowOffsets[row1] - first;
    memcpy(codes.featureIds + first, parts[task].ids, sizeof(int32_t) * count);
    memcpy(codes.values + first, parts[task].values, sizeof(float) * count);
    free(parts[task].ids);
    free(parts[task].values);
  });
  free(parts);
}

// Few enough rows for L2, and tasks in whole rounds of the threads.
int choosePanelsPerTask(int panels, int threads) {
  if (panels == 0) return 1;  // a rank without rows
  int rounds = ceilDiv(panels, threads * (kMaxPanels * 2 / 3));
  int perTask = ceilDiv(panels, threads * rounds);
  return perTask < 1 ? 1 : perTask;
}

// The value with `rank` larger ones before it; 0 where there are not as many.
float valueAtRank(const Codes& codes, int64_t rank) {
  if (rank >= codes.count) return 0;
  float* values = static_cast<float*>(malloc(sizeof(float) * codes.count));
  if (!values) abort();
  memcpy(values, codes.values, sizeof(float) * codes.count);
  std::nth_element(values, values + rank, values + codes.count, [](float a, float b) { return a > b; });
  float value = values[rank];
  free(values);
  return value;
}

// Keeps the `wanted` largest pairs; among equals the lower (row, id).
void keepLargest(Codes& codes, int64_t wanted) {
  if (codes.count <= wanted) return;
  float threshold = valueAtRank(codes, wanted - 1);
  int64_t ties = wanted;
  for (int64_t i = 0; i < codes.count; i++) ties -= codes.values[i] > threshold;
  filterCodes(codes, [&](int, int i) { return codes.values[i] > threshold || (codes.values[i] == threshold && ties-- > 0); });
}

// A guess of the cut from a few rows, which stand for the batch; every rank gets the same.
float guessFromSample(const Context& context, const Encoding& e, const SaeRanks& ranks) {
  Encoding sample = e;
  sample.panels = e.panels < 8 ? e.panels : 8;
  sample.job.n = sample.panels * MR < e.job.n ? sample.panels * MR : e.job.n;
  sample.panelsPerTask = 1;
  Codes few;
  findAll(context, sample, few);
  // over features: everything above any rank's value is k pairs a row already; over rows: the least, and a rank without rows does not ask for less
  double guess = e.job.n ? valueAtRank(few, static_cast<int64_t>(sample.job.n) * e.form.k) : __builtin_inf();
  releaseCodes(few);
  maxOver(ranks.features, &guess, 1);
  guess = -guess;
  maxOver(ranks.data, &guess, 1);
  return static_cast<float>(-guess);
}

// batchtopk: everything above a guess, lowered until enough is found; then the exact selection, which the guess does not touch.
void findBatchTopK(const Context& context, Encoding& e, float guess, const SaeRanks& ranks, Codes& codes) {
  int64_t wanted = static_cast<int64_t>(ranks.totalRows) * e.form.k;
  int padded = ceilDiv(e.job.features.count, NR) * NR;
  float* cut = scratchArray<float>(context, kSlotSaeCut, padded);
  e.cut = cut;
  if (!(guess > 0)) {
    for (int j = 0; j < padded; j++) cut[j] = 0;
    guess = guessFromSample(context, e, ranks);
  }
  guess *= 0.9f;
  double found = 0;  // over all ranks
  for (int attempt = 0;; attempt++) {
    if (attempt == 4) guess = 0;
    for (int j = 0; j < padded; j++) cut[j] = guess;
    findAll(context, e, codes);
    found = static_cast<double>(codes.count);
    sumOverAll(ranks, &found, 1);
    if (found >= wanted || guess == 0) break;
    releaseCodes(codes);
    guess *= 0.7f;
  }
  if (found <= wanted) return;
  if (ranks.features || ranks.data) keepLargestOfRanks(ranks, wanted, codes);
  else keepLargest(codes, wanted);
}

// Computes the candidates of a row again in fp32; those that cannot be as large as `least` become 0.
void rescoreRow(const Encoding& e, int row, const int32_t* ids, float* values, int count, float least) {
  float doubt = doubtOf(e, row);
  for (int i = 0; i < count; i++)
    if (values[i] < least - doubt * e.job.weightError[ids[i]]) values[i] = 0;
  auto prefetch = [&](int i) {
    if (i < count && values[i] > 0) e.prefetch(ids[i]);
  };
  for (int i = 0; i < kAhead; i++) prefetch(i);
  for (int i = 0; i < count; i++) {
    prefetch(i + kAhead);
    if (values[i] > 0) values[i] = e.exactly(row, ids[i]);
  }
}

// topk over ranks below fp32: each rank has as many candidates as if there were no others. What the k-th largest of all is, but for the
// error of the format, tells it which of them are worth computing.
void rescoreOverRanks(const Context& context, const Encoding& e, const SaeRanks& ranks, Codes& codes) {
  const uint64_t* kth = kthOfRows(context, ranks, e.form.k, codes);
  forRows(context, codes.rows, [&](int row) {
    int first = codes.rowOffsets[row];
    rescoreRow(e, row, codes.featureIds + first, codes.values + first, codes.rowOffsets[row + 1] - first, valueOfKey(kth[row]));
  });
  filterCodes(codes, [&](int, int i) { return codes.values[i] > 0; });
}

// Packs a list of features (or all of them) in fp32 for this call.
const void* packForCall(const Context& context, const float* wEnc, FeatureList features, int d) {
  int panels = ceilDiv(features.count, NR);
  float* packed = scratchArray<float>(context, kSlotSaePackW, static_cast<size_t>(panels) * NR * d);
  parallelFor(context, panels, [&](int p, int) {
    float* panel = packed + static_cast<size_t>(p) * NR * d;
    int first = p * NR, columns = features.count - first < NR ? features.count - first : NR;
    if (!features.ids) return packColumns(panel, wEnc + static_cast<size_t>(first) * d, 1, d, columns, d);
    for (int j = 0; j < NR; j++) {
      const float* row = j < columns ? wEnc + static_cast<size_t>(features.ids[first + j]) * d : nullptr;
      for (int k = 0; k < d; k++) panel[k * NR + j] = row ? row[k] : 0.0f;
    }
  });
  return packed;
}

}  // namespace

void centreRows(const Context& context, float* centred, const float* x, const float* bDec, int n, int d) {
  forRows(context, n, [&](int row) {
    size_t at = static_cast<size_t>(row) * d;
    if (!bDec) memcpy(centred + at, x + at, sizeof(float) * d);
    else
      for (int i = 0; i < d; i++) centred[at + i] = x[at + i] - bDec[i];
  });
}

void encodeSupport(const Context& context, const SaePointers& params, SaeShape shape, const float* centred, FeatureList features, const SaeForm& form,
                   const FeatureConstants& constants, const SaePacked* packed, float runningThreshold, const SaeRanks& ranks, Codes& codes) {
  int n = shape.n, d = shape.d, panels = ceilDiv(n, MR);
  SaePacked inFp32{kFp32, shape.f, d, nullptr, nullptr, nullptr, nullptr};
  PackedRows rows = packBatch(context, centred, n, d, packed ? *packed : inFp32);
  Encoding e{};
  e.job = {context.tiles, rows.precision, rows.panels, packed ? packed->panels : packForCall(context, params.wEnc, features, d), n, d, features, params.bEnc,
           rows.scale, rows.error, packed ? packed->scale : nullptr, packed ? packed->error : nullptr, rows.sum};
  e.form = form;
  e.cut = constants.cut;
  e.centred = centred;
  e.wEnc = params.wEnc;
  e.panels = panels;
  e.panelsPerTask = choosePanelsPerTask(panels, poolThreads(context.pool));
  if (form.kind == kBatchTopK) return findBatchTopK(context, e, runningThreshold, ranks, codes);
  e.rescoreLater = form.kind == kTopK && ranks.features && rows.precision != kFp32;
  findAll(context, e, codes);
  if (e.rescoreLater) rescoreOverRanks(context, e, ranks, codes);
  if (form.kind == kTopK) keepLargestOfRows(context, ranks, form.k, codes);
}

void checkRecall(const Context& context, const SaePointers& params, SaeShape shape, const float* centred, int k, const SaeRanks& ranks, const Codes& codes, int firstRow, int rows, double& checked,
                 double& missed) {
  int f = shape.f, d = shape.d, most = k < f ? k : f;
  uint64_t* keys = scratchArray<uint64_t>(context, kSlotSaePackW, static_cast<size_t>(rows) * f);
  parallelFor(context, ceilDiv(f, 64), [&](int task, int) {
    for (int id = task * 64; id < f && id < task * 64 + 64; id++)
      for (int r = 0; r < rows; r++) {
        float value = dot(centred + static_cast<size_t>(firstRow + r) * d, params.wEnc + static_cast<size_t>(id) * d, d) + params.bEnc[id];
        keys[static_cast<size_t>(r) * f + id] = value > 0 ? keyOf(value, ranks.firstFeature + id) : 0;
      }
  });
  uint64_t* largest = scratchArray<uint64_t>(context, kSlotSaeKeys, static_cast<size_t>(rows) * (k + 1));
  uint64_t* kth = largest + static_cast<size_t>(rows) * k;
  for (int r = 0; r < rows; r++) {
    TopK exact{keys + static_cast<size_t>(r) * f, f, f, most, 0};
    exact.largestFirst(most);
    for (int i = 0; i < k; i++) largest[static_cast<size_t>(r) * k + i] = i < most ? exact.keys[i] : 0;
  }
  kthKeys(context, ranks.features, largest, rows, k, kth);
  for (int r = 0; r < rows; r++) {
    const int32_t *ids = codes.featureIds + codes.rowOffsets[firstRow + r], *end = codes.featureIds + codes.rowOffsets[firstRow + r + 1];
    for (int i = 0; i < most; i++) {
      uint64_t key = largest[static_cast<size_t>(r) * k + i];
      if (key == 0 || key < kth[r]) continue;
      const int32_t* id = ids;
      while (id < end && *id != idOfKey(key) - ranks.firstFeature) id++;
      checked++;
      missed += id == end;
    }
  }
}

void saeEncode(const Context& context, const SaePointers& params, SaeShape shape, const float* x, const SaeForm& form, const SaePacked* packed, const SaeRanks& ranks, Codes& codes) {
  float* centred = scratchArray<float>(context, kSlotSaeCentered, static_cast<size_t>(shape.n) * shape.d);
  centreRows(context, centred, x, form.subtractDecoderBias ? params.bDec : nullptr, shape.n, shape.d);
  FeatureConstants constants = featureConstants(context, params, shape, form, kNoPenalty, 0);
  encodeSupport(context, params, shape, centred, {nullptr, shape.f}, form, constants, packed, 0, ranks, codes);
  // what is in the support without being active (a closed magnitude path of gated) goes
  float* values = activationsOf(context, codes, form, params, constants);
  if (values != codes.values) free(codes.values);
  codes.values = values;
  filterCodes(codes, [&](int, int i) { return values[i] > 0; });
}

void saeEncodeFeatures(const Context& context, float* out, const SaePointers& params, SaeShape shape, const float* x, const int32_t* ids, int count, const SaeForm& form) {
  int n = shape.n, d = shape.d;
  float* centred = scratchArray<float>(context, kSlotSaeCentered, static_cast<size_t>(n) * d);
  centreRows(context, centred, x, form.subtractDecoderBias ? params.bDec : nullptr, n, d);
  FeatureConstants constants = featureConstants(context, params, shape, form, kNoPenalty, 0);
  float* rows = scratchArray<float>(context, kSlotSaePackW, static_cast<size_t>(count) * (d + 1));
  float* bias = rows + static_cast<size_t>(count) * d;
  for (int j = 0; j < count; j++) {
    memcpy(rows + static_cast<size_t>(j) * d, params.wEnc + static_cast<size_t>(ids[j]) * d, sizeof(float) * d);
    bias[j] = params.bEnc[ids[j]];
  }
  gemm(context, {n, count, d, centred, d, 1, rows, 1, d, out, count, bias, false});
  forRows(context, n, [&](int row) {
    float* values = out + static_cast<size_t>(row) * count;
    for (int j = 0; j < count; j++) values[j] = activate(form, params, constants, ids[j], values[j]);
  });
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
