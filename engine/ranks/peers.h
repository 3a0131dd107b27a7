#pragma once

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "engine/executor.h"

namespace stagecraft {

/// All pairs of a sender and a receiver of tensors.
std::set<std::pair<std::int32_t, std::int32_t>> DirectedPairs(const ExecutionPlan& plan);

/// Pairs of ranks, the lower one first, that exchange tensors or gradients.
std::set<std::pair<std::int32_t, std::int32_t>> PairsThatTalk(const ExecutionPlan& plan);

/// When groups of ranks meet, each for one round: the first in which no member is in a group before
/// it. All ranks that go through their groups in the order of the rounds come to each at the same
/// time, so that none waits for a long chain of others.
///
///   edges of a chain   0>1 1>0   1>2 2>1   2>3 3>2   3>4 4>3
///   rounds              0   1     2   3     0   1     2   3
std::vector<std::int32_t> MeetingRounds(const std::vector<std::vector<std::int32_t>>& groups);

}  // namespace stagecraft
