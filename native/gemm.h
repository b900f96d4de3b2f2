#pragma once
#include "kernels.h"
namespace monosem {
namespace MONOSEM_ISA {
void gemm(const Context& context, const GemmArgs& args);
}
}  // namespace monosem
