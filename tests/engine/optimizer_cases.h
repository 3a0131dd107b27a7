#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/model/random.h"
#include "engine/optimizer/optimizer_kernels.h"

namespace stagecraft::test {

/// All buffers of an update, filled with numbers.
template <typename T>
struct OptimizerMemory {
  explicit OptimizerMemory(std::int64_t elements = 2500) {  // Of blocks that do not fill up.
    Random random(3);
    for (std::vector<T>* buffer : {&weights, &gradient, &velocity, &moment1, &moment2, &last,
                                   &difference, &other, &predicted}) {
      for (std::int64_t i = 0; i < elements; ++i) {
        buffer->push_back(static_cast<T>(random.Normal()));
      }
    }
    for (T& value : moment2) {
      value = std::abs(value);
    }
  }

  /// Those that an optimizer has.
  OptimizerBuffers<T> Buffers(const OptimizerOptions& options) {
    const auto has = [direction = DirectionOf(options)](OptimizerBuffer buffer) {
      return Keeps(direction, buffer);
    };
    return {static_cast<std::int64_t>(weights.size()),
            gradient.data(),
            has(OptimizerBuffer::kVelocity) ? velocity.data() : nullptr,
            has(OptimizerBuffer::kMoment1) ? moment1.data() : nullptr,
            has(OptimizerBuffer::kMoment2) ? moment2.data() : nullptr,
            last.data(),
            difference.data()};
  }

  std::vector<T> weights, gradient, velocity, moment1, moment2, last, difference, other, predicted;

  friend bool operator==(const OptimizerMemory&, const OptimizerMemory&) = default;
};

struct OptimizerCase {
  std::string name;
  OptimizerOptions options;
  StepNumbers step;
  PredictNumbers prediction;
};

/// Every optimizer with and without each of its options, at its first and a later update, and
/// predictions that go on and back.
inline std::vector<OptimizerCase> OptimizerCases() {
  std::vector<std::pair<std::string, OptimizerOptions>> optimizers;
  const auto add = [&](const std::string& name, auto change) {
    OptimizerOptions options;
    change(options);
    optimizers.emplace_back(name, options);
  };
  for (const OptimizerTraits& optimizer : AllOptimizers()) {
    const std::string name(optimizer.name);
    const OptimizerKind kind = optimizer.kind;
    add(name, [=](OptimizerOptions& o) { o.kind = kind; });
    if (optimizer.has_momentum) {
      add(name + " momentum", [=](OptimizerOptions& o) { o.kind = kind, o.momentum = 0.9; });
      add(name + " dampening",
          [=](OptimizerOptions& o) { o.kind = kind, o.momentum = 0.9, o.dampening = 0.25; });
      add(name + " nesterov",
          [=](OptimizerOptions& o) { o.kind = kind, o.momentum = 0.9, o.nesterov = true; });
    }
  }

  std::vector<OptimizerCase> cases;
  for (const auto& [name, plain] : optimizers) {
    for (int bits = 0; bits < 64; ++bits) {
      OptimizerOptions options = plain;
      options.weight_decay = (bits & 1) != 0 ? 0.1 : 0;
      options.displacement = (bits & 2) != 0 ? Displacement::kNext : Displacement::kLast;
      options.prediction_decay = (bits & 4) != 0;
      options.constant_correction = (bits & 8) != 0;
      const std::int64_t updates = (bits & 16) != 0 ? 4 : 0;
      const std::int64_t horizon = (bits & 32) != 0 ? -2 : 3;
      const double clip = (bits & 1) != 0 ? 0.5 : 1;
      cases.push_back({name + " " + std::to_string(bits),
                       options,
                       {updates, 3, 0.01, clip, 0.5},
                       {updates + 1, horizon, 0.02}});
    }
    cases.push_back({name + " before any update", plain, {0, 1, 0.01, 1, 0.5}, {0, 3, 0.02}});
  }
  return cases;
}

}  // namespace stagecraft::test
