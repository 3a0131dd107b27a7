#include "sim/dry_run.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "schedules/dependencies.h"

namespace stagecraft {
namespace {

class DryRun {
 public:
  explicit DryRun(const Schedule& schedule)
      : schedule_(schedule),
        dependencies_(FindDependencies(schedule)),
        ids_(schedule),
        done_(static_cast<std::size_t>(ids_.Size())),
        next_(schedule.programs.size()) {
    for (std::size_t rank = 0; rank < next_.size(); ++rank) {
      SkipSteps(rank);
    }
  }

  std::optional<std::int64_t> Run() {
    std::int64_t steps = 0;
    std::vector<bool> ran(next_.size());
    while (!IsOver()) {
      bool progress = false;
      for (std::size_t rank = 0; rank < next_.size(); ++rank) {
        ran[rank] = TryNext(rank);
        progress = progress || ran[rank];
      }
      for (std::size_t rank = 0; rank < next_.size(); ++rank) {
        if (!ran[rank]) {
          TryNext(rank);
        }
      }
      if (!progress) {
        return std::nullopt;
      }
      ++steps;
    }
    return steps;
  }

 private:
  const std::vector<Op>& Program(std::size_t rank) const { return schedule_.programs[rank]; }

  bool IsOver() const {
    for (std::size_t rank = 0; rank < next_.size(); ++rank) {
      if (next_[rank] < Program(rank).size()) {
        return false;
      }
    }
    return true;
  }

  std::size_t IdOf(OpRef op) const { return static_cast<std::size_t>(ids_.Of(op)); }

  /// Runs the rank's next op if what it waits for has run.
  bool TryNext(std::size_t rank) {
    if (next_[rank] == Program(rank).size()) {
      return false;
    }
    const OpRef input = dependencies_.input[rank][next_[rank]];
    if (input && !done_[IdOf(input)]) {
      return false;
    }
    done_[IdOf({static_cast<std::int32_t>(rank), static_cast<std::int32_t>(next_[rank])})] = true;
    ++next_[rank];
    SkipSteps(rank);
    return true;
  }

  void SkipSteps(std::size_t rank) {
    const auto is_step = [](const Op& op) {
      return op.kind == OpKind::kStep || op.kind == OpKind::kAllReduce;
    };
    while (next_[rank] < Program(rank).size() && is_step(Program(rank)[next_[rank]])) {
      ++next_[rank];
    }
  }

  const Schedule& schedule_;
  Dependencies dependencies_;
  OpIds ids_;
  std::vector<bool> done_;
  std::vector<std::size_t> next_;
};

}  // namespace

std::optional<std::int64_t> DryRunSteps(const Schedule& schedule) {
  return DryRun(schedule).Run();
}

}  // namespace stagecraft
