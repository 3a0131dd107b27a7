#include "traces/layer_costs.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "schedules/diagnostic.h"

namespace stagecraft {
namespace {

/// The costs at one measured size without gaps.
LayerCosts Completed(const MeasuredCosts& measured) {
  LayerCosts costs;
  costs.forward = measured.forward.value_or(Nanoseconds{0});
  costs.recompute = measured.recompute.value_or(costs.forward);
  costs.output_bytes = measured.output_bytes.value_or(0);
  costs.activation_bytes = measured.activation_bytes.value_or(costs.output_bytes);
  costs.backward = measured.backward.value_or(measured.backward_input.value_or(Nanoseconds{0}) +
                                              measured.backward_weight.value_or(Nanoseconds{0}));

  // A half that was measured may be longer than a whole that was measured at another time.
  const auto rest = [&](Nanoseconds part) {
    return std::max(costs.backward - part, Nanoseconds{0});
  };
  if (measured.backward_input) {
    costs.backward_input = *measured.backward_input;
    costs.backward_weight = measured.backward_weight.value_or(rest(costs.backward_input));
  } else {
    costs.backward_weight = measured.backward_weight.value_or(costs.backward - costs.backward / 2);
    costs.backward_input = rest(costs.backward_weight);
  }

  return costs;
}

/// A value between two measured ones, or in proportion to `low`. Products are rounded before
/// anything is added to them, which gives the same integers on every machine.
std::int64_t Scaled(std::int64_t low, std::int64_t high, bool proportional, double share,
                    std::int64_t limit) {
  const double part = static_cast<double>(proportional ? low : high - low) * share;
  if (part > static_cast<double>(limit)) {
    return limit + 1;
  }
  const std::int64_t rounded = std::llround(part);
  return std::min((proportional ? 0 : low) + rounded, limit + 1);
}

}  // namespace

Result<SizePosition> FindSize(const Profile& profile, double microbatch_size) {
  Result<SizePosition> result;
  if (!(microbatch_size > 0 && microbatch_size <= static_cast<double>(kMaxMicrobatchSize))) {
    result.diagnostics.push_back(ErrorAt(
        "", fmt::format("expected a micro-batch size above 0 and at most {} samples, got {}",
                        kMaxMicrobatchSize, microbatch_size)));
    return result;
  }

  const std::vector<std::int64_t>& sizes = profile.microbatch_sizes;
  const auto above = std::find_if(sizes.begin(), sizes.end(), [&](std::int64_t size) {
    return static_cast<double>(size) >= microbatch_size;
  });
  const auto index = static_cast<std::size_t>(above - sizes.begin());
  const std::size_t last = sizes.size() - 1;

  // Below the smallest size and above the largest, costs are in proportion.
  if (index == 0 || index > last) {
    const std::size_t end = std::min(index, last);
    result.value = {end, end, microbatch_size / static_cast<double>(sizes[end])};
  } else {
    const auto low = static_cast<double>(sizes[index - 1]);
    const auto high = static_cast<double>(sizes[index]);
    result.value = {index - 1, index, (microbatch_size - low) / (high - low)};
  }
  return result;
}

LayerCosts CostsAt(const ProfileLayer& layer, const SizePosition& position) {
  const LayerCosts low = Completed(layer.at[position.low]);
  const LayerCosts high = Completed(layer.at[position.high]);
  // Linear between two sizes, or in proportion to one.
  const bool proportional = position.low == position.high;

  const auto time = [&](Nanoseconds LayerCosts::*field) {
    return Nanoseconds{Scaled((low.*field).count(), (high.*field).count(), proportional,
                              position.share, kMaxDuration / Nanoseconds{1})};
  };
  const auto bytes = [&](std::int64_t LayerCosts::*field) {
    return Scaled(low.*field, high.*field, proportional, position.share, kMaxBytes);
  };

  LayerCosts costs;
  costs.forward = time(&LayerCosts::forward);
  costs.backward = time(&LayerCosts::backward);
  costs.backward_input = time(&LayerCosts::backward_input);
  costs.backward_weight = time(&LayerCosts::backward_weight);
  costs.recompute = time(&LayerCosts::recompute);
  costs.output_bytes = bytes(&LayerCosts::output_bytes);
  costs.activation_bytes = bytes(&LayerCosts::activation_bytes);
  return costs;
}

std::vector<std::int64_t> TimeSums(const Profile& profile, const SizePosition& position,
                                   Passes passes) {
  std::vector<std::int64_t> sums{0};
  sums.reserve(profile.layers.size() + 1);
  for (const ProfileLayer& layer : profile.layers) {
    const LayerCosts costs = CostsAt(layer, position);
    const Nanoseconds backward = passes == Passes::kBoth ? costs.backward : Nanoseconds(0);
    sums.push_back(sums.back() + (costs.forward + backward).count());
  }
  return sums;
}

}  // namespace stagecraft
