#include "sim/metrics.h"

#include <algorithm>
#include <cstddef>

#include "schedules/activations.h"
#include "schedules/schedule.h"
#include "schedules/staleness.h"
#include "schedules/tables.h"
#include "schedules/weight_slots.h"
#include "sim/cycle.h"
#include "sim/transfer_index.h"

namespace stagecraft {
namespace {

double Share(Nanoseconds part, Nanoseconds whole) {
  return whole.count() > 0 ? static_cast<double>(part.count()) / static_cast<double>(whole.count())
                           : 0;
}

/// Busy and idle time of one rank after the other.
class LaneWalk {
 public:
  LaneWalk(const Schedule& schedule, const Dependencies& dependencies, const Timeline& timeline)
      : schedule_(schedule),
        timeline_(timeline),
        ids_(schedule),
        makespan_(Makespan(timeline)),
        transfer_of_(IndexTransfers(schedule, dependencies).of_op) {}

  Nanoseconds AllTime() const { return makespan_; }

  RankMetrics Walk(std::int32_t rank) {
    RankMetrics metrics;
    metrics.rank = rank;

    FindWindow(rank);
    metrics.idle.warm_up = window_.start;
    metrics.idle.cool_down = makespan_ - window_.end;
    Nanoseconds free = window_.start;

    const Program& program = schedule_.programs[rank];
    const Span* spans = timeline_.spans.data() + ids_.Begin(rank);
    for (std::int32_t i = first_; i < last_; ++i) {
      const Op& op = program[i];
      if (IsCommunication(op.kind)) {
        if (spans[i].end > spans[i].start) {
          free = WaitInSend({rank, i}, spans[i], metrics.idle);
        }
        continue;
      }

      if (spans[i].start > free) {
        Wait({rank, i}, free, spans[i].start, metrics.idle);
      }
      if (!op.joined) {
        metrics.busy += spans[i].end - std::max(free, spans[i].start);
      }
      free = op.joined ? spans[i].start : spans[i].end;
    }

    metrics.bubble = makespan_.count() > 0 ? 1 - Share(metrics.busy, makespan_) : 0;
    const Nanoseconds window = window_.end - window_.start;
    metrics.window_bubble = window.count() > 0 ? 1 - Share(metrics.busy, window) : 0;
    return metrics;
  }

 private:
  /// From the first op that takes time to the last. A rank without one only ever waits to begin.
  void FindWindow(std::int32_t rank) {
    const Program& program = schedule_.programs[rank];
    const Span* spans = timeline_.spans.data() + ids_.Begin(rank);
    const auto takes_time = [&](std::int32_t i) {
      return spans[i].end > spans[i].start && !IsCommunication(program[i].kind);
    };

    first_ = 0;
    last_ = program.Count();
    while (first_ < last_ && !takes_time(first_)) {
      ++first_;
    }
    while (last_ > first_ && !takes_time(last_ - 1)) {
      --last_;
    }
    window_ = first_ < last_ ? Span{spans[first_].start, spans[last_ - 1].end}
                             : Span{makespan_, makespan_};
  }

  /// A blocking SEND: until the receiver is there, then until the data is.
  Nanoseconds WaitInSend(OpRef send, const Span& span, IdleTime& idle) const {
    const Transfer& transfer = timeline_.transfers[transfer_of_[send]];
    const Nanoseconds left = std::clamp(transfer.start, span.start, span.end);
    idle.dependency += left - span.start;
    idle.transfer += span.end - left;
    return span.end;
  }

  /// The op at `ref`, or its cell, waits from `free` to `start`: while its last input was on its
  /// way, and before that for the op that makes it.
  void Wait(OpRef ref, Nanoseconds free, Nanoseconds start, IdleTime& idle) const {
    const Program& program = schedule_.programs[ref.rank];
    Nanoseconds arrival{-1};
    Nanoseconds sent{0};

    const std::int32_t end = CellEnd(program, ref.index);
    for (std::int32_t i = ref.index; i < end; ++i) {
      const std::int32_t index = transfer_of_[{ref.rank, i}];
      if (index == kNoTransfer) {
        continue;
      }

      const Transfer& transfer = timeline_.transfers[index];
      const Nanoseconds reached = timeline_.spans[ids_.Of(transfer.send)].start;
      if (transfer.arrival > arrival || (transfer.arrival == arrival && reached < sent)) {
        arrival = transfer.arrival;
        sent = reached;
      }
    }

    const Nanoseconds on_its_way =
        std::max(Nanoseconds(0), std::min(arrival, start) - std::max(sent, free));
    idle.transfer += on_its_way;
    idle.dependency += start - free - on_its_way;
  }

