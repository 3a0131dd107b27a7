#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "schedules/lower.h"
#include "schedules/registry.h"
#include "traces/costs.h"

namespace stagecraft::bench {

/// A lowered flush schedule with F = 1 ms and B = 2 ms on every stage, no hops, some bytes: its
/// makespan is (m + p - 1) * 3 ms.
struct Pipeline {
  Schedule schedule;
  Costs costs;
  Nanoseconds makespan{0};
};

inline Pipeline OneFOneBPipeline(std::int32_t ranks, std::int32_t microbatches) {
  Pipeline pipeline;
  pipeline.schedule =
      Lower(OrThrow(Generate("1f1b", {.ranks = ranks, .microbatches = microbatches})));
  pipeline.costs.stages.resize(static_cast<std::size_t>(ranks));
  for (StageCosts& stage : pipeline.costs.stages) {
    stage.forward = std::chrono::milliseconds(1);
    stage.backward = std::chrono::milliseconds(2);
    stage.sizes.activation_bytes = 100;
    stage.sizes.output_bytes = 10;
  }
  pipeline.makespan = (microbatches + ranks - 1) * std::chrono::milliseconds(3);
  return pipeline;
}

}  // namespace stagecraft::bench
