// Chooses the best compiled instruction set that this processor has.
#include <string.h>

#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "kernels.h"

namespace monosem {

#if defined(__x86_64__)
namespace avx512 {
extern const KernelTable kTable;
extern const SaeTiles kTiles;
}  // namespace avx512
namespace avx2 {
extern const KernelTable kTable;
extern const SaeTiles kTilesVex, kTilesEvex;
}  // namespace avx2
#endif
namespace baseline {
extern const KernelTable kTable;
#if defined(__aarch64__)
extern const SaeTiles kTiles;
#endif
}  // namespace baseline

namespace {

struct Candidate {
  bool present;
  KernelTable table;
};

// The kernels of an instruction set on processors that have an extension with tiles below fp32.
[[maybe_unused]] KernelTable extended(const char* name, KernelTable table, SaeTiles tiles) {
  table.name = name;
  table.tiles = tiles;
  return table;
}

#if defined(__x86_64__)
// Not every compiler's __builtin_cpu_supports knows it.
bool hasAvxVnni() {
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax >> 4 & 1);
}

std::vector<Candidate> candidates() {
  __builtin_cpu_init();
  bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  bool vnni = avx512 && __builtin_cpu_supports("avx512vnni"), vex = avx2 && avx2::kTilesVex.int8 && hasAvxVnni();
  return {
      {vnni && __builtin_cpu_supports("avx512bf16"), extended("avx512bf16", avx512::kTable, avx512::kTiles)},
      {vnni, extended("avx512vnni", avx512::kTable, {nullptr, avx512::kTiles.int8})},
      {avx512, avx512::kTable},
      {vex || vnni, extended("avx2vnni", avx2::kTable, vex ? avx2::kTilesVex : avx2::kTilesEvex)},
      {avx2, avx2::kTable},
      {true, baseline::kTable},
  };
}
#elif defined(__aarch64__)
#if defined(__APPLE__)
bool hasFeature(const char* name) {
  int value = 0;
  size_t size = sizeof(value);
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value;
}
bool hasDotProduct() { return hasFeature("hw.optional.arm.FEAT_DotProd"); }
bool hasBf16() { return hasFeature("hw.optional.arm.FEAT_BF16"); }
#else
// Bits of the kernel's HWCAP_ASIMDDP and HWCAP2_BF16, which older headers do not name.
bool hasDotProduct() { return getauxval(AT_HWCAP) >> 20 & 1; }
bool hasBf16() { return getauxval(AT_HWCAP2) >> 14 & 1; }
#endif

std::vector<Candidate> candidates() {
  bool dot = hasDotProduct();
  return {
      {dot && hasBf16(), extended("neonbf16", baseline::kTable, baseline::kTiles)},
      {dot, extended("neondot", baseline::kTable, {nullptr, baseline::kTiles.int8})},
      {true, baseline::kTable},
  };
}
#else
std::vector<Candidate> candidates() { return {{true, baseline::kTable}}; }
#endif

}  // namespace

const KernelTable* selectKernelTable(const char* wanted) {
  static const std::vector<Candidate> all = candidates();
  for (const Candidate& one : all)
    if (one.present && (!wanted || strcmp(wanted, one.table.name) == 0)) return &one.table;
  return nullptr;
}

}  // namespace monosem
