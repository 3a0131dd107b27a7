#pragma once

#include <optional>

#include "schedules/search/problem.h"

namespace stagecraft {

/// The order with the shortest window that a fixed set of rules and parameters finds; among equals
/// the one with the shortest makespan, and then the one that keeps least on any rank. Nothing if
/// one micro-batch does not fit into the limit on some rank. `watch` may be empty. The same problem
/// gives the same order, unless `watch` ends the search. Tries fewer parameters for larger
/// problems, about 20 at least; O(ops log ops) for each, and O(ops * ranks) for those in rounds.
std::optional<AutoOrder> FindOrder(const AutoProblem& problem, const AutoWatch& watch);

}  // namespace stagecraft
