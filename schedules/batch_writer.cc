#include "schedules/batch_writer.h"

#include <algorithm>
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
  Add(OpKind::kBackwardInput, chunk, index);
  pending_.push_back({chunk, index});
}

void BatchWriter::BackwardWeight(std::size_t chunk) {
  AddPending(std::find_if(pending_.begin(), pending_.end(),
                          [&](const Pending& pending) { return pending.chunk == chunk; }));
}

void BatchWriter::OldestBackwardWeight() {
  AddPending(pending_.begin());
}

void BatchWriter::AddPending(const std::deque<Pending>::const_iterator& pending) {
  if (pending != pending_.end()) {
    Add(OpKind::kBackwardWeight, pending->chunk, pending->index);
    pending_.erase(pending);
  }
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
