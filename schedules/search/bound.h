#pragma once

#include <cstdint>

#include "schedules/search/problem.h"

namespace stagecraft {

/// A time that the window of some rank takes in every order within the limit. The longest, over
/// the ranks, of: its work; the way of the first micro-batch from its first forward here to its
/// last backward, with what the limit lets the rank do meanwhile; the same backwards from its last
/// micro-batch; and the rounds that a batch takes if no more micro-batches fit. O(ranks * stages).
std::int64_t WindowBound(const AutoProblem& problem);

}  // namespace stagecraft
