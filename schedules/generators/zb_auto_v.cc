#include "schedules/generators.h"
#include "schedules/placements.h"
#include "schedules/search/automatic.h"

namespace stagecraft {
namespace {

/// The automatic scheduler on a V of two stages per rank: ZB-V for costs that are not equal.
///
///   -p 2 -m 4
///   rank 0 | 0F0 0F1 0F2 3F0 3I0 3W0 3F1 3I1 3W1 0F3 0I0 0W0 3F2 3I2 3W2 0I1 0W1 3F3 3I3 ...
///   rank 1 | .   1F0 2F0 1F1 2F1 2I0 2W0 1F2 1I0 1W0 2F2 2I1 2W1 1F3 1I1 1W1 2F3 2I2 2W2 ...
///
/// Costs, limit and what it tells: as zb-auto, where an activation set is that of both stages of a
/// rank. Weight copies: 1. Staleness: 0. Source: Qi et al., "Pipeline Parallelism with Controllable
/// Memory", NeurIPS 2024.
Schedule ZeroBubbleAutoV(const GeneratorOptions& options) {
  return MakeAutomatic(options, VPlacement(options.ranks));
}

std::string RefuseZeroBubbleAutoV(const GeneratorOptions& options) {
  return RefuseAutomatic(options, VPlacement(options.ranks));
}

Bounds ZeroBubbleAutoVBounds(const GeneratorOptions& options) {
  return AutomaticBounds(options, VPlacement(options.ranks));
}

}  // namespace

const Generator kZeroBubbleAutoV{
    .name = "zb-auto-v",
    .make = ZeroBubbleAutoV,
    .summary = "the same on two stages per rank in a V",
    .bounded = "1 weight copy, D activation sets (2D chunks), staleness 0",
    .bounded_otherwise = "`limit`: that many activations",
    .bounds = ZeroBubbleAutoVBounds,
    .source = "Qi et al., NeurIPS 2024",
    .takes = kTakesLimit,
    .flushes = true,
    .whole_batches = false,
    .refuse = RefuseZeroBubbleAutoV,
    .placement = [](const GeneratorOptions& o) { return VPlacement(o.ranks); },
    .automatic = true};

}  // namespace stagecraft
