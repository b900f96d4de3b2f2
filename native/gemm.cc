// Packed matrix product after Goto & van de Geijn (2008): A and B are copied into panels that the micro-kernel reads
// in order; blocks are sized for the caches. Every element of C is summed in an order fixed by the shapes alone.
#include "gemm.h"

#include "micro_kernel.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

constexpr int kDepthBlock = 512;            // a panel of B: 512 * NR * 4 bytes, streamed from L2
constexpr int kFewRows = 8;                 // not worth packing B for
constexpr int kRowBlock = 8 * MR;           // rows of A that stay in L2 while the columns pass
constexpr int kFewRowPanels = 16;           // up to here a task takes all rows
constexpr int kMaxRows = 512 * MR;          // rows packed at a time
constexpr int kMaxColumns = 2048;           // columns packed at a time: 4 MB of B

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

void multiplyPacked(const Context& context, const GemmArgs& g, const Block& block, const float* packedA, const float* packedB) {
  bool add = g.accumulate || block.depth0 > 0;
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
        vf tile[MR][NV];
        microKernel(block.depth, packedA + static_cast<size_t>(i) * MR * block.depth,
                    packedB + static_cast<size_t>(j) * NR * block.depth, tile);
        writeTile(g, tile, block.row0 + i * MR, block.column0 + j * NR, add);
      }
    fenceStreaming();
  });
}

// Few row panels: each panel of B is used by one task only, so the task packs it into its own cache instead of memory.
void multiplyPackingColumns(const Context& context, const GemmArgs& g, const Block& block, const float* packedA) {
  bool add = g.accumulate || block.depth0 > 0;
  int rowPanels = ceilDiv(block.rows, MR);
  parallelFor(context, ceilDiv(g.n, NR), [&](int j, int worker) {
    float* panel = static_cast<float*>(scratchBytes(context.scratch, kSlotPerWorker + worker, sizeof(float) * NR * kDepthBlock));
    int column = j * NR;
    packPanel(g, panel, block.depth0, column, block.depth);
    for (int i = 0; i < rowPanels; i++) {
      vf tile[MR][NV];
      microKernel(block.depth, packedA + static_cast<size_t>(i) * MR * block.depth, panel, tile);
      writeTile(g, tile, block.row0 + i * MR, column, add);
    }
    fenceStreaming();
  });
}

// Products of a few rows read B once, so they take it as it is and are done when memory is.

// c[r][.] += sum over kDeep rows of B; c [m][columns], a [m] with strides
template <int kDeep, class Element>
inline __attribute__((always_inline)) void addRows(float* c, ptrdiff_t cRow, const float* a, const GemmArgs& g, const Element* b, int columns) {
  int j = 0;
  for (; j + VL <= columns; j += VL) {
    vf w[kDeep];
#pragma GCC unroll 8
    for (int i = 0; i < kDeep; i++) w[i] = load(b + i * g.bRow + j);
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

// B row-major: stripes of columns.
template <class Element>
void fewRows(const Context& context, const GemmArgs& g, const Element* b) {
  constexpr int kStripe = 512;
  parallelFor(context, ceilDiv(g.n, kStripe), [&](int task, int) {
    int c0 = task * kStripe, columns = g.n - c0 < kStripe ? g.n - c0 : kStripe;
    float* c = g.c + c0;
    for (int r = 0; !g.accumulate && r < g.m; r++)
      for (int j = 0; j < columns; j++) c[r * g.cRow + j] = g.bias ? g.bias[c0 + j] : 0.0f;
    int k = 0;
    for (; k + 8 <= g.k; k += 8) addRows<8>(c, g.cRow, g.a + k * g.aColumn, g, b + k * g.bRow + c0, columns);
    for (; k < g.k; k++) addRows<1>(c, g.cRow, g.a + k * g.aColumn, g, b + k * g.bRow + c0, columns);
  });
}

// B stored by column, A by row: inner products.
template <class Element>
void fewRowsTransposed(const Context& context, const GemmArgs& g, const Element* b) {
  constexpr int kColumns = 64;
  parallelFor(context, ceilDiv(g.n, kColumns), [&](int task, int) {
    int end = (task + 1) * kColumns < g.n ? (task + 1) * kColumns : g.n;
    for (int j = task * kColumns; j < end; j++) {
      const Element* w = b + j * g.bColumn;
      float sums[kFewRows];
      for (int r = 0; r < g.m; r += 4) {
        const float* rows[4];
        for (int i = 0; i < 4 && r + i < g.m; i++) rows[i] = g.a + (r + i) * g.aRow;
        if (g.m - r >= 4) dotRows<4>(sums + r, w, rows, g.k);
        else if (g.m - r == 3) dotRows<3>(sums + r, w, rows, g.k);
        else if (g.m - r == 2) dotRows<2>(sums + r, w, rows, g.k);
        else dotRows<1>(sums + r, w, rows, g.k);
      }
      for (int r = 0; r < g.m; r++) {
        float& c = g.c[r * g.cRow + j];
        c = g.accumulate ? c + sums[r] : g.bias ? sums[r] + g.bias[j] : sums[r];
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
  for (int depth0 = 0; depth0 < g.k; depth0 += kDepthBlock)
    for (int row0 = 0; row0 < g.m; row0 += kMaxRows) {
      Block block{row0, g.m - row0 < kMaxRows ? g.m - row0 : kMaxRows, 0, 0, depth0, g.k - depth0 < kDepthBlock ? g.k - depth0 : kDepthBlock};
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
