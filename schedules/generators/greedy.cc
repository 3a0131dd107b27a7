#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

#include <fmt/format.h>

#include "schedules/generators.h"
#include "schedules/generators/bounds.h"
#include "schedules/generators/flush_batches.h"
#include "schedules/search/dispatch.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// Most of the micro-batches in the pipeline that rank `rank` may see: as many as fit, in bytes,
/// into the limit and into its room. A rank of a bidirectional one runs each on one of its stages.
std::int64_t MostInFlight(const GeneratorOptions& options, const Placement& placement,
                          std::size_t rank) {
  std::int64_t set = 0;
  for (const std::int32_t stage : placement[rank]) {
    const std::int64_t kept = options.estimates[stage].kept;
    set = options.placement == PlacementKind::kBidirectional ? std::max(set, kept) : set + kept;
  }

  std::int64_t most = std::numeric_limits<std::int32_t>::max();
  if (options.limit && options.limit->unit == ActivationLimit::Unit::kBytes) {
    most = std::min(most, static_cast<std::int64_t>(options.limit->amount) / set);
  }
  if (!options.room.empty()) {
    most = std::min(most, options.room[rank] / set);
  }
  return most;
}

bool KnowsSizes(const GeneratorOptions& options) {
  return std::any_of(options.estimates.begin(), options.estimates.end(),
                     [](const StageEstimate& stage) { return stage.kept > 1; });
}

/// Micro-batches that may be in the pipeline at a time.
std::int32_t MostInFlight(const GeneratorOptions& options, const Placement& placement) {
  std::int64_t most = std::numeric_limits<std::int32_t>::max();
  if (options.limit && options.limit->unit != ActivationLimit::Unit::kBytes) {
    most = SetsOf(*options.limit, options.ranks);
  }
  for (std::size_t rank = 0; KnowsSizes(options) && rank < placement.size(); ++rank) {
    most = std::min(most, MostInFlight(options, placement, rank));
  }
  return static_cast<std::int32_t>(most);
}

/// The ranks that each micro-batch goes through: one way, or two in turn.
Table<Table<std::int32_t>> RoutesFor(const GeneratorOptions& options, const AutoProblem& problem) {
  if (options.placement != PlacementKind::kBidirectional) {
    return {RouteOf(problem)};
  }
  Table<std::int32_t> down(options.ranks);
  std::iota(down.begin(), down.end(), 0);
  return {down, {down.rbegin(), down.rend()}};
}

Placement GreedyPlacement(const GeneratorOptions& options) {
  const std::int32_t chunks = options.chunks.value_or(kDefaultChunks);
  switch (options.placement) {
    case PlacementKind::kLoop:
      return LoopPlacement(options.ranks, chunks);
    case PlacementKind::kZigzag:
      return ZigzagPlacement(options.ranks, chunks);
    case PlacementKind::kBidirectional:
      break;
  }
  return BidirectionalPlacement(options.ranks);
}

/// On any placement: a rank that is free runs the oldest backward that is there, else the oldest
/// forward. In zigzag, with 2 W `chunks`, the order of Hanayo's W waves; `placement` is zigzag
/// unless given.
///
///   -p 2 -m 4
///   rank 0 | 0F0 0F1 0F2 3F0 3B0---- 3F1 3B1---- 0F3 0B0---- .   .   0B1---- 3F2 3B2---- ...
///   rank 1 | .   1F0 2F0 1F1 2F1 1F2 2B0---- 1B0---- 2B1---- 1B1---- 2F2 1F3 2F3 .   . ...
///
/// The order is that of F = 1, B = 2 on every stage and no transfers. Weight copies: 1, of each of
/// 2 stages if bidirectional. Live activations: at most m of each chunk; `limit` bounds the
/// micro-batches in the pipeline, and with it the activation sets of every rank; in bytes it needs
/// the sizes of the stages. Staleness: 0.
/// Source: Liu et al., "Hanayo", SC 2023, for the placement; the rule is plain list scheduling.
Schedule Greedy(const GeneratorOptions& options) {
  AutoProblem problem;
  problem.placement = GreedyPlacement(options);

  const bool twice = options.placement == PlacementKind::kBidirectional;
  problem.stages.resize(problem.placement.size() * (twice ? 1 : problem.placement.front().size()));
  problem.microbatches = options.microbatches;

  DispatchPolicy policy;
  policy.split = false;
  policy.most_in_flight = MostInFlight(options, problem.placement);

  // F takes 1 and a B takes 2: both halves 1, which is what an estimate says unless told otherwise.
  const AutoOrder order = *Dispatch(problem, RoutesFor(options, problem), policy);
  return RepeatBatch(options, problem.placement,
                     [&](std::int32_t rank) { return order.programs[rank]; });
}

std::string RefuseGreedy(const GeneratorOptions& options) {
  const bool twice = options.placement == PlacementKind::kBidirectional;
  if (twice && options.ranks % 2 != 0) {
    return fmt::format("{} ranks; expected an even `ranks` for a bidirectional placement",
                       options.ranks);
  }

  if (twice && options.chunks) {
    return "`chunks` with a bidirectional placement, which has 2; expected one of the two";
  }
  if (twice && options.microbatches < 2) {
    return "1 micro-batch in two directions; expected `microbatches` of at least 2";
  }

  const bool in_bytes = options.limit && options.limit->unit == ActivationLimit::Unit::kBytes;
  if (in_bytes && !KnowsSizes(options)) {
    return "a `limit` in bytes, but no activations are said to take any; expected `activation` "
           "or a profile, or a limit in sets, such as 8 or 2p";
  }
  if (MostInFlight(options, GreedyPlacement(options)) < 1) {
    return "no room for the activations of one micro-batch on some rank; expected a larger `limit` "
           "or `memory`";
  }
  return "";
}

Bounds GreedyBounds(const GeneratorOptions& options) {
  const bool twice = options.placement == PlacementKind::kBidirectional;
  const std::int32_t chunks = options.chunks.value_or(kDefaultChunks);
  const std::int32_t in_flight = MostInFlight(options, GreedyPlacement(options));

  // In two directions each micro-batch is on one of a rank's two stages only.
  const std::int32_t sets = std::min(in_flight, options.microbatches) * (twice ? 1 : chunks);
  return FlushedBounds(options.ranks * (twice ? 1 : chunks),
                       Table<std::int32_t>(options.ranks, sets));
}

}  // namespace

const Generator kGreedy{
    .name = "greedy",
    .make = Greedy,
    .summary = "on any placement: oldest backward first, else oldest forward",
    .bounded = "1 weight copy, m activation sets, staleness 0",
    .bounded_otherwise =
        "`limit`: that many activation sets; `placement` bidirectional: 2 weight "
        "copies (one of each of 2 stages)",
    .bounds = GreedyBounds,
    .source = "Liu et al., SC 2023 (the waves)",
    .takes = kTakesChunks | kTakesPlacement | kTakesLimit,
    .flushes = true,
    .whole_batches = false,
    .refuse = RefuseGreedy,
    .placement = GreedyPlacement};

}  // namespace stagecraft
