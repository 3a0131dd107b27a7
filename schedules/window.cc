#include "schedules/window.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <optional>

#include "schedules/check.h"
#include "schedules/drains.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// The newest version of a stage and where it is.
struct Newest {
  std::int32_t version = 0;
  std::int32_t slot = 0;
};

/// The rows of `whole` from `from` to `to`, per rank, as the table of the schedule of just them.
OpTable<std::int32_t> Cut(const OpTable<std::int32_t>& whole, const Drain& from, const Drain& to,
                          const Schedule& cut) {
  OpTable<std::int32_t> kept(cut);
  for (std::int32_t rank = 0; rank < cut.programs.Count(); ++rank) {
    std::ranges::copy(whole.Of(rank).Between(from.end[rank], to.end[rank]), kept.Of(rank).begin());
  }
  return kept;
}

/// Of one rank at the op with index `at`: the newest version of each stage.
std::map<std::int32_t, Newest> NewestAt(const Schedule& schedule, const WeightSlots& slots,
                                        std::int32_t rank, std::int32_t at) {
  std::map<std::int32_t, Newest> newest;
  for (const std::int32_t stage : schedule.placement[rank]) {
    newest[stage] = {};
  }
  for (std::int32_t i = 0; i < at; ++i) {
    const Op& op = schedule.programs[rank][i];
    if (op.kind == OpKind::kStep) {
      newest[op.stage] = {op.version + 1, slots.slot[{rank, i}]};
    }
  }
  return newest;
}

std::vector<LiveWeights> LiveAt(const Schedule& schedule, const WeightSlots& slots,
                                const Drain& drain) {
  std::vector<LiveWeights> live;
  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    const Program& program = schedule.programs[rank];
    const std::map<std::int32_t, Newest> newest = NewestAt(schedule, slots, rank, drain.end[rank]);
    for (const std::int32_t stage : schedule.placement[rank]) {
      const Newest& of_stage = newest.at(stage);

      std::map<std::int32_t, std::int32_t> older;
      for (std::int32_t i = drain.end[rank]; i < program.Count(); ++i) {
        const Op& op = program[i];
        const bool reads = TraitsOf(op.kind).reads_weights && op.horizon == 0;
        if (reads && op.stage == stage && op.version < of_stage.version) {
          older[of_stage.version - op.version] = slots.slot[{rank, i}];
        }
      }

      LiveWeights& found = live.emplace_back();
      found.rank = rank;
      found.stage = stage;
      found.newest = of_stage.slot;
      std::transform(older.begin(), older.end(), std::back_inserter(found.older),
                     [](const auto& entry) {
                       return LiveWeights::Older{entry.first, entry.second};
                     });
    }
  }
  return live;
}

std::optional<Drain> DrainAt(const Schedule& schedule, std::int32_t microbatches) {
  if (microbatches == 0) {
    return Drain{0, Table<std::int32_t>(schedule.programs.size(), 0)};
  }
  for (Drain& drain : FindDrains(schedule)) {
    if (drain.microbatches == microbatches) {
      return std::move(drain);
    }
  }
  return std::nullopt;
}

}  // namespace

bool Contains(const std::vector<MicrobatchRange>& ranges, std::int32_t microbatch) {
  const auto behind =
      std::partition_point(ranges.begin(), ranges.end(),
                           [&](const MicrobatchRange& range) { return range.end <= microbatch; });
  return behind != ranges.end() && behind->begin <= microbatch;
}

bool IsWindow(const Schedule& schedule, MicrobatchRange range) {
  return DrainAt(schedule, range.begin) && DrainAt(schedule, range.end);
}

Window CutWindow(const Schedule& schedule, MicrobatchRange range) {
  const std::optional<Drain> first = DrainAt(schedule, range.begin);
  const std::optional<Drain> last = DrainAt(schedule, range.end);
  STAGECRAFT_CHECK(first && last, "a window begins and ends where the pipeline is empty");
  const Drain& from = *first;
  const Drain& to = *last;

  Window window;
  window.schedule = schedule;
  window.slots = AssignWeightSlots(schedule);
  window.begin = LiveAt(schedule, window.slots, from);
  window.end = LiveAt(schedule, window.slots, to);

  // Micro-batches and versions count from 0 at the beginning.
  window.schedule.shape.microbatches = to.microbatches - from.microbatches;
  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    const std::int32_t begin = from.end[rank];
    const std::int32_t end = to.end[rank];
    const std::map<std::int32_t, Newest> newest = NewestAt(schedule, window.slots, rank, begin);

    Program& program = window.schedule.programs[rank];
    program.erase(program.begin() + end, program.end());
    program.erase(program.begin(), program.begin() + begin);
    for (Op& op : program) {
      op.microbatch -= TraitsOf(op.kind).has_microbatch ? from.microbatches : 0;
      op.version -= TraitsOf(op.kind).has_version ? newest.at(op.stage).version : 0;
    }
  }

  window.slots.slot = Cut(window.slots.slot, from, to, window.schedule);
  window.slots.base = Cut(window.slots.base, from, to, window.schedule);
  return window;
}

}  // namespace stagecraft
