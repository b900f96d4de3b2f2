// Encoding: which (row, feature) pairs matter, and their pre-activations in fp32. A scan in the number format of the packed weights finds
// candidates, whatever may be worth enough within the margin of the format; below fp32 each is computed again exactly.
#include <algorithm>
#include <atomic>
#include <stdlib.h>

#include "gemm.h"
#include "sae_exchange.h"
#include "sae_scan.h"
#include "sae_select.h"
#include "sae_sort.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

constexpr int kMaxPanels = 16;        // row panels per task: their rows stay in L2 while all features pass
constexpr float kUlps = 1.0f / (1 << 21);  // by which rounding of the last additions may change a value that is compared, with room to spare

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
  float largestWeightError;
  // Candidates of the batch, and from how many on a scan in fp32 is faster: their sum, not who finds it, decides.
  std::atomic<int64_t>* candidates;
  int64_t mostCandidates;

  bool tooMany() const { return *candidates > mostCandidates; }
  float exactly(int row, int32_t id) const {
    return dot(centred + static_cast<size_t>(row) * job.d, wEnc + static_cast<size_t>(id) * job.d, job.d) + job.bEnc[id];
  }
};

// Drops what cannot be among the k largest of its row.
void thinOut(const Encoding& e, int row, int k, RowList& list) {
  float margin = e.job.precision == kFp32 ? 0 : e.job.rowError[row] * e.largestWeightError;
  float kth = list.nearKth(k) * (e.job.precision == kFp32 ? 1 : 1 - kUlps);
  if (kth <= list.least) return;
  list.least = kth;
  list.filter([&](int i) { return list.values[i] + 2 * margin > kth; });
}

// The k largest of each row in fp32; in other formats candidates for them, with the least that each can be worth (see chooseCandidates).
template <SaePrecision precision>
void findTopK(const Encoding& e, int panel0, int panel1, RowList* lists) {
  int row0 = panel0 * MR, f = e.job.features.count, k = e.form.k < f ? e.form.k : f;
  scanPairs<precision>(e.job, panel0, panel1, [&](int row, int) { return splat(lists[row - row0].least); },
                       [&](int row, int index, uint32_t mask, vf value) {
                         RowList& list = lists[row - row0];
                         list.push(mask, value, index);
                         if (list.count < list.full) return;
                         thinOut(e, row, k, list);
                         list.full = list.full > 2 * list.count ? list.full : 2 * list.count;
                       });
  int rows = (panel1 * MR < e.job.n ? panel1 * MR : e.job.n) - row0;
  for (int r = 0; r < rows; r++) {
    if (precision == kFp32) lists[r].keepLargest(k);
    else {
      thinOut(e, row0 + r, k, lists[r]);
      *e.candidates += lists[r].count;
    }
  }
}

template <SaePrecision precision>
void findAboveCut(const Encoding& e, int panel0, int panel1, RowList* lists) {
  const float* cut = e.cut;
  int row0 = panel0 * MR;
  constexpr int kReported = 4096;
  int rescored = 0;  // since they were reported last
  scanPairs<precision>(e.job, panel0, panel1, [&](int, int index) {
                         vf limit = load(cut + index);
                         return precision == kFp32 ? limit : limit - kUlps * maximum(limit, -limit);
                       },
                       [&](int row, int index, uint32_t mask, vf value) {
                         RowList& list = lists[row - row0];
                         if (precision == kFp32) return list.push(mask, value, index);
                         if (rescored >= kReported) {
                           *e.candidates += rescored;
                           rescored = 0;
                         }
                         if (rescored == 0 && e.tooMany()) return;
                         float lanes[VL];
                         uint32_t above = 0;
                         for (uint32_t left = mask; left; left &= left - 1) {
                           int lane = __builtin_ctz(left);
                           lanes[lane] = e.exactly(row, index + lane);
                           above |= static_cast<uint32_t>(lanes[lane] > cut[index + lane]) << lane;
                           rescored++;
                         }
                         list.push(above, load(lanes), index);
                       });
  *e.candidates += rescored;
}

