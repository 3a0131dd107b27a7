#include "schedules/search/automatic.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "schedules/generators/bounds.h"
#include "schedules/generators/flush_batches.h"
#include "schedules/search/order_search.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

constexpr ActivationLimit kDefaultLimit{1, ActivationLimit::Unit::kTimesRanks};

/// What one micro-batch leaves on a rank.
std::int64_t SetOf(const AutoProblem& problem, std::size_t rank) {
  std::int64_t set = 0;
  for (const std::int32_t stage : problem.placement[rank]) {
    set += problem.stages[stage].kept;
  }
  return set;
}

/// `sets` times `set`, or as much as sums of them can still be had of.
std::int64_t Room(std::int32_t sets, std::int64_t set) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 4;
  return set > kMost / sets ? kMost : set * sets;
}

AutoProblem ProblemFor(const GeneratorOptions& options, const Placement& placement) {
  AutoProblem problem;
  problem.placement = placement;
  problem.microbatches = options.microbatches;
  problem.stages = options.estimates;
  problem.stages.resize(placement.size() * placement.front().size());

  // The default limit is for those who say nothing of memory.
  const bool has_room = options.room.size() == placement.size();
  const std::optional<ActivationLimit> limit =
      options.limit || has_room ? options.limit : std::optional(kDefaultLimit);

  for (std::size_t rank = 0; rank < placement.size(); ++rank) {
    std::int64_t most = Room(options.microbatches, SetOf(problem, rank));
    if (limit) {
      most = limit->unit == ActivationLimit::Unit::kBytes
                 ? static_cast<std::int64_t>(limit->amount)
                 : Room(SetsOf(*limit, options.ranks), SetOf(problem, rank));
    }
    problem.limits.push_back(has_room ? std::min(most, options.room[rank]) : most);
  }
  return problem;
}

}  // namespace

Schedule MakeAutomatic(const GeneratorOptions& options, const Placement& placement) {
  const AutoOrder order = *FindOrder(ProblemFor(options, placement), options.watch);
  return RepeatBatch(options, placement, [&](std::int32_t rank) { return order.programs[rank]; });
}

Bounds AutomaticBounds(const GeneratorOptions& options, const Placement& placement) {
  const ActivationLimit limit = options.limit.value_or(kDefaultLimit);
  const auto per_rank = placement.front().Count();
  const auto ranks = placement.Count();

  // Stages of unequal sizes, or a part that I frees, make more or fewer sets of the same bytes.
  Table<std::int32_t> sets;
  if (limit.unit != ActivationLimit::Unit::kBytes && options.estimates.empty()) {
    const std::int32_t most = std::min(SetsOf(limit, ranks), options.microbatches);
    sets.assign(placement.size(), most * per_rank);
  }
  return FlushedBounds(ranks * per_rank, std::move(sets));
}

std::string RefuseAutomatic(const GeneratorOptions& options, const Placement& placement) {
  const std::size_t stages = placement.size() * placement.front().size();
  if (!options.estimates.empty() && options.estimates.size() != stages) {
    return fmt::format("costs of {} stages; expected those of {}", options.estimates.size(),
                       stages);
  }

  const AutoProblem problem = ProblemFor(options, placement);
  const bool has_sizes = std::any_of(problem.stages.begin(), problem.stages.end(),
                                     [](const StageEstimate& stage) { return stage.kept > 1; });
  if (options.limit && options.limit->unit == ActivationLimit::Unit::kBytes && !has_sizes) {
    return "a `limit` in bytes, but no activations are said to take any; expected `activation` "
           "or a profile, or a limit in sets, such as 8 or 2p";
  }

  // Without room for one micro-batch nothing could ever run.
  for (std::size_t rank = 0; rank < placement.size(); ++rank) {
    const std::int64_t set = SetOf(problem, rank);
    const bool has_room = options.room.empty() || options.room[rank] >= set;
    if (!has_room && !has_sizes) {
      return fmt::format(
          "weights and optimizer leave nothing of --memory on rank {}, and no activations are said "
          "to take any; expected a larger --memory, and --activation or a profile",
          rank);
    }
    if (!has_room) {
      return fmt::format(
          "room for {} bytes of activations on rank {}, beside its weights, optimizer and buffers, "
          "but one micro-batch keeps {}; expected a larger `memory`",
          std::max(options.room[rank], std::int64_t{0}), rank, set);
    }

    if (problem.limits[rank] < set) {
      return fmt::format(
          "a `limit` of {} bytes, but one micro-batch keeps {} on rank {}; expected at least that",
          problem.limits[rank], set, rank);
    }
  }
  return "";
}

}  // namespace stagecraft
