// One table per instruction set; this file is compiled with the others of its set.
#include "elementwise.h"
#include "gemm.h"
#include "peak.h"
#include "sae.h"
#include "synthetic.h"
#include "transformer.h"

#define MONOSEM_STRING2(x) #x
#define MONOSEM_STRING(x) MONOSEM_STRING2(x)

namespace monosem {
namespace MONOSEM_ISA {

extern const KernelTable kTable;
const KernelTable kTable = {
    MONOSEM_STRING(MONOSEM_ISA),
    {nullptr, nullptr},  // dispatch.cc adds the tiles of extensions
    gemm,
    columnSums,
    add,
    addInPlace,
    scaleInPlace,
    mixInPlace,
    clipNorm,
    adam,
    layerNormForward,
    layerNormBackward,
    rmsNormForward,
    rmsNormBackward,
    activationForward,
    activationBackward,
    gatedForward,
    gatedBackward,
    softCapForward,
    softCapBackward,
    rotary,
    attentionForward,
    attentionBackward,
    attentionCachedForward,
    embedForward,
    embedBackward,
    crossEntropyForward,
    crossEntropyBackward,
    klDivergence,
    saeAllocatePacked,
    saeReleasePacked,
    saePack,
    saeStep,
    saeEncode,
    saeDecode,
    saeEncodeFeatures,
    saeSquaredErrors,
    saeCompare,
    saeNormalize,
    saeDenormalizeInPlace,
    saeAddProducts,
    saeAddPairs,
    syntheticSample,
    fmaLoop,
};

}  // namespace MONOSEM_ISA
}  // namespace monosem
