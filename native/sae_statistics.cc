// Sums over text of what features do together with inputs, tokens and each other: codes^T times a dense or a sparse matrix. Features are dealt
// out to tasks and the tokens of each are taken in order, so neither threads nor the ends of batches change a bit.
#include <stdlib.h>

#include "micro_kernel.h"
#include "sae.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

constexpr int kTasks = 256;

// Codes feature by feature: feature j owns entries offsets[j] .. offsets[j + 1] - 1, rows ascending.
struct Transposed {
  int32_t *offsets, *rows;
  float* values;
  explicit Transposed(const Codes& codes, int features) {
    offsets = static_cast<int32_t*>(calloc(features + 2, sizeof(int32_t)));
    rows = static_cast<int32_t*>(malloc(sizeof(int32_t) * (codes.count + 1)));
    values = static_cast<float*>(malloc(sizeof(float) * (codes.count + 1)));
    if (!offsets || !rows || !values) abort();
    // offsets[j + 1] is where feature j's next entry goes, and ends as where feature j + 1 begins
    for (int64_t e = 0; e < codes.count; e++) offsets[codes.featureIds[e] + 2]++;
    for (int j = 2; j <= features; j++) offsets[j] += offsets[j - 1];
    for (int n = 0; n < codes.rows; n++)
      for (int e = codes.rowOffsets[n]; e < codes.rowOffsets[n + 1]; e++) {
        int at = offsets[codes.featureIds[e] + 1]++;
        rows[at] = n;
        values[at] = codes.values[e];
      }
  }
  ~Transposed() {
    free(offsets);
    free(rows);
    free(values);
  }
};

// body(first, end, worker) for ranges of features
template <class Body>
void forFeatures(const Context& context, int features, Body body) {
  int each = ceilDiv(features, kTasks);
  parallelFor(context, ceilDiv(features, each), [&](int task, int worker) {
    int first = task * each, end = first + each < features ? first + each : features;
    body(first, end, worker);
  });
}

// What one feature's tokens add up to in each column, while they are gathered.
struct RowSums {
  double* sum;
  int32_t *count, *touched;
  int size = 0;
};

// The n-th largest value (n = 0: the largest) by quickselect; the values are reordered.
double nthLargest(double* values, int size, int n) {
  int low = 0, high = size - 1;
  while (low < high) {
    double pivot = values[(low + high) / 2];
    int i = low, j = high;
    while (i <= j) {
      while (values[i] > pivot) i++;
      while (values[j] < pivot) j--;
      if (i > j) break;
      double value = values[i];
      values[i++] = values[j];
      values[j--] = value;
    }
    if (n <= j) high = j;
    else if (n >= i) low = i;
    else break;
  }
  return values[n];
}

// A column that a row keeps or could keep.
struct Candidate {
  double weight;
  int32_t id, count;
  float sum, before;
};

void gather(RowSums& sums, const Transposed& fires, int feature, const Codes& columns) {
  for (int e = fires.offsets[feature]; e < fires.offsets[feature + 1]; e++) {
    int row = fires.rows[e];
    double value = fires.values[e];
    for (int c = columns.rowOffsets[row]; c < columns.rowOffsets[row + 1]; c++) {
      int column = columns.featureIds[c];
      if (sums.count[column]++ == 0) sums.touched[sums.size++] = column;
      sums.sum[column] += value * columns.values[c];
    }
  }
}

// Adds to columns that the row keeps; what is added leaves the sums.
void addToKept(const SaePairsArgs& table, int row, RowSums& sums) {
  int64_t base = static_cast<int64_t>(row) * table.capacity;
  for (int64_t place = base; place < base + table.size[row]; place++) {
    int column = table.ids[place];
    table.count[place] += sums.count[column];
    table.sum[place] = static_cast<float>(table.sum[place] + sums.sum[column]);
    sums.count[column] = 0;
    sums.sum[column] = 0;
  }
}

// Makes room for columns that the row did not keep: the heaviest stay, among equals those known for longest.
void addColumns(const SaePairsArgs& table, int row, const RowSums& sums, Candidate* all, double* weights) {
  int64_t base = static_cast<int64_t>(row) * table.capacity;
  int size = 0;
  auto offer = [&](int32_t id, int32_t count, float sum, float before) {
    double weight = before + (table.byCount ? static_cast<double>(count) : static_cast<double>(sum));
    weights[size] = weight;
    all[size++] = {weight, id, count, sum, before};
  };
  for (int64_t p = base; p < base + table.size[row]; p++) offer(table.ids[p], table.count[p], table.sum[p], table.before[p]);
  for (int i = 0; i < sums.size; i++) {
    int column = sums.touched[i];
    if (sums.count[column]) offer(column, sums.count[column], static_cast<float>(sums.sum[column]), table.missed[row]);
  }
  bool full = size > table.capacity;
  double threshold = full ? nthLargest(weights, size, table.capacity - 1) : 0;
  int ties = table.capacity;
  for (int i = 0; i < size; i++) ties -= all[i].weight > threshold;
  int64_t to = base;
  for (int i = 0; i < size; i++) {
    if (full && (all[i].weight < threshold || (all[i].weight == threshold && ties-- <= 0))) {
      if (all[i].weight > table.missed[row]) table.missed[row] = static_cast<float>(all[i].weight);
      continue;
    }
    table.ids[to] = all[i].id;
    table.count[to] = all[i].count;
    table.sum[to] = all[i].sum;
    table.before[to++] = all[i].before;
  }
  table.size[row] = static_cast<int32_t>(to - base);
}

