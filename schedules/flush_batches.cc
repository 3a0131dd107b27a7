#include "schedules/flush_batches.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace stagecraft {

Schedule MakeFlushed(const GeneratorOptions& options, std::span<const std::int32_t> warmup,
                     Checkpoint checkpoint) {
  Schedule schedule;
  schedule.shape = {options.ranks, options.ranks, options.microbatches * options.batches};
  schedule.placement = StraightPlacement(options.ranks);
  const std::int32_t m = options.microbatches;
  for (std::int32_t stage = 0; stage < options.ranks; ++stage) {
    std::vector<Op>& program = schedule.programs.emplace_back();
    const std::int32_t ahead = std::min(warmup[static_cast<std::size_t>(stage)], m);
    for (std::int32_t batch = 0; batch < options.batches; ++batch) {
      const auto add = [&](OpKind kind, std::int32_t k) {
        program.push_back(
            {.kind = kind, .stage = stage, .microbatch = batch * m + k, .version = batch});
      };
      for (std::int32_t k = 0; k < m + ahead; ++k) {
        if (k < m) {
          add(OpKind::kForward, k);
        }
        if (k < ahead) {
          continue;
        }
        const bool last = k - ahead == m - 1;
        if (checkpoint == Checkpoint::kAll || (checkpoint == Checkpoint::kExceptLast && !last)) {
          add(OpKind::kRecompute, k - ahead);
        }
        add(OpKind::kBackward, k - ahead);
      }
      program.push_back({.kind = OpKind::kStep, .stage = stage, .version = batch});
    }
  }
  return schedule;
}

}  // namespace stagecraft
