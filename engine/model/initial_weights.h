#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/model/model.h"

namespace stagecraft {

/// Fills the flat buffer of a stage, `LayoutOf(model, stage).elements` of `type` (float32 or
/// float64): each parameter from a stream of its own, which `seed`, the layer's index in the whole
/// model and the parameter's index in the layer fix. So the same layers begin with the same
/// weights, however the model is cut, and those of both types differ by rounding only. Gaps become
/// 0.
void FillInitialWeights(const Model& model, std::int32_t stage, std::uint64_t seed,
                        ElementType type, std::byte* buffer);

/// Fills the buffer of the running statistics.
void FillInitialBuffers(const StageLayout& layout, ElementType type, std::byte* buffer);

}  // namespace stagecraft
