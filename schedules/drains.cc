#include "schedules/drains.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace stagecraft {
namespace {

/// Where one rank could be drained: after how many micro-batches, at which op.
struct Cut {
  std::int32_t most_before = -1;  ///< Largest micro-batch of an op before it.
  std::int32_t least_behind = 0;  ///< Smallest of one behind it.
  std::int32_t index = 0;
};

/// Behind an op, the S and A that follow belong to it.
std::vector<Cut> FindCuts(const std::vector<Op>& program, std::int32_t stages) {
  const auto size = static_cast<std::int32_t>(program.size());
  std::vector<std::int32_t> least(program.size() + 1, std::numeric_limits<std::int32_t>::max());
  for (std::size_t i = program.size(); i-- > 0;) {
    least[i] = TraitsOf(program[i].kind).has_microbatch
                   ? std::min(least[i + 1], program[i].microbatch)
                   : least[i + 1];
  }
  std::vector<Cut> cuts;
  std::vector<bool> pending(static_cast<std::size_t>(stages), false);
  std::int32_t stages_pending = 0;
  std::int32_t most = -1;
  for (std::int32_t i = 0; i <= size; ++i) {
    const bool clean = stages_pending == 0 && most < least[static_cast<std::size_t>(i)];
    const OpKind next = i < size ? program[static_cast<std::size_t>(i)].kind : OpKind::kForward;
    const bool has_more = next == OpKind::kStep || next == OpKind::kAllReduce;
    if (clean && !has_more && (cuts.empty() || cuts.back().most_before < most)) {
      cuts.push_back({most, least[static_cast<std::size_t>(i)], i});
    }
    if (i == size) {
      break;
    }
    const Op& op = program[static_cast<std::size_t>(i)];
    if (TraitsOf(op.kind).has_microbatch) {
      most = std::max(most, op.microbatch);
    }
    const auto stage = static_cast<std::size_t>(op.stage);
    if (TraitsOf(op.kind).accumulates && !pending[stage]) {
      pending[stage] = true;
      ++stages_pending;
    } else if (op.kind == OpKind::kStep && pending[stage]) {
      pending[stage] = false;
      --stages_pending;
    }
  }
  return cuts;
}

}  // namespace

std::vector<Drain> FindDrains(const Schedule& schedule) {
  std::vector<std::vector<Cut>> cuts;
  for (const std::vector<Op>& program : schedule.programs) {
    cuts.push_back(FindCuts(program, schedule.shape.stages));
  }
  std::vector<Drain> drains;
  std::vector<std::size_t> at(cuts.size(), 0);
  for (std::int32_t count = 1; count <= schedule.shape.microbatches; ++count) {
    Drain drain{count, {}};
    for (std::size_t rank = 0; rank < cuts.size(); ++rank) {
      const std::vector<Cut>& of_rank = cuts[rank];
      while (at[rank] + 1 < of_rank.size() && of_rank[at[rank] + 1].most_before < count) {
        ++at[rank];
      }
      if (of_rank.empty() || of_rank[at[rank]].most_before >= count ||
          of_rank[at[rank]].least_behind < count) {
        break;
      }
      drain.end.push_back(of_rank[at[rank]].index);
    }
    if (drain.end.size() == cuts.size()) {
      drains.push_back(std::move(drain));
    }
  }
  return drains;
}

}  // namespace stagecraft
