#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "schedules/op.h"
#include "schedules/schedule.h"

namespace stagecraft {

/// Writes what one rank does in one batch, op by op. A chunk is a stage of the rank; each kind of
/// op of a chunk takes that chunk's micro-batches in their order. What stands behind a chunk's
/// last micro-batch is left out, so that an order drawn for more micro-batches can be written for
/// fewer.
class BatchWriter {
 public:
  /// A stage, and the micro-batches that run on it here: `count` of them from `first`.
  struct Chunk {
    std::int32_t stage = 0;
    std::int32_t first = 0;
    std::int32_t count = 0;
  };

  explicit BatchWriter(std::vector<Chunk> chunks);

  void Forward(std::size_t chunk);
  void Backward(std::size_t chunk);
  void BackwardInput(std::size_t chunk);
  /// The W of the chunk's oldest I that has none yet; nothing if there is none.
  void BackwardWeight(std::size_t chunk);
  /// The W of the rank's oldest I that has none yet, whichever its chunk.
  void OldestBackwardWeight();
  /// A forward and a backward; as one cell if `joined` and both are there.
  void ForwardAndBackward(std::size_t forward, std::size_t backward, bool joined);

  bool HasForward(std::size_t chunk) const { return Left(chunk, states_[chunk].forwards); }
  bool HasBackward(std::size_t chunk) const { return Left(chunk, states_[chunk].backwards); }
  bool HasPendingWeights(std::size_t chunk) const { return !states_[chunk].pending.empty(); }
  bool HasPendingWeights() const { return waiting_ > 0; }

  Program Take() { return std::move(ops_); }

 private:
  /// A micro-batch that waits for its W, and when its I was written.
  struct Pending {
    std::int32_t index = 0;
    std::int64_t turn = 0;
  };
  struct State {
    std::int32_t forwards = 0;
    std::int32_t backwards = 0;
    std::deque<Pending> pending{};  ///< In the order of their I.
  };

  bool Left(std::size_t chunk, std::int32_t done) const { return done < chunks_[chunk].count; }
  void Add(OpKind kind, std::size_t chunk, std::int32_t index);

  std::vector<Chunk> chunks_;
  std::vector<State> states_;
  std::int64_t turn_ = 0;     ///< I written so far.
  std::int64_t waiting_ = 0;  ///< Of all chunks, for their W.
  Program ops_;
};

}  // namespace stagecraft
