// Packed matrix product after Goto & van de Geijn (2008): A and B are copied into panels that the micro-kernel reads
// in order; blocks are sized for the caches. Every element of C is summed in an order fixed by the shapes alone.
#include "gemm.h"

#include "micro_kernel.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

constexpr int kDepthBlock = 768;            // a panel of B: 768 * NR * 4 bytes, streamed from L2
constexpr int kFewRows = 8;                 // not worth packing B for
constexpr int kRowBlock = 8 * MR;           // rows of A that stay in L2 while the columns pass
constexpr int kFewRowPanels = 16;           // up to here a task takes all rows
constexpr int kMaxRows = 512 * MR;          // rows packed at a time
constexpr int kMaxColumns = 2048;           // columns packed at a time: 6 MB of B

struct Block {
  int row0, rows, column0, columns, depth0, depth;
};

// Packs up to NR columns of B from one on into a panel.
void packPanel(const GemmArgs& g, float* panel, int depth0, int column, int depth) {
  int columns = g.n - column < NR ? g.n - column : NR;
  ptrdiff_t first = depth0 * g.bRow + column * g.bColumn;
  if (g.bHalf) packColumns(panel, g.bHalf + first, g.bRow, g.bColumn, columns, depth);
  else packColumns(panel, g.b + first, g.bRow, g.bColumn, columns, depth);
}

// One tile of C from a panel of A, `row` rows into the block, and a panel of B.
inline void multiplyTile(const GemmArgs& g, const Block& block, const float* a, const float* b, int row, int column) {
  bool add = g.accumulate || block.depth0 > 0;
  if (!isStreamed(g, add)) prefetchTile(g, block.row0 + row, column);
  vf tile[MR][NV];
  microKernel(block.rows - row, block.depth, a, b, tile);
  writeTile(g, tile, block.row0 + row, column, add);
}

void multiplyPacked(const Context& context, const GemmArgs& g, const Block& block, const float* packedA, const float* packedB) {
  int rowPanels = ceilDiv(block.rows, MR), columnPanels = ceilDiv(block.columns, NR);
  int rowPanelsPerTask = kRowBlock / MR;
  int rowTasks = ceilDiv(rowPanels, rowPanelsPerTask);
  int wanted = 4 * poolThreads(context.pool);
  int columnTasks = rowTasks >= wanted ? 1 : ceilDiv(wanted, rowTasks);
  if (columnTasks > columnPanels) columnTasks = columnPanels;
  int columnPanelsPerTask = ceilDiv(columnPanels, columnTasks);
  parallelFor(context, rowTasks * columnTasks, [&](int task, int) {
    int i0 = (task / columnTasks) * rowPanelsPerTask, j0 = (task % columnTasks) * columnPanelsPerTask;
    int i1 = i0 + rowPanelsPerTask < rowPanels ? i0 + rowPanelsPerTask : rowPanels;
    int j1 = j0 + columnPanelsPerTask < columnPanels ? j0 + columnPanelsPerTask : columnPanels;
    for (int j = j0; j < j1; j++)
      for (int i = i0; i < i1; i++) {
        multiplyTile(g, block, packedA + static_cast<size_t>(i) * MR * block.depth, packedB + static_cast<size_t>(j) * NR * block.depth, i * MR,
                     block.column0 + j * NR);
      }
    fenceStreaming();
  });
}

// Few row panels: each panel of B is used by one task only, so the task packs it into its own cache instead of memory.
void multiplyPackingColumns(const Context& context, const GemmArgs& g, const Block& block, const float* packedA) {
  int rowPanels = ceilDiv(block.rows, MR);
  parallelFor(context, ceilDiv(g.n, NR), [&](int j, int worker) {
    float* panel = static_cast<float*>(scratchBytes(context.scratch, kSlotPerWorker + worker, sizeof(float) * NR * kDepthBlock));
    int column = j * NR;
    packPanel(g, panel, block.depth0, column, block.depth);
    for (int i = 0; i < rowPanels; i++) multiplyTile(g, block, packedA + static_cast<size_t>(i) * MR * block.depth, panel, i * MR, column);
    fenceStreaming();
  });
}

