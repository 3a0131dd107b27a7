#include "sim/dry_run.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "schedules/dependencies.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

class DryRun {
 public:
  explicit DryRun(const Schedule& schedule)
      : schedule_(schedule),
        dependencies_(FindDependencies(schedule)),
        done_(schedule),
        next_(schedule.programs.Count()) {
    for (std::int32_t rank = 0; rank < next_.Count(); ++rank) {
      SkipSteps(rank);
    }
  }

  std::optional<std::int64_t> Run() {
    std::int64_t steps = 0;
    Table<bool> ran(next_.Count());
    while (!IsOver()) {
      // Whoever cannot run at first tries once more: its input may have come in this step.
      bool progress = false;
      for (std::int32_t rank = 0; rank < next_.Count(); ++rank) {
        ran[rank] = TryNext(rank);
        progress = progress || ran[rank];
      }

      for (std::int32_t rank = 0; rank < next_.Count(); ++rank) {
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
  const Program& ProgramOf(std::int32_t rank) const { return schedule_.programs[rank]; }

  bool IsOver() const {
    for (std::int32_t rank = 0; rank < next_.Count(); ++rank) {
      if (next_[rank] < ProgramOf(rank).Count()) {
        return false;
      }
    }
    return true;
  }

  /// Runs the rank's next op if what it waits for has run.
  bool TryNext(std::int32_t rank) {
    if (next_[rank] == ProgramOf(rank).Count()) {
      return false;
    }
    const OpRef op{rank, next_[rank]};
    const OpRef input = dependencies_.input[op];
    if (input && done_[input] == 0) {
      return false;
    }
    done_[op] = 1;
    ++next_[rank];
    SkipSteps(rank);
    return true;
  }

  void SkipSteps(std::int32_t rank) {
    const auto is_step = [](const Op& op) {
      return op.kind == OpKind::kStep || op.kind == OpKind::kAllReduce;
    };
    while (next_[rank] < ProgramOf(rank).Count() && is_step(ProgramOf(rank)[next_[rank]])) {
      ++next_[rank];
    }
  }

  const Schedule& schedule_;
  Dependencies dependencies_;
  OpTable<char> done_;
  Table<std::int32_t> next_;  ///< Per rank: its next op.
};

}  // namespace

std::optional<std::int64_t> DryRunSteps(const Schedule& schedule) {
  return DryRun(schedule).Run();
}

}  // namespace stagecraft
