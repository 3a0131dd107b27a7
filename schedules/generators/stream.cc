#include "schedules/generators/stream.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "schedules/check.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// Writes the program of one replica of one stage.
class ReplicaProgram {
 public:
  ReplicaProgram(const Stream& stream, std::int32_t stage, std::int32_t replica)
      : stream_(stream),
        stage_(stage),
        replica_(replica),
        replicas_(stream.replicas[stage]),
        per_update_(MicrobatchesPerUpdate(stream.update_every, replicas_)) {}

  Program Write() {
    const std::int64_t share = stream_.microbatches / replicas_ + 1;
    ops_.reserve(3 * share);
    const std::int32_t period =
        stream_.drain_every > 0 ? stream_.drain_every : stream_.microbatches;
    for (std::int64_t begin = 0; begin < stream_.microbatches; begin += period) {
      const std::int64_t end = std::min<std::int64_t>(begin + period, stream_.microbatches);
      FillAndDrain(static_cast<std::int32_t>(begin), static_cast<std::int32_t>(end));
    }
    return std::move(ops_);
  }

 private:
  /// Warm-up, pairs and cool-down over this replica's micro-batches of [begin, end).
  void FillAndDrain(std::int32_t begin, std::int32_t end) {
    const std::int32_t first = begin + (replica_ - begin % replicas_ + replicas_) % replicas_;
    const std::int32_t count = first < end ? (end - 1 - first) / replicas_ + 1 : 0;
    const std::int32_t warmup = std::min(stream_.warmup[stage_], count);
    for (std::int32_t k = 0; k < count + warmup; ++k) {
      if (k < count) {
        Forward(first + k * replicas_);
      }
      if (k >= warmup) {
        Backward(first + (k - warmup) * replicas_);
      }
    }
  }

  void Forward(std::int32_t q) {
    ops_.push_back(
        {.kind = OpKind::kForward, .stage = stage_, .microbatch = q, .version = newest_});
  }

  void Backward(std::int32_t q) {
    ops_.push_back(
        {.kind = OpKind::kBackward, .stage = stage_, .microbatch = q, .version = newest_});
    if (q % per_update_ < per_update_ - replicas_) {
      return;  // This replica has another micro-batch in the same update.
    }
    if (replicas_ > 1) {
      ops_.push_back({.kind = OpKind::kAllReduce, .stage = stage_, .version = newest_});
    }
    ops_.push_back({.kind = OpKind::kStep, .stage = stage_, .version = newest_});
    ++newest_;
  }

  const Stream& stream_;
  std::int32_t stage_;
  std::int32_t replica_;
  std::int32_t replicas_;
  std::int32_t per_update_;
  std::int32_t newest_ = 0;
  Program ops_;
};

/// Rewrites one program of a straight stream; see `AddPredictions`.
class Predictor {
 public:
  Predictor(std::int32_t update_every, const Prediction& prediction)
      : update_every_(update_every), prediction_(prediction) {}

  Program Rewrite(const Program& program) {
    Program ops;
    ops.reserve(program.size() + program.size() / 2);
    last_written_ = {};
    for (Op op : program) {
      if (op.kind == OpKind::kForward) {
        Read(op, ForwardHorizon(op), forward_, ops);
      } else if (op.kind == OpKind::kBackward && prediction_.backward) {
        Read(op, Exact(op), backward_, ops);
      }
      ops.push_back(op);
    }
    return ops;
  }

 private:
  struct Key {
    std::int32_t version = -1;
    std::int16_t horizon = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };

  std::int32_t Exact(const Op& op) const {
    return op.microbatch / update_every_ + prediction_.aim[op.stage] - op.version;
  }

  std::int32_t ForwardHorizon(const Op& op) const {
    return prediction_.fixed.empty() ? Exact(op) : prediction_.fixed[op.stage];
  }

  /// Lets `op` read its version `horizon` updates ahead, or what the first micro-batch of its
  /// update read.
  void Read(Op& op, std::int32_t horizon, Key& shared, Program& ops) {
    const bool first = op.microbatch % update_every_ == 0;
    if (!prediction_.reuse || first) {
      shared = {op.version, static_cast<std::int16_t>(horizon)};
    }
    op.version = shared.version;
    op.horizon = shared.horizon;
    if (shared.horizon != 0 && (!prediction_.reuse || first) && shared != last_written_) {
      ops.push_back({.kind = OpKind::kPredict,
                     .horizon = shared.horizon,
                     .stage = op.stage,
                     .version = shared.version});
      last_written_ = shared;
    }
  }

  std::int32_t update_every_;
  const Prediction& prediction_;
  Key forward_;
  Key backward_;
  Key last_written_;
};

}  // namespace

std::int32_t MicrobatchesPerUpdate(std::int32_t update_every, std::int32_t replicas) {
  return std::max(update_every, replicas);
}

Stream StraightStream(const GeneratorOptions& options, std::int32_t update_every) {
  Stream stream;
  stream.replicas.assign(options.ranks, 1);
  for (std::int32_t stage = 0; stage < options.ranks; ++stage) {
    stream.warmup.push_back(options.ranks - 1 - stage);
  }
  stream.microbatches = options.microbatches * options.batches;
  stream.update_every = update_every;
  stream.drain_every = options.drain_every;
  return stream;
}

Schedule MakeStream(const Stream& stream) {
  Schedule schedule;
  schedule.shape.stages = stream.replicas.Count();
  schedule.shape.microbatches = stream.microbatches;
  for (std::int32_t stage = 0; stage < schedule.shape.stages; ++stage) {
    for (std::int32_t j = 0; j < stream.replicas[stage]; ++j) {
      schedule.placement.push_back({stage});
      schedule.programs.push_back(ReplicaProgram(stream, stage, j).Write());
    }
  }
  schedule.shape.ranks = schedule.programs.Count();
  return schedule;
}

Bounds StreamBounds(const Stream& stream) {
  Bounds bounds;
  for (std::int32_t stage = 0; stage < stream.replicas.Count(); ++stage) {
    const std::int32_t replicas = stream.replicas[stage];
    const std::int32_t warmup = stream.warmup[stage];
    const std::int32_t each = MicrobatchesPerUpdate(stream.update_every, replicas) / replicas;
    bounds.weight_copies.push_back(1);
    bounds.staleness.push_back((warmup + each - 1) / each);
    bounds.activation_sets.insert(bounds.activation_sets.end(), static_cast<std::size_t>(replicas),
                                  warmup + 1);
  }
  return bounds;
}

Bounds PredictedBounds(const Stream& stream) {
  Bounds bounds = StreamBounds(stream);
  for (std::size_t stage = 0; stage < stream.warmup.size(); ++stage) {
    bounds.weight_copies[stage] = stream.warmup[stage] > 0 ? 2 : 1;
  }
  return bounds;
}

void StashForwardWeights(Schedule& schedule) {
  Table<std::int32_t> version(schedule.shape.microbatches);
  for (Program& program : schedule.programs) {
    for (Op& op : program) {
      if (op.kind == OpKind::kForward) {
        version[op.microbatch] = op.version;
      } else if (op.kind == OpKind::kBackward) {
        op.version = version[op.microbatch];
      }
    }
  }
}

void AddPredictions(Schedule& schedule, std::int32_t update_every, const Prediction& prediction) {
  STAGECRAFT_CHECK(schedule.shape.ranks == schedule.shape.stages,
                   "predictions are made for one rank per stage");
  for (Program& program : schedule.programs) {
    program = Predictor(update_every, prediction).Rewrite(program);
  }
}

}  // namespace stagecraft
