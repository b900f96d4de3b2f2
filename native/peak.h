#pragma once
#include "kernels.h"
namespace monosem {
namespace MONOSEM_ISA {
double fmaLoop(const Context& context, int rounds);
}
}  // namespace monosem
