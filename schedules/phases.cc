#include "schedules/phases.h"

#include <algorithm>

#include "schedules/schedule.h"

namespace stagecraft {
namespace {

bool IsForward(const Op& op) {
  return op.kind == OpKind::kForward;
}
bool IsBackward(const Op& op) {
  return TraitsOf(op.kind).gives_input_gradient;
}

}  // namespace

std::vector<RankPhases> FindPhases(const Schedule& schedule) {
  std::vector<RankPhases> phases;
  phases.reserve(schedule.programs.size());
  for (const Program& program : schedule.programs) {
    RankPhases& rank = phases.emplace_back();
    for (const Op& op : program) {
      ++rank.counts[op.kind];
    }

    const auto first_backward = std::find_if(program.begin(), program.end(), IsBackward);
    if (first_backward == program.end()) {
      rank.steady = rank.cool_down = program.Count();
      continue;
    }

    // Steady is from the F before the first backward to the backward behind the last F.
    const auto last_forward = std::find_if(program.rbegin(), program.rend(), IsForward).base();
    const auto end_of_steady =
        std::max(first_backward, std::find_if(last_forward, program.end(), IsBackward));

    auto steady = first_backward;
    while (steady != program.begin() && !IsForward(*steady)) {
      --steady;
    }
    rank.steady = static_cast<std::int32_t>(steady - program.begin());
    rank.cool_down = static_cast<std::int32_t>(end_of_steady - program.begin()) +
                     (end_of_steady == program.end() ? 0 : 1);
  }
  return phases;
}

}  // namespace stagecraft
