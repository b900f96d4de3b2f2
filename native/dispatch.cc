// Chooses the best compiled instruction set that this processor has.
#include <string.h>

#include "kernels.h"

namespace monosem {

#if defined(__x86_64__)
namespace avx512bf16 { extern const KernelTable kTable; }
namespace avx512 { extern const KernelTable kTable; }
namespace avx2 { extern const KernelTable kTable; }
#endif
namespace baseline { extern const KernelTable kTable; }

const KernelTable* selectKernelTable(const char* wanted) {
  auto matches = [wanted](const char* name) { return !wanted || strcmp(wanted, name) == 0; };
#if defined(__x86_64__)
  __builtin_cpu_init();
  bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
  if (matches("avx512bf16") && avx512 && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni")) return &avx512bf16::kTable;
  if (matches("avx512") && avx512) return &avx512::kTable;
  if (matches("avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &avx2::kTable;
#endif
  return matches("baseline") ? &baseline::kTable : nullptr;
}

}  // namespace monosem
