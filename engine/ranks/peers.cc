#include "engine/ranks/peers.h"

#include <algorithm>
#include <cstddef>
#include <map>

namespace stagecraft {

std::set<std::pair<std::int32_t, std::int32_t>> DirectedPairs(const ExecutionPlan& plan) {
  std::set<std::pair<std::int32_t, std::int32_t>> pairs;
  for (std::int32_t rank = 0; rank < plan.schedule.programs.Count(); ++rank) {
    for (const OpRef recv : plan.dependencies.matching_recv.Of(rank)) {
      if (recv) {
        pairs.insert({rank, recv.rank});
      }
    }
  }
  return pairs;
}

std::set<std::pair<std::int32_t, std::int32_t>> PairsThatTalk(const ExecutionPlan& plan) {
  std::set<std::pair<std::int32_t, std::int32_t>> pairs;
  for (const auto& [from, to] : DirectedPairs(plan)) {
    pairs.insert(std::minmax(from, to));
  }
  for (const std::vector<std::int32_t>& members : plan.ranks_of_stage) {
    for (std::size_t i = 1; i < members.size(); ++i) {
      pairs.insert({members.front(), members[i]});
    }
  }
  return pairs;
}

std::vector<std::int32_t> MeetingRounds(const std::vector<std::vector<std::int32_t>>& groups) {
  std::map<std::int32_t, std::set<std::int32_t>> taken;  // Rounds, by rank.
  std::vector<std::int32_t> rounds;
  for (const std::vector<std::int32_t>& group : groups) {
    std::int32_t round = 0;
    const auto is_busy = [&](std::int32_t rank) { return taken[rank].contains(round); };
    while (std::any_of(group.begin(), group.end(), is_busy)) {
      ++round;
    }

    for (const std::int32_t rank : group) {
      taken[rank].insert(round);
    }
    rounds.push_back(round);
  }
  return rounds;
}

}  // namespace stagecraft
