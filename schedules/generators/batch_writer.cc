#include "schedules/generators/batch_writer.h"

#include <utility>

namespace stagecraft {

BatchWriter::BatchWriter(std::vector<Chunk> chunks)
    : chunks_(std::move(chunks)), states_(chunks_.size()) {}

void BatchWriter::Add(OpKind kind, std::size_t chunk, std::int32_t index) {
  if (Left(chunk, index)) {
    ops_.push_back(
        {.kind = kind, .stage = chunks_[chunk].stage, .microbatch = chunks_[chunk].first + index});
  }
}

void BatchWriter::Forward(std::size_t chunk) {
  Add(OpKind::kForward, chunk, states_[chunk].forwards++);
}

void BatchWriter::Backward(std::size_t chunk) {
  Add(OpKind::kBackward, chunk, states_[chunk].backwards++);
}

void BatchWriter::BackwardInput(std::size_t chunk) {
  const std::int32_t index = states_[chunk].backwards++;
  if (Left(chunk, index)) {
    Add(OpKind::kBackwardInput, chunk, index);
    states_[chunk].pending.push_back({index, turn_++});
    ++waiting_;
  }
}

void BatchWriter::BackwardWeight(std::size_t chunk) {
  std::deque<Pending>& pending = states_[chunk].pending;
  if (!pending.empty()) {
    Add(OpKind::kBackwardWeight, chunk, pending.front().index);
    pending.pop_front();
    --waiting_;
  }
}

void BatchWriter::OldestBackwardWeight() {
  std::size_t oldest = 0;
  std::int64_t turn = turn_;
  for (std::size_t chunk = 0; chunk < states_.size(); ++chunk) {
    if (HasPendingWeights(chunk) && states_[chunk].pending.front().turn < turn) {
      oldest = chunk;
      turn = states_[chunk].pending.front().turn;
    }
  }
  BackwardWeight(oldest);
}

void BatchWriter::ForwardAndBackward(std::size_t forward, std::size_t backward, bool joined) {
  const bool both = HasForward(forward) && HasBackward(backward);
  Forward(forward);
  if (joined && both) {
    ops_.back().joined = true;
  }
  Backward(backward);
}

}  // namespace stagecraft
