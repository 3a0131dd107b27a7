#include "traces/costs.h"

namespace stagecraft {

std::vector<StageSizes> SizesOf(const Costs& costs) {
  std::vector<StageSizes> sizes;
  sizes.reserve(costs.stages.size());
  for (const StageCosts& stage : costs.stages) {
    sizes.push_back(stage.sizes);
  }
  return sizes;
}

}  // namespace stagecraft