template <int kValue>
struct Count {
  static constexpr int value = kValue;
};

// Products of a few rows read B once, so they take it as it is and are done when memory is.

// c[r][.] += sum over kDeep rows of B, while those after them are fetched; c [m][columns], a [m] with strides
template <int kDeep, class Element>
inline __attribute__((always_inline)) void addRows(float* c, ptrdiff_t cRow, const float* a, const GemmArgs& g, const Element* b, int columns) {
  int j = 0;
  for (; j + VL <= columns; j += VL) {
    vf w[kDeep];
#pragma GCC unroll 8
    for (int i = 0; i < kDeep; i++) {
      w[i] = load(b + i * g.bRow + j);
      __builtin_prefetch(b + (i + kDeep) * g.bRow + j);
    }
    for (int r = 0; r < g.m; r++) {
      vf sum = load(c + r * cRow + j);
#pragma GCC unroll 8
      for (int i = 0; i < kDeep; i++) sum += a[r * g.aRow + i * g.aColumn] * w[i];
      store(c + r * cRow + j, sum);
    }
  }
  for (; j < columns; j++)
    for (int r = 0; r < g.m; r++)
      for (int i = 0; i < kDeep; i++) c[r * cRow + j] += a[r * g.aRow + i * g.aColumn] * widened(b[i * g.bRow + j]);
}

// B row-major: stripes of columns, as wide as the caches allow so that memory is read in long runs.
template <class Element>
void fewRows(const Context& context, const GemmArgs& g, const Element* b) {
  int stripe = ceilDiv(ceilDiv(g.n, poolThreads(context.pool)), 64) * 64, widest = g.m > 0 ? 4096 / g.m / 64 * 64 : 64;
  if (stripe > widest && widest >= 64) stripe = widest;
  parallelFor(context, ceilDiv(g.n, stripe), [&](int task, int) {
    int c0 = task * stripe, columns = g.n - c0 < stripe ? g.n - c0 : stripe;
    float* c = g.c + c0;
    for (int r = 0; !g.accumulate && r < g.m; r++)
      for (int j = 0; j < columns; j++) c[r * g.cRow + j] = g.bias ? g.bias[c0 + j] : 0.0f;
    int k = 0;
    for (; k + 8 <= g.k; k += 8) addRows<8>(c, g.cRow, g.a + k * g.aColumn, g, b + k * g.bRow + c0, columns);
    for (; k < g.k; k++) addRows<1>(c, g.cRow, g.a + k * g.aColumn, g, b + k * g.bRow + c0, columns);
  });
}

// c[r][j] = a row r . b column j, kColumns columns that are stored one after the other; A by row
template <int kRows, int kColumns, class Element>
inline void innerProducts(float* c, ptrdiff_t cRow, const float* a, ptrdiff_t aRow, const Element* b, ptrdiff_t bColumn, int depth) {
  vf sums[kRows][kColumns];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; r++)
#pragma GCC unroll 4
    for (int j = 0; j < kColumns; j++) sums[r][j] = vf{};
  int k = 0;
  for (; k + VL <= depth; k += VL) {
    vf w[kColumns];
#pragma GCC unroll 4
    for (int j = 0; j < kColumns; j++) {
      w[j] = load(b + j * bColumn + k);
      __builtin_prefetch(b + (j + kColumns) * bColumn + k);  // the columns that come next
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r++) {
      vf x = load(a + r * aRow + k);
#pragma GCC unroll 4
      for (int j = 0; j < kColumns; j++) sums[r][j] += x * w[j];
    }
  }
  for (int r = 0; r < kRows; r++)
    for (int j = 0; j < kColumns; j++) {
      float sum = horizontalSum(sums[r][j]);
      for (int i = k; i < depth; i++) sum += a[r * aRow + i] * widened(b[j * bColumn + i]);
      c[r * cRow + j] = sum;
    }
}

