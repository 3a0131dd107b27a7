#include "schedules/generators.h"
#include "schedules/placements.h"
#include "schedules/search/automatic.h"

namespace stagecraft {
namespace {

/// The automatic scheduler on a straight pipeline: the order of F, I and W with the shortest window
/// that it finds for the costs of each stage, the time of a hop and a limit on the activations.
/// With a limit of p sets it is ZB-1p, with 2p ZB-2p.
///
///   -p 3 -m 5
///   rank 0 | F0 F1 F2 .  .  I0 W0 F3 I1 W1 F4 I2 W2 I3 W3 I4 W4
///   rank 1 | .  F0 F1 .  I0 F2 I1 W0 F3 I2 W1 F4 I3 W2 I4 W3 W4
///   rank 2 | .  .  F0 I0 F1 I1 F2 I2 W0 F3 I3 W1 F4 I4 W2 W3 W4
///
/// Costs are 1 and nothing is released by an I unless they are given; `limit` is p activation sets.
/// Its quality can be read off: `watch` is told a time that no order can beat. Weight copies: 1.
/// Live activations: what the limit says. Staleness: 0. Source: Qi et al., "Zero Bubble Pipeline
/// Parallelism", ICLR 2024, section 3, for the task; the rules are our own (search/order_search.h).
Schedule ZeroBubbleAuto(const GeneratorOptions& options) {
  return MakeAutomatic(options, StraightPlacement(options.ranks));
}

std::string RefuseZeroBubbleAuto(const GeneratorOptions& options) {
  return RefuseAutomatic(options, StraightPlacement(options.ranks));
}

Bounds ZeroBubbleAutoBounds(const GeneratorOptions& options) {
  return AutomaticBounds(options, StraightPlacement(options.ranks));
}

}  // namespace

const Generator kZeroBubbleAuto{
    .name = "zb-auto",
    .make = ZeroBubbleAuto,
    .summary = "the best order of F, I and W found for the costs, within `limit`",
    .bounded = "1 weight copy, D activation sets, staleness 0",
    .bounded_otherwise = "`limit`: that many activations",
    .bounds = ZeroBubbleAutoBounds,
    .source = "Qi et al., ICLR 2024",
    .takes = kTakesLimit,
    .flushes = true,
    .whole_batches = false,
    .refuse = RefuseZeroBubbleAuto,
    .placement = [](const GeneratorOptions& o) { return StraightPlacement(o.ranks); },
    .automatic = true};

}  // namespace stagecraft
