#include "schedules/generators/bounds.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace stagecraft {

Bounds FlushedBounds(std::int32_t stages, std::vector<std::int32_t> activation_sets) {
  const auto count = static_cast<std::size_t>(stages);
  return {.weight_copies = std::vector<std::int32_t>(count, 1),
          .staleness = std::vector<std::int32_t>(count, 0),
          .activation_sets = std::move(activation_sets)};
}

Bounds FlushedBounds(const std::vector<std::int32_t>& warmup, std::int32_t microbatches) {
  std::vector<std::int32_t> sets;
  sets.reserve(warmup.size());
  for (const std::int32_t forwards : warmup) {
    sets.push_back(std::min(forwards + 1, microbatches));
  }
  return FlushedBounds(static_cast<std::int32_t>(warmup.size()), std::move(sets));
}

}  // namespace stagecraft
