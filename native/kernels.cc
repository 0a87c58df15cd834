// Compiled once per instruction set: FCAENET_VARIANT names the namespace, FCAENET_TABLE the exported table.
#include "kernels.h"

#include "batch_norm.h"
#include "depthwise.h"
#include "elementwise.h"
#include "matrix.h"
#include "pooling.h"
#include "tap_products.h"
#include "winograd.h"
#include "winograd_filter.h"

namespace fcaenet {

#define FCAENET_TEXT_OF(name) #name
#define FCAENET_TEXT(name) FCAENET_TEXT_OF(name)

extern const Kernels FCAENET_TABLE = {
    FCAENET_TEXT(FCAENET_VARIANT),
    FCAENET_VARIANT::Widest::width > 8,
    FCAENET_VARIANT::panelWidth,
    FCAENET_VARIANT::scratchBytesNow,
    FCAENET_VARIANT::batchNormForward,
    FCAENET_VARIANT::batchNormBackward,
    FCAENET_VARIANT::batchNormInference,
    FCAENET_VARIANT::tapForward,
    FCAENET_VARIANT::tapInput,
    FCAENET_VARIANT::tapFilter,
    FCAENET_VARIANT::winogradForward,
    FCAENET_VARIANT::winogradInput,
    FCAENET_VARIANT::winogradFilter,
    FCAENET_VARIANT::depthwise,
    FCAENET_VARIANT::depthwiseInput,
    FCAENET_VARIANT::depthwiseFilter,
    FCAENET_VARIANT::maxPool,
    FCAENET_VARIANT::maxPoolInput,
    FCAENET_VARIANT::relu,
    FCAENET_VARIANT::reluInput,
    FCAENET_VARIANT::add,
    FCAENET_VARIANT::subtract,
    FCAENET_VARIANT::multiply,
    FCAENET_VARIANT::addRows,
    FCAENET_VARIANT::matrixProduct,
    FCAENET_VARIANT::sumMiddle,
};

}  // namespace fcaenet
