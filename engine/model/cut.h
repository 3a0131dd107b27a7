#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/model/model.h"

namespace stagecraft {

/// The units before which a new stage begins, ascending, so that the stage with most work has as
/// little as possible; among equal cuts the one with the earliest boundaries. Exact, O(units^2 *
/// stages). Throws `Error` if there are fewer units than stages.
std::vector<std::int32_t> EvenCut(const std::vector<double>& work, std::int32_t stages);

/// The units as a model of `cut.size() + 1` stages. Throws `Error` unless `cut` ascends strictly
/// within 1 to units - 1.
Model CutModel(const std::vector<std::vector<Layer>>& units, const std::vector<std::int32_t>& cut,
               std::string name);

/// Work of each unit for one sample of the shape `sample`. Throws `Error` if a layer does not fit.
std::vector<double> WorkOfUnits(const std::vector<std::vector<Layer>>& units,
                                const TensorShape& sample);

}  // namespace stagecraft
