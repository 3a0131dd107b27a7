#include "schedules/generators/flush_batches.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// A behind S for every stage of a rank; ascending, so that all ranks reduce in the same order.
Program Steps(Table<std::int32_t> stages, const Table<Table<std::int32_t>>& ranks_of_stage) {
  std::sort(stages.begin(), stages.end());
  Program steps;
  for (const std::int32_t stage : stages) {
    if (ranks_of_stage[stage].size() > 1) {
      steps.push_back({.kind = OpKind::kAllReduce, .stage = stage});
    }
    steps.push_back({.kind = OpKind::kStep, .stage = stage});
  }
  return steps;
}

/// Stages that a placement needs: one more than the largest.
std::int32_t StagesOf(const Placement& placement) {
  std::int32_t stages = 0;
  for (const Table<std::int32_t>& of_rank : placement) {
    stages = std::max(stages, *std::max_element(of_rank.begin(), of_rank.end()) + 1);
  }
  return stages;
}

}  // namespace

Schedule RepeatBatch(const GeneratorOptions& options, Placement placement,
                     const BatchProgram& program) {
  Schedule schedule;
  schedule.shape = {options.ranks, StagesOf(placement), options.microbatches * options.batches};
  schedule.placement = std::move(placement);
  const Table<Table<std::int32_t>> ranks_of_stage = RanksOfStages(schedule);
  for (std::int32_t rank = 0; rank < options.ranks; ++rank) {
    Program batch = program(rank);
    const Program steps = Steps(schedule.placement[rank], ranks_of_stage);
    batch.insert(batch.end(), steps.begin(), steps.end());
    Program& all = schedule.programs.emplace_back();
    all.reserve(std::int64_t{batch.Count()} * options.batches);
    for (std::int32_t b = 0; b < options.batches; ++b) {
      for (Op op : batch) {
        op.microbatch += TraitsOf(op.kind).has_microbatch ? b * options.microbatches : 0;
        op.version = b;
        all.push_back(op);
      }
    }
  }
  return schedule;
}

Schedule MakeFlushed(const GeneratorOptions& options, TableView<const std::int32_t> warmup,
                     Checkpoint checkpoint) {
  const std::int32_t m = options.microbatches;
  return RepeatBatch(options, StraightPlacement(options.ranks), [&](std::int32_t stage) {
    Program program;
    const auto add = [&](OpKind kind, std::int32_t k) {
      program.push_back({.kind = kind, .stage = stage, .microbatch = k});
    };
    const std::int32_t ahead = std::min(warmup[stage], m);
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
    return program;
  });
}

}  // namespace stagecraft
