#include "sim/measured_replay.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "schedules/dependencies.h"
#include "schedules/progress.h"

namespace stagecraft {

namespace {

class MeasuredReplay {
 public:
  MeasuredReplay(const Schedule& schedule, const Timeline& measured)
      : schedule_(schedule),
        measured_(measured),
        dependencies_(FindDependencies(schedule)),
        ids_(schedule),
        free_(schedule.programs.size(), Nanoseconds(0)),
        met_(dependencies_.collectives.size()) {
    replayed_.spans.resize(measured.spans.size());
  }

  Timeline Run() {
    for (const OpRef op : OrderOps(schedule_, dependencies_, SendMode::kEager).order) {
      const auto id = static_cast<std::size_t>(ids_.Of(op));
      Nanoseconds& lane = free_[static_cast<std::size_t>(op.rank)];
      const Nanoseconds start = std::max(lane, Arrival(op));
      if (!IsCommunication(schedule_.At(op).kind)) {
        lane = start + (measured_.spans[id].end - measured_.spans[id].start);
      }
      replayed_.spans[id] = {start, lane};
    }
    return std::move(replayed_);
  }

 private:
  /// When what the op waits for is there.
  Nanoseconds Arrival(OpRef op) {
    const OpKind kind = schedule_.At(op).kind;
    if (kind == OpKind::kAllReduce) {
      return Meeting(op);
    }
    if (IsCommunication(kind)) {
      return Nanoseconds(0);
    }
    OpRef input = InputOf(op);
    if (input && TraitsOf(schedule_.At(input).kind).is_recv) {
      input = InputOf(InputOf(input));  // The RECV's SEND, and who made what it carries.
    }
    return input ? replayed_.spans[static_cast<std::size_t>(ids_.Of(input))].end : Nanoseconds(0);
  }

  /// When every member has come. The first that asks finds all ops before it done.
  Nanoseconds Meeting(OpRef op) {
    for (std::size_t i = 0; i < met_.size(); ++i) {
      const std::vector<OpRef>& members = dependencies_.collectives[i].members;
      if (std::find(members.begin(), members.end(), op) == members.end()) {
        continue;
      }
      if (!met_[i]) {
        met_[i] = Nanoseconds(0);
        for (const OpRef member : members) {
          met_[i] = std::max(*met_[i], free_[static_cast<std::size_t>(member.rank)]);
        }
      }
      return *met_[i];
    }
    return Nanoseconds(0);
  }

  OpRef InputOf(OpRef op) const {
    return dependencies_
        .input[static_cast<std::size_t>(op.rank)][static_cast<std::size_t>(op.index)];
  }

  const Schedule& schedule_;
  const Timeline& measured_;
  Dependencies dependencies_;
  OpIds ids_;
  std::vector<Nanoseconds> free_;                ///< Per rank.
  std::vector<std::optional<Nanoseconds>> met_;  ///< Per collective.
  Timeline replayed_;
};

}  // namespace

Timeline ReplayMeasured(const Schedule& schedule, const Timeline& measured) {
  return MeasuredReplay(schedule, measured).Run();
}

}  // namespace stagecraft
