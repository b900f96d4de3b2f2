// Work on the rows of a matrix, a fixed number of them a task.
#pragma once
#include "kernels.h"

namespace monosem {
namespace MONOSEM_ISA {

constexpr int kRowsPerTask = 32;
static inline int rowTasks(int n) { return (n + kRowsPerTask - 1) / kRowsPerTask; }

template <class Body>
static inline void forRows(const Context& context, int n, Body body) {
  parallelFor(context, rowTasks(n), [&](int task, int worker) {
    int end = (task + 1) * kRowsPerTask < n ? (task + 1) * kRowsPerTask : n;
    for (int row = task * kRowsPerTask; row < end; row++) body(row, worker);
  });
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