  const Schedule& schedule_;
  const Timeline& timeline_;
  OpIds ids_;
  Nanoseconds makespan_;
  OpTable<std::int32_t> transfer_of_;  ///< As in `TransferIndex`.
  Span window_;                        ///< Of the rank at hand.
  std::int32_t first_ = 0;             ///< Its first op that takes time, ...
  std::int32_t last_ = 0;              ///< ... and one past its last.
};

void MeasureRanks(const Schedule& schedule, const Dependencies& dependencies,
                  const Timeline& timeline, Metrics& metrics) {
  LaneWalk walk(schedule, dependencies, timeline);
  Nanoseconds busy{0};
  for (std::int32_t rank = 0; rank < schedule.shape.ranks; ++rank) {
    metrics.ranks.push_back(walk.Walk(rank));
    busy += metrics.ranks.back().busy;
    metrics.window_bubble = std::max(metrics.window_bubble, metrics.ranks.back().window_bubble);
  }
  metrics.makespan = walk.AllTime();
  metrics.bubble =
      metrics.makespan.count() > 0 ? 1 - Share(busy, metrics.makespan) / schedule.shape.ranks : 0;
}

void MeasureMemory(const Schedule& schedule, const Costs& costs, Metrics& metrics) {
  const Table<RankMemory> memory = PeakMemory(schedule, SizesOf(costs));
  for (RankMetrics& rank : metrics.ranks) {
    const RankMemory& of_rank = memory[rank.rank];
    rank.peak_bytes = of_rank.peak_bytes;
    rank.peak_op = of_rank.peak_op < 0 ? kNoOp : OpRef{rank.rank, of_rank.peak_op};
  }
}

void MeasureStages(const Schedule& schedule, Metrics& metrics) {
  const Table<std::int32_t> sets = PeakActivationSets(schedule);
  const Table<std::int32_t> copies = WeightCopiesOfStages(CountWeightSlots(schedule));
  Table<StageStaleness> staleness = FindStaleness(schedule);

  for (std::int32_t stage = 0; stage < staleness.Count(); ++stage) {
    StageStaleness& found = staleness[stage];
    StageMetrics& of_stage = metrics.stages.emplace_back();
    of_stage.stage = stage;
    of_stage.staleness_steady = found.steady;
    of_stage.staleness_max = found.max;
    of_stage.staleness_histogram = std::move(found.histogram);
    of_stage.nominal_staleness_steady = found.nominal_steady;
    of_stage.activation_sets_peak = sets[stage];
    of_stage.weight_slots = copies[stage];
  }
}

}  // namespace

Metrics Measure(const Schedule& schedule, const Timeline& timeline, const Costs& costs) {
  return Measure(schedule, FindDependencies(schedule), timeline, costs);
}

Metrics Measure(const Schedule& schedule, const Dependencies& dependencies,
                const Timeline& timeline, const Costs& costs) {
  Metrics metrics;
  metrics.ops = static_cast<std::int64_t>(timeline.spans.size());
  MeasureRanks(schedule, dependencies, timeline, metrics);
  MeasureMemory(schedule, costs, metrics);
  MeasureStages(schedule, metrics);

  if (metrics.makespan.count() > 0) {
    metrics.samples_per_second = static_cast<double>(schedule.shape.microbatches) *
                                 costs.microbatch_size * 1e9 /
                                 static_cast<double>(metrics.makespan.count());
  }
  if (const std::optional<Cycle> cycle = FindCycle(schedule, timeline)) {
    metrics.cycle_ns = cycle->PerMicrobatch();
  }
  return metrics;
}

}  // namespace stagecraft
