#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/boundary.h"
#include "schedules/op.h"

namespace stagecraft {

/// The slice of the model that one rank holds as one stage: what the executor asks of it. Tensors
/// stay behind it. `slot` is the weight buffer that the call reads, see schedules/weight_slots.h.
///
/// Calls come from the rank's own thread, in program order. Anything thrown ends the job.
class Stage {
 public:
  Stage() = default;
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  virtual ~Stage() = default;

  /// Runs the forward of one micro-batch. `input` is empty on the first stage, which loads its own
  /// data; the result is empty on the last, which computes its loss. If `keep_input_only`, a
  /// `Recompute` follows before the backward.
  virtual Boundary Forward(std::int32_t microbatch, std::int32_t slot, Boundary input,
                           bool keep_input_only) = 0;

  /// Runs the forward once more, from the input that was kept, with the same randomness.
  virtual void Recompute(std::int32_t microbatch, std::int32_t slot) = 0;

  /// Returns the gradient of the input, and adds up that of the weights. `output_gradient` is empty
  /// on the last stage, and the result on the first.
  virtual Boundary Backward(std::int32_t microbatch, std::int32_t slot,
                            Boundary output_gradient) = 0;

  /// The two halves of `Backward`.
  virtual Boundary BackwardInput(std::int32_t microbatch, std::int32_t slot,
                                 Boundary output_gradient) = 0;
  virtual void BackwardWeight(std::int32_t microbatch, std::int32_t slot) = 0;

  /// How many samples a micro-batch has: its gradient counts as many times in the mean of an
  /// update. Where micro-batches differ in size, a backward adds up gradients weighted so; see
  /// `WeightStoreOptions::samples`.
  virtual std::int64_t Samples(std::int32_t /*microbatch*/) { return 1; }

  /// How many bytes a RECV_F or RECV_B brings, for transports that must know it beforehand; 0 if
  /// this stage cannot say.
  virtual std::size_t ReceivedBytes(OpKind /*recv*/, std::int32_t /*microbatch*/) { return 0; }
};

}  // namespace stagecraft
