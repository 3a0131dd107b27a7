#pragma once

#include "schedules/diagnostic.h"
#include "schedules/op.h"
#include "traces/costs.h"
#include "traces/layer_profile.h"
#include "traces/partition.h"

namespace stagecraft {

/// What stage costs are wanted for.
struct StageCostsOptions {
  double microbatch_size = 1;       ///< Samples.
  double memory_bandwidth = 500e9;  ///< Bytes per second; see below.
  OpKinds kinds = OpKinds::All();   ///< `Costs::derived` speaks of these ops and of sizes only.
};

/// Stage costs for one micro-batch size (samples), out of the layers of each stage.
///
/// Times and activation sizes: by linear interpolation between the measured sizes around the one
/// wanted; in proportion to the size where only one was measured, or beyond the ends. What belongs
/// to the weights does not scale. Boundary bytes of a cut: the sum over the distinct layers before
/// it that are read behind it; a stage's input is the boundary before it, the last stage sends
/// nothing. What was not measured is derived:
///
///   backward = I + W     I, W = B / 2 each, or what the other leaves of B     R = F
///   activation_bytes = sum of the layers' outputs; I frees none of it, W all
///   optimizer_bytes = 2 * parameter_bytes: gradient and momentum
///   step = (parameter_bytes + 2 * optimizer_bytes) / bandwidth: reads weights, gradient and state,
///          writes weights and state
///   predict = 3 * parameter_bytes / bandwidth: reads weights and momentum, writes the prediction
///
/// `Costs::derived` says which, one sentence each for all stages, and how the size was scaled.
/// Errors if an argument, or a stage's total, is out of range. Requires `CheckProfile(profile)`
/// empty.
Result<Costs> StageCostsOf(const Profile& profile, const Partition& partition,
                           const StageCostsOptions& options);

}  // namespace stagecraft
