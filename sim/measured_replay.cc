#include "sim/measured_replay.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "schedules/dependencies.h"
#include "schedules/progress.h"

namespace stagecraft {

namespace {

OpRef InputOf(const Dependencies& dependencies, OpRef op) {
  return dependencies.input[static_cast<std::size_t>(op.rank)][static_cast<std::size_t>(op.index)];
}

/// The op whose tensor `op` works on, on whichever rank.
OpRef MakerOf(const Schedule& schedule, const Dependencies& dependencies, OpRef op) {
  OpRef input = InputOf(dependencies, op);
  if (input && TraitsOf(schedule.At(input).kind).is_recv) {
    input = InputOf(dependencies, InputOf(dependencies, input));  // Its SEND, and who made it.
  }
  return input;
}

Nanoseconds Median(std::vector<Nanoseconds>& values) {
  if (values.empty()) {
    return Nanoseconds(0);
  }
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

class MeasuredReplay {
 public:
  MeasuredReplay(const Schedule& schedule, const Timeline& measured, const Delays& delays)
      : schedule_(schedule),
        measured_(measured),
        delays_(delays),
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
      if (IsCommunication(schedule_.At(op).kind)) {
        replayed_.spans[id] = {lane, lane};
        continue;
      }
      const Nanoseconds start = std::max(lane, Arrival(op)) + delays_.dispatch;
      lane = start + (measured_.spans[id].end - measured_.spans[id].start);
      replayed_.spans[id] = {start, lane};
    }
    return std::move(replayed_);
  }

 private:
  /// When what the op waits for is there.
  Nanoseconds Arrival(OpRef op) {
    if (schedule_.At(op).kind == OpKind::kAllReduce) {
      return Meeting(op);
    }
    const OpRef maker = MakerOf(schedule_, dependencies_, op);
    if (!maker) {
      return Nanoseconds(0);
    }
    return replayed_.spans[static_cast<std::size_t>(ids_.Of(maker))].end +
           (maker.rank == op.rank ? Nanoseconds(0) : delays_.hop);
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

  const Schedule& schedule_;
  const Timeline& measured_;
  Delays delays_;
  Dependencies dependencies_;
  OpIds ids_;
  std::vector<Nanoseconds> free_;                ///< Per rank.
  std::vector<std::optional<Nanoseconds>> met_;  ///< Per collective.
  Timeline replayed_;
};

}  // namespace

Delays MeasureDelays(const Schedule& schedule, const Timeline& measured,
                     const std::vector<MicrobatchRange>& ranges) {
  const Dependencies dependencies = FindDependencies(schedule);
  const OpIds ids(schedule);
  std::vector<Nanoseconds> behind_own;
  std::vector<Nanoseconds> behind_other;
  for (std::size_t rank = 0; rank < schedule.programs.size(); ++rank) {
    Nanoseconds lane(0);
    for (std::size_t i = 0; i < schedule.programs[rank].size(); ++i) {
      const Op& op = schedule.programs[rank][i];
      if (IsCommunication(op.kind)) {
        continue;
      }
      const OpRef ref{static_cast<std::int32_t>(rank), static_cast<std::int32_t>(i)};
      const Span& span = measured.spans[static_cast<std::size_t>(ids.Of(ref))];
      const bool counts = IsCompute(op.kind) && Contains(ranges, op.microbatch);
      const OpRef maker = MakerOf(schedule, dependencies, ref);
      if (counts && i > 0) {
        const bool waited = maker && maker.rank != ref.rank &&
                            measured.spans[static_cast<std::size_t>(ids.Of(maker))].end > lane;
        if (waited) {
          behind_other.push_back(span.start -
                                 measured.spans[static_cast<std::size_t>(ids.Of(maker))].end);
        } else {
          behind_own.push_back(span.start - lane);
        }
      }
      lane = span.end;
    }
  }
  Delays delays;
  delays.dispatch = Median(behind_own);
  delays.hop = std::max(Median(behind_other) - delays.dispatch, Nanoseconds(0));
  return delays;
}

Timeline ReplayMeasured(const Schedule& schedule, const Timeline& measured, const Delays& delays) {
  return MeasuredReplay(schedule, measured, delays).Run();
}

}  // namespace stagecraft
