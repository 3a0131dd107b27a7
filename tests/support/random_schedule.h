#pragma once

#include <cstdint>
#include <random>

#include "schedules/lower.h"
#include "schedules/schedule.h"
#include "sim/topology.h"
#include "traces/costs.h"

namespace stagecraft::test {

/// Makes valid schedules that no generator would, and costs for them. The same seed gives the same
/// ones everywhere.
class RandomSchedules {
 public:
  explicit RandomSchedules(std::uint64_t seed) : random_(seed) {}

  /// Without communication: up to 4 ranks, 6 stages, 8 micro-batches; several stages per rank,
  /// replicated stages, ranks without a stage, full and split backwards, recomputing, cells,
  /// updates at any time, old versions, predictions. `Verify` is empty.
  Schedule Next();

  /// Zeros, small numbers that tie often, and large ones.
  Costs CostsFor(const Schedule& schedule);
  Topology TopologyFor(const Schedule& schedule);
  ReceivePolicy Policy();

  /// A number in [0, count).
  std::int32_t Below(std::int32_t count) {
    return static_cast<std::int32_t>(random_() % static_cast<std::uint64_t>(count));
  }
  bool OneIn(std::int32_t count) { return Below(count) == 0; }

 private:
  std::int64_t Amount();

  std::mt19937_64 random_;
};

}  // namespace stagecraft::test
