// Encoding: a blocked matrix product whose tiles never leave the registers and L1; only the active features are kept.
#include <algorithm>
#include <stdlib.h>

#include "micro_kernel.h"
#include "sae.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

constexpr int kRowPanels = 8;  // row panels per task: 8 * MR rows of x stay in L2 while all features pass

struct Candidate {
  int32_t row, id;
  float value;
};

// What one task found, in order of arrival: ids ascend within a row.
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

// The k largest of a stream with ascending ids; among equal values the lower id wins.
struct TopK {
  Candidate* items;
  int count, capacity, k;
  float threshold;  // candidates must be above it
  void push(int32_t row, int32_t id, float value) {
    if (count == capacity) compact();
    if (value > threshold) items[count++] = {row, id, value};
  }
  void compact() {
    if (count <= k) return;
    std::nth_element(items, items + k - 1, items + count, [](const Candidate& a, const Candidate& b) {
      return a.value > b.value || (a.value == b.value && a.id < b.id);
    });
    count = k;
    threshold = items[k - 1].value;
  }
};

void packFeatures(float* panel, const float* wEnc, FeatureList features, int first, int d) {
  int columns = features.count - first < NR ? features.count - first : NR;
  if (!features.ids) return packColumns(panel, wEnc + static_cast<size_t>(first) * d, 1, d, columns, d);
  for (int j = 0; j < NR; j++) {
    const float* row = j < columns ? wEnc + static_cast<size_t>(features.ids[first + j]) * d : nullptr;
    for (int k = 0; k < d; k++) panel[k * NR + j] = row ? row[k] : 0.0f;
  }
}

struct EncodeJob {
  const float *packedX, *packedW, *bEnc;
  int n, d;
  FeatureList features;
  SaeActivation activation;
};

// Calls keep(row, id, value) for every pre-activation above its row's threshold.
template <class Keep, class Threshold>
void scanBlock(const EncodeJob& job, int panel0, int panel1, Threshold threshold, Keep keep) {
  for (int first = 0; first < job.features.count; first += NR) {
    const float* w = job.packedW + static_cast<size_t>(first) * job.d;
    float bias[NR];
    for (int j = 0; j < NR; j++) {
      int index = first + j;
      // padding columns can never be active
      bias[j] = index >= job.features.count ? -__builtin_inff() : job.bEnc[job.features.ids ? job.features.ids[index] : index];
    }
    for (int panel = panel0; panel < panel1; panel++) {
      vf tile[MR][NV];
      microKernel(job.d, job.packedX + static_cast<size_t>(panel) * MR * job.d, w, tile);
      for (int i = 0; i < MR; i++) {
        int row = panel * MR + i;
        if (row >= job.n) break;
        for (int v = 0; v < NV; v++) {
          vf pre = tile[i][v] + load(bias + v * VL);
          uint32_t mask = greaterMask(pre, splat(threshold(row)));
          if (!mask) continue;
          float lanes[VL];
          store(lanes, pre);
          for (; mask; mask &= mask - 1) {
            int lane = __builtin_ctz(mask), index = first + v * VL + lane;
            keep(row, job.features.ids ? job.features.ids[index] : index, lanes[lane]);
          }
        }
      }
    }
  }
}

