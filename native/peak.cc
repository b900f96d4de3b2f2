// Measures what the machine can do at best, for benchmarks that state how near to it they are.
#include "peak.h"

#include "micro_kernel.h"

namespace monosem {
namespace MONOSEM_ISA {

// The micro-kernel on one panel that stays in L1: no memory traffic worth the name. Returns the operations done.
double fmaLoop(const Context& context, int rounds) {
  constexpr int kDepth = 64;
  int tasks = poolThreads(context.pool) * 8;
  parallelFor(context, tasks, [&](int, int worker) {
    float* panels = static_cast<float*>(scratchBytes(context.scratch, kSlotPerWorker + worker, sizeof(float) * (kDepth * (MR + NR) + VL)));
    for (int i = 0; i < kDepth * (MR + NR); i++) panels[i] = 0.5f;
    vf sink{};
    for (int round = 0; round < rounds; round++) {
      vf tile[MR][NV];
      multiplyPanels<MR>(kDepth, panels, panels + kDepth * MR, tile);
      for (int i = 0; i < MR; i++)
        for (int j = 0; j < NV; j++) sink += tile[i][j];
    }
    store(panels + kDepth * (MR + NR), sink);
  });
  return 2.0 * tasks * rounds * kDepth * MR * NR;
}

}  // namespace MONOSEM_ISA
}  // namespace monosem
