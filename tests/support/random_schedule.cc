#include "tests/support/random_schedule.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "schedules/schedule.h"

namespace stagecraft::test {
namespace {

/// What has been done of one stage and micro-batch: F, R, then B or I and W.
struct Work {
  bool recompute = false;
  bool split = false;
  bool forward_done = false;
  bool recompute_done = false;
  bool input_done = false;   ///< B or I.
  bool weight_done = false;  ///< B or W.
  std::int32_t read = 0;     ///< Version and horizon that the F read.
  std::int16_t horizon = 0;
};

/// The weights of one stage: the same on all ranks that hold it.
struct Weights {
  std::vector<std::int32_t> ranks;
  std::int32_t newest = 0;
};

/// Lists ops in an order in which they could run one after the other, each on its rank.
class Lister {
 public:
  Lister(RandomSchedules& random, Schedule& schedule) : random_(random), schedule_(schedule) {
    const auto stages = static_cast<std::size_t>(schedule.shape.stages);
    const auto microbatches = static_cast<std::size_t>(schedule.shape.microbatches);
    work_.assign(stages, std::vector<Work>(microbatches));
    weights_.resize(stages);
    pending_.assign(stages, Table<std::int32_t>(schedule.placement.size(), 0));
    left_ = pending_;
    for (std::size_t stage = 0; stage < stages; ++stage) {
      weights_[stage].ranks = RanksOfStages(schedule)[stage];
      for (std::size_t q = 0; q < microbatches; ++q) {
        work_[stage][q].recompute = random.OneIn(5);
        work_[stage][q].split = random.OneIn(2);
        ++left_[stage][RankOf(stage, q)];
      }
    }
  }

  void List() {
    while (true) {
      const Program ready = ReadyOps();
      if (ready.empty()) {
        break;
      }
      const Op first = ready[static_cast<std::size_t>(Pick(ready.size()))];
      const Op second = ready[static_cast<std::size_t>(Pick(ready.size()))];
      const bool cell =
          random_.OneIn(6) && first != second &&
          RankOf(Stage(first), Microbatch(first)) == RankOf(Stage(second), Microbatch(second));
      if (cell) {
        PredictFor(second);
      }
      PredictFor(first);
      Emit(first, cell);
      if (cell) {
        Emit(second, false);
      }
      MaybeStep(Stage(first));
    }
    for (std::size_t stage = 0; stage < weights_.size(); ++stage) {
      if (AllPending(stage)) {
        Step(stage);
      }
    }
  }

 private:
  static std::size_t Stage(const Op& op) { return static_cast<std::size_t>(op.stage); }
  static std::size_t Microbatch(const Op& op) { return static_cast<std::size_t>(op.microbatch); }
  std::int32_t Pick(std::size_t count) { return random_.Below(static_cast<std::int32_t>(count)); }

  std::size_t RankOf(std::size_t stage, std::size_t microbatch) const {
    const std::vector<std::int32_t>& ranks = weights_[stage].ranks;
    return static_cast<std::size_t>(ranks[microbatch % ranks.size()]);
  }

  Op Make(OpKind kind, std::size_t stage, std::size_t microbatch) const {
    Op op;
    op.kind = kind;
    op.stage = static_cast<std::int32_t>(stage);
    op.microbatch = static_cast<std::int32_t>(microbatch);
    return op;
  }

  /// The next op of each stage and micro-batch whose input is there.
  Program ReadyOps() const {
    Program ready;
    for (std::size_t stage = 0; stage < work_.size(); ++stage) {
      for (std::size_t q = 0; q < work_[stage].size(); ++q) {
        if (const std::optional<OpKind> kind = NextKind(stage, q)) {
          ready.push_back(Make(*kind, stage, q));
        }
      }
    }
    return ready;
  }

  /// What comes next for one stage and micro-batch, if its input is there.
  std::optional<OpKind> NextKind(std::size_t stage, std::size_t q) const {
    const Work& work = work_[stage][q];
    if (!work.forward_done) {
      const bool has_input = stage == 0 || work_[stage - 1][q].forward_done;
      return has_input ? std::optional(OpKind::kForward) : std::nullopt;
    }
    if (schedule_.mode == Mode::kForward || work.weight_done) {
      return std::nullopt;
    }
    if (work.recompute && !work.recompute_done) {
      return OpKind::kRecompute;
    }
    if (work.input_done) {
      return OpKind::kBackwardWeight;
    }
    if (stage + 1 < work_.size() && !work_[stage + 1][q].input_done) {
      return std::nullopt;
    }
    return work.split ? OpKind::kBackwardInput : OpKind::kBackward;
  }

  /// Some forwards read a prediction, which is made right before them, and before their cell.
  void PredictFor(const Op& op) {
    Work& work = work_[Stage(op)][Microbatch(op)];
    if (op.kind != OpKind::kForward) {
      return;
    }
    const std::int32_t newest = weights_[Stage(op)].newest;
    work.read = std::max(0, newest - random_.Below(3));
    if (random_.OneIn(4)) {
      work.read = newest;
      work.horizon = static_cast<std::int16_t>(1 + random_.Below(3));
      Op predict = Make(OpKind::kPredict, Stage(op), 0);
      predict.version = newest;
      predict.horizon = work.horizon;
      ProgramOf(RankOf(Stage(op), Microbatch(op))).push_back(predict);
    }
  }

  Program& ProgramOf(std::size_t rank) { return schedule_.programs[rank]; }