void addToAll(const SaePairsArgs& table, int row, const RowSums& sums) {
  int64_t base = static_cast<int64_t>(row) * table.capacity;
  for (int i = 0; i < sums.size; i++) {
    int column = sums.touched[i];
    table.count[base + column] += sums.count[column];
    table.sum[base + column] = static_cast<float>(table.sum[base + column] + sums.sum[column]);
  }
}

}  // namespace

void saeAddProducts(const Context& context, float* out, const Codes& codes, const float* x, int features, int d) {
  Transposed fires(codes, features);
  forFeatures(context, features, [&](int first, int end, int) {
    for (int j = first; j < end; j++) {
      float* sums = out + static_cast<size_t>(j) * d;
      auto input = [&](int e) { return x + static_cast<size_t>(fires.rows[e]) * d; };
      int e = fires.offsets[j], last = fires.offsets[j + 1];
      for (; e + 4 <= last; e += 4) axpy4(sums, fires.values + e, input(e), input(e + 1), input(e + 2), input(e + 3), d);
      for (; e < last; e++) axpy(sums, fires.values[e], input(e), d);
    }
  });
}

void saeAddPairs(const Context& context, const SaePairsArgs& table, const Codes& codes, const Codes& columns) {
  Transposed fires(codes, table.features);
  size_t room = static_cast<size_t>(table.columns) + table.capacity;
  size_t bytes = table.columns * (sizeof(double) + 2 * sizeof(int32_t)) + 8, extra = table.ids ? room * (sizeof(double) + sizeof(Candidate)) : 0;
  forFeatures(context, table.features, [&](int first, int end, int worker) {
    char* memory = scratchArray<char>(context, kSlotPerWorker + worker, bytes + extra);
    Candidate* all = reinterpret_cast<Candidate*>(memory);
    double* weights = reinterpret_cast<double*>(all + (table.ids ? room : 0));
    RowSums sums;
    sums.sum = weights + (table.ids ? room : 0);
    sums.count = reinterpret_cast<int32_t*>(sums.sum + table.columns);
    sums.touched = sums.count + table.columns;
    memset(sums.sum, 0, table.columns * (sizeof(double) + sizeof(int32_t)));
    for (int j = first; j < end; j++) {
      gather(sums, fires, j, columns);
      if (sums.size == 0) continue;
      if (table.ids) {
        addToKept(table, j, sums);
        addColumns(table, j, sums, all, weights);
      } else {
        addToAll(table, j, sums);
      }
      for (int i = 0; i < sums.size; i++) sums.count[sums.touched[i]] = 0, sums.sum[sums.touched[i]] = 0;
      sums.size = 0;
    }
  });
}

namespace {

void compareRow(float* sums, const float* y, const float* xHat, const float* center, int d) {
  vf error{}, product{}, target{}, reconstruction{}, deviation{};
  for (int i = 0; i < d; i += VL) {
    int lanes = d - i < VL ? d - i : VL;
    vf a = loadPartial(y + i, lanes), b = loadPartial(xHat + i, lanes), difference = a - b, offset = a - loadPartial(center + i, lanes);
    error += difference * difference;
    product += a * b;
    target += a * a;
    reconstruction += b * b;
    deviation += offset * offset;
  }
  const vf all[kComparisonSums] = {error, product, target, reconstruction, deviation};
  for (int i = 0; i < kComparisonSums; i++) sums[i] = horizontalSum(all[i]);
}

// out[c] = sum over n of y[n, c] - center[c]; stripes of columns, rows in blocks that are added in double precision
void sumOffsets(const Context& context, float* out, const float* y, const float* center, int n, int d) {
  constexpr int kStripe = 64, kRows = 64;
  parallelFor(context, (d + kStripe - 1) / kStripe, [&](int task, int) {
    int c0 = task * kStripe, columns = d - c0 < kStripe ? d - c0 : kStripe;
    double total[kStripe] = {};
    for (int r0 = 0; r0 < n; r0 += kRows) {
      float partial[kStripe] = {};
      int end = n - r0 < kRows ? n : r0 + kRows;
      for (int r = r0; r < end; r++) {
        const float* row = y + static_cast<size_t>(r) * d + c0;
        for (int c = 0; c < columns; c++) partial[c] += row[c] - center[c0 + c];
      }
      for (int c = 0; c < columns; c++) total[c] += partial[c];
    }
    for (int c = 0; c < columns; c++) out[c0 + c] = static_cast<float>(total[c]);
  });
}

}  // namespace

void saeCompare(const Context& context, float* sums, float* shift, const float* y, const float* xHat, const float* center, int n, int d) {
  forRows(context, n, [&](int row) {
    size_t start = static_cast<size_t>(row) * d;
    compareRow(sums + static_cast<size_t>(row) * kComparisonSums, y + start, xHat + start, center, d);
  });
  sumOffsets(context, shift, y, center, n, d);
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
