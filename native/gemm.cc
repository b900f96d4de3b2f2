// Packed matrix product after Goto & van de Geijn (2008): A and B are copied into panels that the micro-kernel reads
// in order; blocks are sized for the caches. Every element of C is summed in an order fixed by the shapes alone.
#include "gemm.h"

#include "micro_kernel.h"

namespace monosem {
namespace MONOSEM_ISA {

namespace {

constexpr int kDepthBlock = 512;            // a panel of B: 512 * NR * 4 bytes, streamed from L2
constexpr int kRowBlock = 8 * MR;           // rows of A that stay in L2 while the columns pass
constexpr int kFewRowPanels = 16;           // up to here a task takes all rows
constexpr int kMaxRows = 512 * MR;          // rows packed at a time
constexpr int kMaxColumns = 2048;           // columns packed at a time: 4 MB of B

struct Block {
  int row0, rows, column0, columns, depth0, depth;
};

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
  const float* b = g.b + block.depth0 * g.bRow;
  parallelFor(context, ceilDiv(g.n, NR), [&](int j, int worker) {
    float* panel = static_cast<float*>(scratchBytes(context.scratch, kSlotPerWorker + worker, sizeof(float) * NR * kDepthBlock));
    int column = j * NR;
    packColumns(panel, b + column * g.bColumn, g.bRow, g.bColumn, g.n - column < NR ? g.n - column : NR, block.depth);
    for (int i = 0; i < rowPanels; i++) {
      vf tile[MR][NV];
      microKernel(block.depth, packedA + static_cast<size_t>(i) * MR * block.depth, panel, tile);
      writeTile(g, tile, block.row0 + i * MR, column, add);
    }
    fenceStreaming();
  });
}

// One or a few rows: not worth packing B, which is read once. Row-major B only.
void fewRows(const Context& context, const GemmArgs& g) {
  constexpr int kChunk = 256;
  parallelFor(context, ceilDiv(g.n, kChunk), [&](int task, int) {
    int c0 = task * kChunk, columns = g.n - c0 < kChunk ? g.n - c0 : kChunk;
    for (int r = 0; r < g.m; r++) {
      float* c = g.c + r * g.cRow + c0;
      if (!g.accumulate)
        for (int j = 0; j < columns; j++) c[j] = g.bias ? g.bias[c0 + j] : 0.0f;
      for (int k = 0; k < g.k; k++) axpy(c, g.a[r * g.aRow + k * g.aColumn], g.b + k * g.bRow + c0, columns);
    }
  });
}

}  // namespace

void gemm(const Context& context, const GemmArgs& g) {
  if (g.m == 0 || g.n == 0) return;
  if ((g.m <= 4 && g.bColumn == 1) || g.k == 0) return fewRows(context, g);
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
        const float* b = g.b + depth0 * g.bRow + column0 * g.bColumn;
        parallelFor(context, ceilDiv(columnPanels, 4), [&](int task, int) {
          for (int j = task * 4; j < task * 4 + 4 && j < columnPanels; j++)
            packColumns(packedB + static_cast<size_t>(j) * NR * block.depth, b + j * NR * g.bColumn, g.bRow, g.bColumn,
                        block.columns - j * NR < NR ? block.columns - j * NR : NR, block.depth);
        });
        multiplyPacked(context, g, block, packedA, packedB);
      }
    }
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
