#include "traces/timeline_difference.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

#include "schedules/schedule.h"

namespace stagecraft {
namespace {

/// The ops of a cell share one span, which counts once, for the first of them.
bool Counts(const Program& program, std::int32_t index) {
  return !IsCommunication(program[index].kind) && (index == 0 || !program[index - 1].joined);
}

Nanoseconds Length(const Span& span) {
  return span.end - span.start;
}

}  // namespace

double TimelineDifference::Error() const {
  return predicted.count() == 0
             ? 0
             : static_cast<double>(measured.count()) / static_cast<double>(predicted.count()) - 1;
}

TimelineDifference Difference(const Schedule& schedule, const Timeline& predicted,
                              const Timeline& measured) {
  TimelineDifference difference;
  std::map<std::pair<OpKind, std::int32_t>, TimelineDifference::Kind> kinds;
  std::int32_t id = 0;

  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    const Program& program = schedule.programs[rank];
    TimelineDifference::Rank& of_rank = difference.ranks.emplace_back();
    for (std::int32_t i = 0; i < program.Count(); ++i, ++id) {
      if (!Counts(program, i)) {
        continue;
      }

      const Span& before = predicted.spans[id];
      const Span& now = measured.spans[id];
      of_rank.predicted_busy += Length(before);
      of_rank.measured_busy += Length(now);
      of_rank.predicted_end = std::max(of_rank.predicted_end, before.end);
      of_rank.measured_end = std::max(of_rank.measured_end, now.end);

      TimelineDifference::Kind& kind = kinds[{program[i].kind, program[i].stage}];
      ++kind.ops;
      kind.predicted += Length(before);
      kind.measured += Length(now);

      // Starts say more than ends: an op that starts late has waited for others.
      const Nanoseconds late = now.start - before.start;
      if (std::chrono::abs(late) > std::chrono::abs(difference.worst_late)) {
        difference.worst = {rank, i};
        difference.worst_late = late;
      }
    }
    difference.predicted = std::max(difference.predicted, of_rank.predicted_end);
    difference.measured = std::max(difference.measured, of_rank.measured_end);
  }

  for (auto& [key, kind] : kinds) {
    kind.kind = key.first;
    kind.stage = key.second;
    difference.kinds.push_back(kind);
  }

  return difference;
}

}  // namespace stagecraft
