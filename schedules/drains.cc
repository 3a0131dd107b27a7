#include "schedules/drains.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// Where one rank could be drained: after how many micro-batches, at which op.
struct Cut {
  std::int32_t most_before = -1;  ///< Largest micro-batch of an op before it.
  std::int32_t least_behind = 0;  ///< Smallest of one behind it.
  std::int32_t index = 0;
};

/// Which stages have gradients that no S has applied yet.
class Pending {
 public:
  explicit Pending(std::int32_t stages) : pending_(stages, false) {}

  void Take(const Op& op) {
    const bool accumulates = TraitsOf(op.kind).accumulates;
    if (!accumulates && op.kind != OpKind::kStep) {
      return;
    }
    count_ += (accumulates ? 1 : 0) - (pending_[op.stage] ? 1 : 0);
    pending_[op.stage] = accumulates;
  }
  bool IsEmpty() const { return count_ == 0; }

 private:
  Table<bool> pending_;
  std::int32_t count_ = 0;
};

/// Per position: the smallest micro-batch of an op from there on.
Table<std::int32_t> LeastFrom(const Program& program) {
  Table<std::int32_t> least(program.size() + 1, std::numeric_limits<std::int32_t>::max());
  for (std::size_t i = program.size(); i-- > 0;) {
    least[i] = TraitsOf(program[i].kind).has_microbatch
                   ? std::min(least[i + 1], program[i].microbatch)
                   : least[i + 1];
  }
  return least;
}

/// Behind an op, the S and A that follow belong to it.
bool BelongsToOpsBefore(const Program& program, std::int32_t index) {
  return index < program.Count() &&
         (program[index].kind == OpKind::kStep || program[index].kind == OpKind::kAllReduce);
}

std::vector<Cut> FindCuts(const Program& program, std::int32_t stages) {
  const Table<std::int32_t> least = LeastFrom(program);
  std::vector<Cut> cuts;
  Pending pending(stages);
  std::int32_t most = -1;

  for (std::int32_t i = 0; i <= program.Count(); ++i) {
    const bool is_clean = pending.IsEmpty() && most < least[i] && !BelongsToOpsBefore(program, i);
    if (is_clean && (cuts.empty() || cuts.back().most_before < most)) {
      cuts.push_back({most, least[i], i});
    }

    if (i < program.Count()) {
      most =
          TraitsOf(program[i].kind).has_microbatch ? std::max(most, program[i].microbatch) : most;
      pending.Take(program[i]);
    }
  }
  return cuts;
}

}  // namespace

std::vector<Drain> FindDrains(const Schedule& schedule) {
  std::vector<std::vector<Cut>> cuts;
  for (const Program& program : schedule.programs) {
    cuts.push_back(FindCuts(program, schedule.shape.stages));
  }

  // Per rank, the last cut with fewer micro-batches before it; all must agree.
  std::vector<Drain> drains;
  Table<std::size_t> at(cuts.size(), 0);
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
