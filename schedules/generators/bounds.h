#pragma once

#include <cstdint>
#include <vector>

#include "schedules/generator.h"

namespace stagecraft {

/// Of a schedule that flushes after each batch: one copy of each stage, staleness 0.
Bounds FlushedBounds(std::int32_t stages, Table<std::int32_t> activation_sets);

/// The same on a straight pipeline, on which stage r runs min(`warmup[r]`, m) forwards ahead.
Bounds FlushedBounds(const Table<std::int32_t>& warmup, std::int32_t microbatches);

}  // namespace stagecraft