// B stored by column, A by row: inner products of up to 4 rows with 4 columns.
template <class Element>
void fewRowsTransposed(const Context& context, const GemmArgs& g, const Element* b) {
  constexpr int kColumns = 64;
  parallelFor(context, ceilDiv(g.n, kColumns), [&](int task, int) {
    int end = (task + 1) * kColumns < g.n ? (task + 1) * kColumns : g.n;
    for (int j = task * kColumns; j < end; j += 4) {
      float sums[kFewRows][4];
      const Element* w = b + j * g.bColumn;
      int columns = end - j < 4 ? end - j : 4, r = 0;
      auto products = [&](auto rows) {
        if (columns == 4 && g.m > 1) return innerProducts<rows.value, 4>(sums[r], 4, g.a + r * g.aRow, g.aRow, w, g.bColumn, g.k);
        for (int i = 0; i < columns; i++) innerProducts<rows.value, 1>(sums[r] + i, 4, g.a + r * g.aRow, g.aRow, w + i * g.bColumn, g.bColumn, g.k);
      };
      for (; r + 4 <= g.m; r += 4) products(Count<4>());
      for (; r < g.m; r++) products(Count<1>());
      for (r = 0; r < g.m; r++)
        for (int i = 0; i < columns; i++) {
          float& c = g.c[r * g.cRow + j + i];
          c = g.accumulate ? c + sums[r][i] : g.bias ? sums[r][i] + g.bias[j + i] : sums[r][i];
        }
    }
  });
}

bool multiplyFewRows(const Context& context, const GemmArgs& g) {
  if (g.k > 0 && g.m > kFewRows) return false;
  if (g.bColumn == 1 || g.k == 0) {
    if (g.bHalf) fewRows(context, g, g.bHalf);
    else fewRows(context, g, g.b);
    return true;
  }
  if (g.bRow != 1 || g.aColumn != 1) return false;
  if (g.bHalf) fewRowsTransposed(context, g, g.bHalf);
  else fewRowsTransposed(context, g, g.b);
  return true;
}

}  // namespace

void gemm(const Context& context, const GemmArgs& g) {
  if (g.m == 0 || g.n == 0) return;
  if (multiplyFewRows(context, g)) return;
  int depths = ceilDiv(g.k, kDepthBlock), depthBlock = ceilDiv(g.k, depths);
  for (int depth0 = 0; depth0 < g.k; depth0 += depthBlock)
    for (int row0 = 0; row0 < g.m; row0 += kMaxRows) {
      Block block{row0, g.m - row0 < kMaxRows ? g.m - row0 : kMaxRows, 0, 0, depth0, g.k - depth0 < depthBlock ? g.k - depth0 : depthBlock};
      int rowPanels = ceilDiv(block.rows, MR);
      float* packedA = static_cast<float*>(
          scratchBytes(context.scratch, kSlotPackA, sizeof(float) * static_cast<size_t>(rowPanels) * MR * block.depth));
      const float* a = g.a + row0 * g.aRow + depth0 * g.aColumn;
      parallelFor(context, ceilDiv(rowPanels, 8), [&](int task, int) {
        for (int i = task * 8; i < task * 8 + 8 && i < rowPanels; i++)
          packRows(packedA + static_cast<size_t>(i) * MR * block.depth, a + i * MR * g.aRow, g.aRow, g.aColumn,
                   block.rows - i * MR < MR ? block.rows - i * MR : MR, block.depth);
      });
      if (rowPanels <= kFewRowPanels) {
        multiplyPackingColumns(context, g, block, packedA);
        continue;
      }
      for (int column0 = 0; column0 < g.n; column0 += kMaxColumns) {
        block.column0 = column0;
        block.columns = g.n - column0 < kMaxColumns ? g.n - column0 : kMaxColumns;
        int columnPanels = ceilDiv(block.columns, NR);
        float* packedB = static_cast<float*>(
            scratchBytes(context.scratch, kSlotPackB, sizeof(float) * static_cast<size_t>(columnPanels) * NR * block.depth));
        parallelFor(context, ceilDiv(columnPanels, 4), [&](int task, int) {
          for (int j = task * 4; j < task * 4 + 4 && j < columnPanels; j++)
            packPanel(g, packedB + static_cast<size_t>(j) * NR * block.depth, depth0, column0 + j * NR, block.depth);
        });
        multiplyPacked(context, g, block, packedA, packedB);
      }
    }
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
