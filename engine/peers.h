#pragma once

#include <cstdint>
#include <set>
#include <utility>

#include "engine/executor.h"

namespace stagecraft {

/// Senders and receivers of tensors.
std::set<std::pair<std::int32_t, std::int32_t>> DirectedPairs(const ExecutionPlan& plan);

/// Pairs of ranks, the lower one first, that exchange tensors or gradients.
std::set<std::pair<std::int32_t, std::int32_t>> PairsThatTalk(const ExecutionPlan& plan);

}  // namespace stagecraft
