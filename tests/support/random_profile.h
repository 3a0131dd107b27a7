#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>

#include "traces/layer_profile.h"

namespace stagecraft::test {

/// Profiles that satisfy `CheckProfile`, with gaps, several sizes, skips and odd names.
class RandomProfile {
 public:
  explicit RandomProfile(std::uint64_t seed) : random_(seed) {}

  Profile Next() {
    Profile profile;
    profile.source.model = Below(2) == 0 ? "" : "model \"quoted\" \\ \t\u00e9";
    profile.source.notes = Below(2) == 0 ? "" : "line\nbreak";
    profile.is_stages = Below(4) == 0;
    for (std::int64_t sizes = 1 + Below(3), size = 0; sizes > 0; --sizes) {
      profile.microbatch_sizes.push_back(size += 1 + Below(64));
    }
    const std::int64_t layers = 1 + Below(12);
    for (std::int64_t i = 0; i < layers; ++i) {
      profile.layers.push_back(
          Layer(static_cast<std::int32_t>(i), profile.microbatch_sizes.size()));
    }
    return profile;
  }

  std::int64_t Below(std::int64_t limit) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(limit));
  }

 private:
  std::optional<Nanoseconds> Time() {
    return Below(3) == 0 ? std::nullopt : std::optional(Nanoseconds{Below(1'000'000)});
  }
  std::optional<std::int64_t> Bytes() {
    return Below(3) == 0 ? std::nullopt : std::optional(Below(1'000'000));
  }

  ProfileLayer Layer(std::int32_t index, std::size_t sizes) {
    ProfileLayer layer;
    layer.name = Below(3) == 0 ? "" : "layer " + std::to_string(index);
    for (std::int32_t input = 0; input < index; ++input) {
      if (Below(3) == 0) {
        layer.inputs.push_back(input);
      }
    }
    for (std::size_t size = 0; size < sizes; ++size) {
      MeasuredCosts& costs = layer.at.emplace_back();
      costs.forward = Nanoseconds{Below(1'000'000)};
      costs.backward = Time();
      costs.backward_input = Time();
      costs.backward_weight = Time();
      if (!costs.backward) {
        costs.backward_input = costs.backward_weight = Nanoseconds{Below(1000)};
      }
      costs.recompute = Time();
      costs.output_bytes = Bytes();
      costs.activation_bytes = Bytes();
    }
    layer.step = Time();
    layer.predict = Time();
    layer.parameter_bytes = Bytes();
    layer.optimizer_bytes = Bytes();
    return layer;
  }

  std::mt19937_64 random_;
};

}  // namespace stagecraft::test
