#pragma once

#include <cstdint>
#include <span>

namespace stagecraft {

/// The weight buffers of one stage on one rank, and what makes one out of another.
class Weights {
 public:
  Weights() = default;
  Weights(const Weights&) = delete;
  Weights& operator=(const Weights&) = delete;
  virtual ~Weights() = default;

  /// S: applies the mean of the gradients added up since the last step, over `microbatches` of
  /// them, to `version` in slot `from`; the next version goes into slot `to`, which may be the
  /// same. Clears the gradients.
  virtual void Step(std::int32_t version, std::int32_t from, std::int32_t to,
                    std::int32_t microbatches) = 0;

  /// P: writes into slot `to` what is expected `horizon` updates after `version`, in slot `from`.
  virtual void Predict(std::int32_t version, std::int32_t horizon, std::int32_t from,
                       std::int32_t to) = 0;

  /// A: the sum of the gradients, to be replaced by the sum over all replicas.
  virtual std::span<double> Gradient() = 0;
};

}  // namespace stagecraft
