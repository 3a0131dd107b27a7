#include "traces/costs.h"

#include "schedules/tables.h"

namespace stagecraft {

Table<StageSizes> SizesOf(const Costs& costs) {
  Table<StageSizes> sizes;
  sizes.reserve(costs.stages.size());
  for (const StageCosts& stage : costs.stages) {
    sizes.push_back(stage.sizes);
  }
  return sizes;
}

}  // namespace stagecraft
