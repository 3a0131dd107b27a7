#include "schedules/generators/bounds.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "schedules/tables.h"

namespace stagecraft {

Bounds FlushedBounds(std::int32_t stages, Table<std::int32_t> activation_sets) {
  const auto count = static_cast<std::size_t>(stages);
  return {.weight_copies = Table<std::int32_t>(count, 1),
          .staleness = Table<std::int32_t>(count, 0),
          .activation_sets = std::move(activation_sets)};
}

Bounds FlushedBounds(const Table<std::int32_t>& warmup, std::int32_t microbatches) {
  Table<std::int32_t> sets;
  sets.reserve(warmup.size());
  for (const std::int32_t forwards : warmup) {
    sets.push_back(std::min(forwards + 1, microbatches));
  }
  return FlushedBounds(warmup.Count(), std::move(sets));
}

}  // namespace stagecraft
