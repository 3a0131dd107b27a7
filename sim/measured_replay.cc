#include "sim/measured_replay.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "schedules/dependencies.h"
#include "schedules/progress.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {

namespace {

/// The op whose tensor `op` works on, on whichever rank.
OpRef MakerOf(const Schedule& schedule, const Dependencies& dependencies, OpRef op) {
  OpRef input = dependencies.input[op];
  if (input && TraitsOf(schedule.At(input).kind).is_recv) {
    input = dependencies.input[dependencies.input[input]];  // Its SEND, and who made it.
  }
  return input;
}

/// From the begin of the last member to the end of `op`, which is one.
Nanoseconds TimeOfAllReduce(const Collective& collective, const Timeline& measured,
                            const OpIds& ids, OpRef op) {
  Nanoseconds begin(0);
  for (const OpRef member : collective.members) {
    begin = std::max(begin, measured.spans[ids.Of(member)].start);
  }
  const Nanoseconds end = measured.spans[ids.Of(op)].end;
  return std::max(end - begin, Nanoseconds(0));
}

Nanoseconds Median(Table<Nanoseconds>& values) {
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
      const std::int32_t id = ids_.Of(op);
      Nanoseconds& lane = free_[op.rank];
      if (IsCommunication(schedule_.At(op).kind)) {
        replayed_.spans[id] = {lane, lane};
        continue;
      }
      const Nanoseconds start = std::max(lane, Arrival(op)) + delays_.dispatch;
      lane = start + TimeOf(op);
      replayed_.spans[id] = {start, lane};
    }
    return std::move(replayed_);
  }

 private:
  Nanoseconds TimeOf(OpRef op) const {
    if (schedule_.At(op).kind == OpKind::kAllReduce) {
      return TimeOfAllReduce(dependencies_.collectives[dependencies_.collective[op]], measured_,
                             ids_, op);
    }
    const Span& span = measured_.spans[ids_.Of(op)];
    return span.end - span.start;
  }

  /// When what the op waits for is there.
  Nanoseconds Arrival(OpRef op) {
    if (schedule_.At(op).kind == OpKind::kAllReduce) {
      return Meeting(op);
    }
    const OpRef maker = MakerOf(schedule_, dependencies_, op);
    if (!maker) {
      return Nanoseconds(0);
    }
    return replayed_.spans[ids_.Of(maker)].end +
           (maker.rank == op.rank ? Nanoseconds(0) : delays_.hop);
  }

  /// When every member has come. The first that asks finds all ops before it done.
  Nanoseconds Meeting(OpRef op) {
    const std::int32_t i = dependencies_.collective[op];
    if (!met_[i]) {
      met_[i] = Nanoseconds(0);
      for (const OpRef member : dependencies_.collectives[i].members) {
        met_[i] = std::max(*met_[i], free_[member.rank]);
      }
    }
    return *met_[i];
  }

  const Schedule& schedule_;
  const Timeline& measured_;
  Delays delays_;
  Dependencies dependencies_;
  OpIds ids_;
  Table<Nanoseconds> free_;                ///< Per rank.
  Table<std::optional<Nanoseconds>> met_;  ///< Per collective.
  Timeline replayed_;
};

}  // namespace

Delays MeasureDelays(const Schedule& schedule, const Timeline& measured,
                     const Table<MicrobatchRange>& ranges) {
  const Dependencies dependencies = FindDependencies(schedule);
  const OpIds ids(schedule);
  Table<Nanoseconds> behind_own;
  Table<Nanoseconds> behind_other;
  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    Nanoseconds lane(0);
    for (std::int32_t i = 0; i < schedule.programs[rank].Count(); ++i) {
      const Op& op = schedule.programs[rank][i];
      if (IsCommunication(op.kind)) {
        continue;
      }

      const OpRef ref{rank, i};
      const Span& span = measured.spans[ids.Of(ref)];
      const bool counts = IsCompute(op.kind) && Contains(ranges, op.microbatch);
      const OpRef maker = MakerOf(schedule, dependencies, ref);
      if (counts && i > 0) {
        const bool waited =
            maker && maker.rank != ref.rank && measured.spans[ids.Of(maker)].end > lane;
        if (waited) {
          behind_other.push_back(span.start - measured.spans[ids.Of(maker)].end);
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

Table<Nanoseconds> MeasureAllReduces(const Schedule& schedule, const Timeline& measured,
                                     const Table<MicrobatchRange>& ranges) {
  const Dependencies dependencies = FindDependencies(schedule);
  const OpIds ids(schedule);
  const auto counts = [&](OpRef op) {
    const Program& program = schedule.programs[op.rank];
    std::int32_t at = op.index;
    while (at >= 0 && !IsCompute(program[at].kind)) {
      --at;
    }
    return at >= 0 && Contains(ranges, program[at].microbatch);
  };

  Table<Nanoseconds> sum(schedule.shape.stages, Nanoseconds(0));
  Table<std::int64_t> number(sum.size(), 0);
  for (const Collective& collective : dependencies.collectives) {
    const std::int32_t stage = collective.stage;
    for (const OpRef member : collective.members) {
      if (counts(member)) {
        sum[stage] += TimeOfAllReduce(collective, measured, ids, member);
        ++number[stage];
      }
    }
  }

  for (std::int32_t stage = 0; stage < sum.Count(); ++stage) {
    sum[stage] /= std::max<std::int64_t>(number[stage], 1);
  }
  return sum;
}

Timeline ReplayMeasured(const Schedule& schedule, const Timeline& measured, const Delays& delays) {
  return MeasuredReplay(schedule, measured, delays).Run();
}

}  // namespace stagecraft