template <SaePrecision precision>
void findTask(const Encoding& e, int panel0, int panel1, RowList* lists) {
  if (e.form.kind == kTopK) findTopK<precision>(e, panel0, panel1, lists);
  else findAboveCut<precision>(e, panel0, panel1, lists);
}

// The lists one after the other. counts [rows] is left with how many each row has.
TaskCodes joinLists(const Encoding& e, const RowList* lists, int rows, int32_t* counts) {
  int64_t total = 0;
  for (int r = 0; r < rows; r++) total += counts[r] = lists[r].count;
  TaskCodes codes{static_cast<int32_t*>(malloc(sizeof(int32_t) * (total + 1))), static_cast<float*>(malloc(sizeof(float) * (total + 1)))};
  if (!codes.ids || !codes.values) abort();
  const int32_t* ids = e.job.features.ids;
  for (int64_t r = 0, at = 0; r < rows; at += counts[r++]) {
    memcpy(codes.values + at, lists[r].values, sizeof(float) * counts[r]);
    for (int i = 0; i < counts[r]; i++) codes.ids[at + i] = ids ? ids[lists[r].ids[i]] : lists[r].ids[i];
  }
  return codes;
}

// The lists of one worker, which keep their memory from task to task.
struct Lists {
  RowList rows[kMaxPanels * MR];
  ~Lists() {
    for (RowList& list : rows) {
      free(list.values);
      free(list.ids);
    }
  }
};