void scanTopK(const EncodeJob& job, int panel0, int panel1, void* scratch, Found& found) {
  int row0 = panel0 * MR, row1 = panel1 * MR < job.n ? panel1 * MR : job.n;
  int k = job.activation.k < job.features.count ? job.activation.k : job.features.count;
  int capacity = 3 * k + 32;
  TopK* rows = static_cast<TopK*>(scratch);
  Candidate* items = reinterpret_cast<Candidate*>(rows + (row1 - row0));
  for (int r = 0; r < row1 - row0; r++) rows[r] = {items + static_cast<size_t>(r) * capacity, 0, capacity, k, 0.0f};
  scanBlock(job, panel0, panel1, [&](int row) { return rows[row - row0].threshold; },
            [&](int row, int id, float value) { rows[row - row0].push(row, id, value); });
  for (int r = 0; r < row1 - row0; r++) {
    rows[r].compact();
    std::sort(rows[r].items, rows[r].items + rows[r].count, [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
    for (int i = 0; i < rows[r].count; i++) found.push(rows[r].items[i].row, rows[r].items[i].id, rows[r].items[i].value);
  }
}

// Puts what the tasks found in row order.
void gatherCodes(const Context& context, Found* found, int tasks, int n, Codes& codes) {
  int64_t total = 0;
  for (int t = 0; t < tasks; t++) total += found[t].count;
  allocateCodes(codes, n, total);
  int32_t* offsets = codes.rowOffsets;
  memset(offsets, 0, sizeof(int32_t) * (n + 1));
  for (int t = 0; t < tasks; t++)
    for (int64_t i = 0; i < found[t].count; i++) offsets[found[t].items[i].row + 1]++;
  for (int r = 0; r < n; r++) offsets[r + 1] += offsets[r];
  parallelFor(context, tasks, [&](int task, int) {
    int rowsPerTask = kRowPanels * MR, row0 = task * rowsPerTask;
    int32_t next[kRowPanels * MR];
    for (int r = 0; r < rowsPerTask && row0 + r < n; r++) next[r] = offsets[row0 + r];
    for (int64_t i = 0; i < found[task].count; i++) {
      const Candidate& c = found[task].items[i];
      int32_t at = next[c.row - row0]++;
      codes.featureIds[at] = c.id;
      codes.values[at] = c.value;
    }
    free(found[task].items);
  });
}

}  // namespace

void centreRows(const Context& context, float* centred, const float* x, const float* bDec, int n, int d) {
  parallelFor(context, (n + 63) / 64, [&](int task, int) {
    for (int row = task * 64; row < n && row < task * 64 + 64; row++) {
      size_t at = static_cast<size_t>(row) * d;
      for (int i = 0; i < d; i++) centred[at + i] = x[at + i] - bDec[i];
    }
  });
}

void encodeRows(const Context& context, const SaePointers& params, SaeShape shape, const float* centred, FeatureList features, SaeActivation activation, Codes& codes) {
  int n = shape.n, d = shape.d;
  int panels = (n + MR - 1) / MR, featurePanels = (features.count + NR - 1) / NR;
  float* packedX = static_cast<float*>(scratchBytes(context.scratch, kSlotSaePackX, sizeof(float) * static_cast<size_t>(panels) * MR * d));
  float* packedW = static_cast<float*>(scratchBytes(context.scratch, kSlotSaePackW, sizeof(float) * static_cast<size_t>(featurePanels) * NR * d));
  parallelFor(context, panels, [&](int p, int) {
    packRows(packedX + static_cast<size_t>(p) * MR * d, centred + static_cast<size_t>(p) * MR * d, d, 1, n - p * MR < MR ? n - p * MR : MR, d);
  });
  parallelFor(context, featurePanels, [&](int p, int) {
    packFeatures(packedW + static_cast<size_t>(p) * NR * d, params.wEnc, features, p * NR, d);
  });
  EncodeJob job{packedX, packedW, params.bEnc, n, d, features, activation};
  int tasks = (panels + kRowPanels - 1) / kRowPanels;
  Found* found = static_cast<Found*>(calloc(tasks ? tasks : 1, sizeof(Found)));
  size_t rowScratch = (sizeof(TopK) + sizeof(Candidate) * (3 * static_cast<size_t>(activation.k) + 32)) * kRowPanels * MR;
  parallelFor(context, tasks, [&](int task, int worker) {
    int panel0 = task * kRowPanels, panel1 = panel0 + kRowPanels < panels ? panel0 + kRowPanels : panels;
    if (activation.topk) scanTopK(job, panel0, panel1, scratchBytes(context.scratch, kSlotPerWorker + worker, rowScratch), found[task]);
    else scanBlock(job, panel0, panel1, [](int) { return 0.0f; }, [&](int row, int id, float value) { found[task].push(row, id, value); });
  });
  gatherCodes(context, found, tasks, n, codes);
  free(found);
}

void saeEncode(const Context& context, const SaePointers& params, SaeShape shape, const float* x, SaeActivation activation, Codes& codes) {
  float* centred = static_cast<float*>(scratchBytes(context.scratch, kSlotSaeCentered, sizeof(float) * static_cast<size_t>(shape.n) * shape.d));
  centreRows(context, centred, x, params.bDec, shape.n, shape.d);
  encodeRows(context, params, shape, centred, {nullptr, shape.f}, activation, codes);
}

void decodeRow(float* out, const float* base, const Codes& codes, int row, const float* wDec, int d) {
  if (base) memcpy(out, base, sizeof(float) * d);
  else memset(out, 0, sizeof(float) * d);
  int i = codes.rowOffsets[row], end = codes.rowOffsets[row + 1];
  const int32_t* ids = codes.featureIds;
  auto direction = [&](int at) { return wDec + static_cast<size_t>(ids[at]) * d; };
  for (; i + 4 <= end; i += 4)
    axpy4(out, codes.values + i, direction(i), direction(i + 1), direction(i + 2), direction(i + 3), d);
  for (; i < end; i++) axpy(out, codes.values[i], direction(i), d);
}

void saeDecode(const Context& context, float* xHat, const SaePointers& params, SaeShape shape, const Codes& codes) {
  parallelFor(context, (shape.n + 15) / 16, [&](int task, int) {
    for (int row = task * 16; row < shape.n && row < task * 16 + 16; row++)
      decodeRow(xHat + static_cast<size_t>(row) * shape.d, params.bDec, codes, row, params.wDec, shape.d);
  });
}

void saeSquaredErrors(const Context& context, float* losses, const float* x, const float* xHat, int n, int d) {
  parallelFor(context, (n + 63) / 64, [&](int task, int) {
    for (int row = task * 64; row < n && row < task * 64 + 64; row++) {
      const float *a = x + static_cast<size_t>(row) * d, *b = xHat + static_cast<size_t>(row) * d;
      vf s{};
      int i = 0;
      for (; i + VL <= d; i += VL) {
        vf difference = load(a + i) - load(b + i);
        s += difference * difference;
      }
      float total = horizontalSum(s);
      for (; i < d; i++) total += (a[i] - b[i]) * (a[i] - b[i]);
      losses[row] = total;
    }
  });
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