  void Emit(Op op, bool joined) {
    Work& work = work_[Stage(op)][Microbatch(op)];
    const std::size_t rank = RankOf(Stage(op), Microbatch(op));
    op.joined = joined;
    op.version = work.read;
    op.horizon = work.horizon;
    if (op.kind != OpKind::kForward && op.kind != OpKind::kRecompute && random_.OneIn(3)) {
      op.version = weights_[Stage(op)].newest;  // Backwards may read what they like.
      op.horizon = 0;
    }
    work.forward_done = true;
    work.recompute_done = work.recompute_done || op.kind == OpKind::kRecompute;
    work.input_done = work.input_done || TraitsOf(op.kind).gives_input_gradient;
    if (TraitsOf(op.kind).accumulates) {
      work.weight_done = true;
      ++pending_[Stage(op)][rank];
      --left_[Stage(op)][rank];
    }
    ProgramOf(rank).push_back(op);
  }

  bool AllPending(std::size_t stage) const {
    return std::all_of(
        weights_[stage].ranks.begin(), weights_[stage].ranks.end(),
        [&](std::int32_t rank) { return pending_[stage][static_cast<std::size_t>(rank)] > 0; });
  }

  /// Steps now and then, but not so that a member has nothing left for its last update.
  void MaybeStep(std::size_t stage) {
    const bool all_have_more = std::all_of(
        weights_[stage].ranks.begin(), weights_[stage].ranks.end(),
        [&](std::int32_t rank) { return left_[stage][static_cast<std::size_t>(rank)] > 0; });
    if (random_.OneIn(3) && all_have_more && AllPending(stage)) {
      Step(stage);
    }
  }

  void Step(std::size_t stage) {
    for (const std::int32_t holder : weights_[stage].ranks) {
      const auto rank = static_cast<std::size_t>(holder);
      Op op = Make(OpKind::kAllReduce, stage, 0);
      op.version = weights_[stage].newest;
      if (weights_[stage].ranks.size() > 1) {
        ProgramOf(rank).push_back(op);
      }
      op.kind = OpKind::kStep;
      ProgramOf(rank).push_back(op);
      pending_[stage][rank] = 0;
    }
    ++weights_[stage].newest;
  }

  RandomSchedules& random_;
  Schedule& schedule_;
  std::vector<std::vector<Work>> work_;
  std::vector<Weights> weights_;
  Table<Table<std::int32_t>> pending_;  ///< Gradients by stage and rank, not applied.
  Table<Table<std::int32_t>> left_;     ///< Gradients still to be made.
};

}  // namespace

Schedule RandomSchedules::Next() {
  Schedule schedule;
  schedule.shape.ranks = 1 + Below(4);
  schedule.shape.stages = 1 + Below(6);
  schedule.shape.microbatches = 4 + Below(5);
  schedule.mode = OneIn(8) ? Mode::kForward : Mode::kTraining;
  schedule.placement.resize(static_cast<std::size_t>(schedule.shape.ranks));
  schedule.programs.resize(schedule.placement.size());
  for (std::int32_t stage = 0; stage < schedule.shape.stages; ++stage) {
    const std::int32_t first = Below(schedule.shape.ranks);
    const std::int32_t copies = OneIn(4) ? 1 + Below(schedule.shape.ranks) : 1;
    for (std::int32_t copy = 0; copy < copies; ++copy) {
      const auto rank = static_cast<std::size_t>((first + copy) % schedule.shape.ranks);
      schedule.placement[rank].push_back(stage);
    }
  }
  Lister(*this, schedule).List();
  return schedule;
}

std::int64_t RandomSchedules::Amount() {
  switch (Below(4)) {
    case 0:
      return 0;
    case 1:
      return Below(4);
    case 2:
      return Below(100);
    default:
      return Below(1'000'000'000);
  }
}

Costs RandomSchedules::CostsFor(const Schedule& schedule) {
  Costs costs;
  costs.stages.resize(static_cast<std::size_t>(schedule.shape.stages));
  for (StageCosts& stage : costs.stages) {
    for (Nanoseconds StageCosts::*cost :
         {&StageCosts::forward, &StageCosts::backward, &StageCosts::backward_input,
          &StageCosts::backward_weight, &StageCosts::recompute, &StageCosts::step,
          &StageCosts::predict, &StageCosts::allreduce}) {
      stage.*cost = Nanoseconds(Amount());
    }
    if (OneIn(4)) {
      stage.joined = Nanoseconds(Amount());
    }
    stage.sizes.activation_bytes = Amount();
    stage.sizes.input_bytes = Amount();
    stage.sizes.output_bytes = Amount();
    stage.sizes.released_by_backward_input = Below(2) * stage.sizes.activation_bytes / 2;
    stage.sizes.parameter_bytes = Amount();
    stage.sizes.optimizer_bytes = Amount();
  }
  return costs;
}

Topology RandomSchedules::TopologyFor(const Schedule& schedule) {
  Topology topology;
  topology.latency = Nanoseconds(Amount());
  constexpr double kBandwidths[] = {0, 1e9, 3e9, 7e10};
  topology.bandwidth = kBandwidths[Below(4)];
  if (OneIn(2)) {
    constexpr double kSpeeds[] = {0.3, 0.5, 1, 1.7};
    for (std::int32_t rank = 0; rank < schedule.shape.ranks; ++rank) {
      topology.speed.push_back(kSpeeds[Below(4)]);
    }
  }
  return topology;
}

ReceivePolicy RandomSchedules::Policy() {
  switch (Below(3)) {
    case 0:
      return {};
    case 1:
      return {ReceivePolicy::Kind::kJustInTime, 0};
    default:
      return {ReceivePolicy::Kind::kLookahead, Below(4)};
  }
}

}  // namespace stagecraft::test