// Runs the tasks of row panels 0 .. e.panels - 1 and joins what they find.
void findAll(const Context& context, const Encoding& e, Codes& codes) {
  int n = e.job.n, tasks = ceilDiv(e.panels, e.panelsPerTask), rowsPerTask = e.panelsPerTask * MR, threads = poolThreads(context.pool);
  Lists* lists = new Lists[threads];
  *e.candidates = 0;
  TaskCodes* parts = static_cast<TaskCodes*>(calloc(tasks, sizeof(TaskCodes)));
  int32_t* offsets = static_cast<int32_t*>(calloc(static_cast<size_t>(n) + 1, sizeof(int32_t)));
  if (!parts || !offsets) abort();
  parallelFor(context, tasks, [&](int task, int worker) {
    int panel0 = task * e.panelsPerTask, panel1 = panel0 + e.panelsPerTask < e.panels ? panel0 + e.panelsPerTask : e.panels;
    int row0 = panel0 * MR, rows = (panel1 * MR < n ? panel1 * MR : n) - row0;
    RowList* own = lists[worker].rows;
    for (int r = 0; r < rows; r++) own[r].clear(3 * e.form.k + 32);
    if (e.tooMany()) return;
    if (e.job.precision == kFp32) findTask<kFp32>(e, panel0, panel1, own);
    if (e.job.precision == kBf16Panels) findTask<kBf16Panels>(e, panel0, panel1, own);
    if (e.job.precision == kInt8Panels) findTask<kInt8Panels>(e, panel0, panel1, own);
    parts[task] = joinLists(e, own, rows, offsets + 1 + row0);
  });
  delete[] lists;
  for (int r = 0; r < n; r++) offsets[r + 1] += offsets[r];
  allocateCodes(codes, n, offsets[n]);
  memcpy(codes.rowOffsets, offsets, sizeof(int32_t) * (static_cast<size_t>(n) + 1));
  free(offsets);
  parallelFor(context, tasks, [&](int task, int) {
    int row0 = task * rowsPerTask, row1 = row0 + rowsPerTask < n ? row0 + rowsPerTask : n;
    int64_t first = codes.rowOffsets[row0], count = codes.rowOffsets[row1] - first;
    if (count > 0) {
      memcpy(codes.featureIds + first, parts[task].ids, sizeof(int32_t) * count);
      memcpy(codes.values + first, parts[task].values, sizeof(float) * count);
    }
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

// A guess of the cut from the largest pairs of a few rows, which stand for the batch; every rank gets the same.
float guessFromSample(const Context& context, const Encoding& e, const SaeRanks& ranks) {
  Encoding sample = e;
  sample.panels = e.panels < 8 ? e.panels : 8;
  sample.job.n = sample.panels * MR < e.job.n ? sample.panels * MR : e.job.n;
  sample.panelsPerTask = 1;
  sample.form.kind = kTopK;
  sample.form.k = 4 * e.form.k < e.job.features.count ? 4 * e.form.k : e.job.features.count;
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

// Whether any of the ranks found so many candidates that all scan again in fp32.
bool foundTooMany(const Encoding& e, const SaeRanks& ranks) {
  if (e.job.precision == kFp32) return false;
  double any = e.tooMany();
  maxOverAll(ranks, &any, 1);
  return any > 0;
}

// batchtopk: everything above a guess, lowered until enough is found; then the exact selection, which the guess does not touch. False where there were too many candidates.
bool findBatchTopK(const Context& context, Encoding& e, float guess, const SaeRanks& ranks, Codes& codes) {
  int64_t wanted = static_cast<int64_t>(ranks.totalRows) * e.form.k;
  int padded = ceilDiv(e.job.features.count, NR) * NR;
  float* cut = scratchArray<float>(context, kSlotSaeCut, padded);
  e.cut = cut;
  if (!(guess > 0)) guess = guessFromSample(context, e, ranks);
  guess *= 0.9f;
  double found = 0;  // over all ranks
  for (int attempt = 0;; attempt++) {
    if (attempt == 4) guess = 0;
    for (int j = 0; j < padded; j++) cut[j] = guess;
    findAll(context, e, codes);
    if (foundTooMany(e, ranks)) return false;
    found = static_cast<double>(codes.count);
    sumOverAll(ranks, &found, 1);
    if (found >= wanted || guess == 0) break;
    releaseCodes(codes);
    guess *= 0.7f;
  }
  if (found <= wanted) return true;
  if (ranks.features || ranks.data) keepLargestOfRanks(ranks, wanted, codes);
  else keepLargest(codes, wanted);
  return true;
}

// One candidate as it is computed again: where its value goes.
struct Place {
  int32_t row, index;
};

// topk below fp32: computes the candidates again, and leaves the k largest of each row. By feature, since a feature's
// rows of the batch are nearer in memory than a row's features among the weights.
void chooseCandidates(const Context& context, const Encoding& e, Codes& codes) {
  constexpr int kFeatures = 32, kAhead = 4;
  int f = e.job.features.count, d = e.job.d;
  auto sorted = sortPairsByFeature<Place>(context, codes, f, [](int row, int i) { return Place{row, i}; });
  auto prefetch = [&](int i, int end) {
    if (i >= end) return;
    const float* row = e.centred + static_cast<size_t>(sorted.items[i].row) * d;
    for (int j = 0; j < d; j += 16) __builtin_prefetch(row + j, 0, 3);
  };
  parallelFor(context, ceilDiv(f, kFeatures), [&](int task, int) {
    int last = (task + 1) * kFeatures < f ? (task + 1) * kFeatures : f, all = sorted.offsets[last];
    for (int id = task * kFeatures; id < last; id++)
      for (int i = sorted.offsets[id]; i < sorted.offsets[id + 1]; i++) {
        prefetch(i + kAhead, all);
        codes.values[sorted.items[i].index] = e.exactly(sorted.items[i].row, id);
      }
  });
  sorted.release();
  forRows(context, codes.rows, [&](int row) { clearAllButLargest(codes.values + codes.rowOffsets[row], codes.rowOffsets[row + 1] - codes.rowOffsets[row], e.form.k); });
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

// The k-th largest key of the values [rows, f] of all ranks
const uint64_t* kthOfValues(const Context& context, const float* values, int rows, int f, int k, const SaeRanks& ranks) {
  uint64_t* all = scratchArray<uint64_t>(context, kSlotSaeKeys, static_cast<size_t>(rows) * (k + 1) + f);
  uint64_t *kth = all + static_cast<size_t>(rows) * k, *keys = kth + rows;
  for (int r = 0; r < rows; r++) {
    int count = 0;
    for (int j = 0; j < f; j++)
      if (float value = values[static_cast<size_t>(r) * f + j]; value > 0) keys[count++] = keyOf(value, ranks.firstFeature + j);
    int most = count < k ? count : k;
    if (count > k) std::nth_element(keys, keys + k - 1, keys + count, [](uint64_t a, uint64_t b) { return a > b; });
    uint64_t* own = all + static_cast<size_t>(r) * k;
    memcpy(own, keys, sizeof(uint64_t) * most);
    memset(own + most, 0, sizeof(uint64_t) * (k - most));
    kth[r] = count > k ? own[k - 1] : 0;
  }
  if (ranks.features) kthKeys(context, ranks.features, all, rows, k, kth);
  return kth;
}

float largest(const float* values, int count) {
  float most = 0;
  for (int i = 0; i < count; i++) most = values[i] > most ? values[i] : most;
  return most;
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
  SaePacked inFp32{};
  inFp32.f = shape.f;
  inFp32.d = d;
  PackedRows rows = packBatch(context, centred, n, d, packed ? *packed : inFp32);
  std::atomic<int64_t> candidates = 0;
  Encoding e{};
  e.job = {context.tiles, rows.precision, rows.panels, packed ? packed->panels : packForCall(context, params.wEnc, features, d), n, d, features, params.bEnc,
           rows.scale, rows.error, packed ? packed->scale : nullptr, packed ? packed->error : nullptr, rows.sum};
  e.form = form;
  e.cut = constants.cut;
  e.centred = centred;
  e.wEnc = params.wEnc;
  e.panels = panels;
  e.panelsPerTask = choosePanelsPerTask(panels, poolThreads(context.pool));
  e.candidates = &candidates;
  e.mostCandidates = static_cast<int64_t>(n) * (form.k + 64 + features.count / 16);
  if (packed) e.largestWeightError = largest(packed->error, shape.f);
  bool done = true;
  if (form.kind == kBatchTopK) done = findBatchTopK(context, e, runningThreshold, ranks, codes);
  else {
    findAll(context, e, codes);
    done = !foundTooMany(e, ranks);
  }
  if (!done) {
    releaseCodes(codes);
    return encodeSupport(context, params, shape, centred, features, form, constants, nullptr, runningThreshold, ranks, codes);
  }
  if (form.kind == kTopK && rows.precision != kFp32) chooseCandidates(context, e, codes);
  if (form.kind == kTopK) keepLargestOfRows(context, ranks, form.k, codes);
}

void checkRecall(const Context& context, const SaePointers& params, SaeShape shape, const float* centred, const SaeForm& form, const float* cut, const SaeRanks& ranks,
                 const Codes& codes, int firstRow, int rows, double& checked, double& missed) {
  int f = shape.f, d = shape.d;
  float* values = scratchArray<float>(context, kSlotSaePackW, static_cast<size_t>(rows) * f);
  parallelFor(context, ceilDiv(f, 64), [&](int task, int) {
    for (int id = task * 64; id < f && id < task * 64 + 64; id++)
      for (int r = 0; r < rows; r++)
        values[static_cast<size_t>(r) * f + id] = dot(centred + static_cast<size_t>(firstRow + r) * d, params.wEnc + static_cast<size_t>(id) * d, d) + params.bEnc[id];
  });
  const uint64_t* kth = form.kind == kTopK ? kthOfValues(context, values, rows, f, form.k, ranks) : nullptr;
  for (int r = 0; r < rows; r++) {
    const int32_t *id = codes.featureIds + codes.rowOffsets[firstRow + r], *end = codes.featureIds + codes.rowOffsets[firstRow + r + 1];
    for (int j = 0; j < f; j++) {
      float value = values[static_cast<size_t>(r) * f + j];
      bool found = id < end && *id == j, expected = kth ? value > 0 && keyOf(value, ranks.firstFeature + j) >= kth[r] : value > cut[j];
      id += found;
      checked += expected;
      missed += expected && !found;
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
