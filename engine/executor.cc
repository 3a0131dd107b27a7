#include "engine/executor.h"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "schedules/check.h"
#include "schedules/schedule.h"

namespace stagecraft {
namespace {

Tag TagOf(const Op& op) {
  switch (op.kind) {
    case OpKind::kRecvForward:
      return {OpKind::kSendForward, op.stage - 1, op.microbatch};
    case OpKind::kRecvBackward:
      return {OpKind::kSendBackward, op.stage + 1, op.microbatch};
    default:
      return {op.kind, op.stage, op.microbatch};
  }
}

}  // namespace

ExecutionPlan PlanExecution(Schedule lowered) {
  WeightSlots slots = AssignWeightSlots(lowered);
  return PlanExecution(std::move(lowered), std::move(slots));
}

ExecutionPlan PlanExecution(Schedule lowered, WeightSlots slots) {
  ExecutionPlan plan;
  plan.dependencies = FindDependencies(lowered);
  plan.slots = std::move(slots);
  plan.ranks_of_stage = RanksOfStages(lowered);
  plan.schedule = std::move(lowered);
  return plan;
}

Executor::Executor(const ExecutionPlan& plan, std::int32_t rank,
                   std::map<std::int32_t, StagePart>& parts, Transport& transport, OpClock& clock,
                   std::atomic<std::int32_t>* position)
    : plan_(plan),
      rank_(rank),
      program_(plan.schedule.programs[rank]),
      parts_(parts),
      transport_(transport),
      clock_(clock),
      position_(position),
      recomputed_(plan.schedule),
      samples_(plan.schedule.shape.stages) {}

template <typename Call>
void Executor::Guarded(const Call& call) {
  try {
    call();
  } catch (const Aborted&) {
    throw;
  } catch (const std::exception& error) {
    transport_.Abort();
    const auto* const of_op = dynamic_cast<const OpError*>(&error);

    // The op that the error names, which a device may have run after the program went on, or the
    // one that is being given out.
    const std::int32_t last = program_.Count() - 1;
    const std::int32_t index = of_op != nullptr ? of_op->Index() : std::min(next_, last);
    const std::string op = index < 0 ? "end" : ToString(program_[index]);
    throw JobError(
        {rank_, index, op, error.what(), dynamic_cast<const PeerLost*>(&error) != nullptr});
  }
}

void Executor::RunUntil(std::int32_t end) {
  for (; next_ < end; ++next_) {
    if (position_ != nullptr) {
      position_->store(next_, std::memory_order_relaxed);
    }
    Guarded([&] { RunOp(next_); });
  }
}

void Executor::Drain() {
  Guarded([&] { clock_.Drain(); });
}

void Executor::ShareFirst(std::int32_t stage, std::span<double> values) {
  const std::vector<std::int32_t>& members = plan_.ranks_of_stage[stage];
  if (members.front() != rank_) {
    std::fill(values.begin(), values.end(), -0.0);  // Which changes no bit of what it is added to.
  }
  Guarded([&] { transport_.AllReduce(members, stage, values); });
}

void Executor::RunOp(std::int32_t index) {
  const Op& op = program_[index];
  if (IsCompute(op.kind)) {
    Compute(index, op);
    return;
  }
  if (IsCommunication(op.kind)) {
    clock_.Mark({rank_, index});
    Communicate(index, op);
    return;
  }

  // If the job ends, what still waits for a tensor on a device gets none, and computes something
  // all the same: that must never become weights.
  if (op.kind == OpKind::kStep) {
    clock_.CatchUp();
  }
  clock_.Begin({rank_, index});
  Update(index, op);
  clock_.End({rank_, index});
}

void Executor::Compute(std::int32_t index, const Op& op) {
  const bool has_input = op.kind == OpKind::kForward || TraitsOf(op.kind).gives_input_gradient;
  Boundary input = has_input ? InputOf(index) : Boundary{};
  Stage& stage = *PartOf(op).stage;
  const std::int32_t slot = SlotOf(index);

  clock_.Begin({rank_, index});
  switch (op.kind) {
    case OpKind::kForward:
      Keep(index, op, stage.Forward(op.microbatch, slot, std::move(input), recomputed_.Has(op)));
      break;
    case OpKind::kBackward:
      Keep(index, op, stage.Backward(op.microbatch, slot, std::move(input)));
      break;
    case OpKind::kBackwardInput:
      Keep(index, op, stage.BackwardInput(op.microbatch, slot, std::move(input)));
      break;
    case OpKind::kBackwardWeight:
      stage.BackwardWeight(op.microbatch, slot);
      break;
    default:
      stage.Recompute(op.microbatch, slot);
  }

  if (TraitsOf(op.kind).accumulates) {
    samples_[op.stage] += stage.Samples(op.microbatch);
  }
  clock_.End({rank_, index});

  // Evaluations and rehearsals have stages without weights.
  if (const Weights* const weights = PartOf(op).weights.get(); weights != nullptr) {
    clock_.Read({rank_, index}, *weights, slot);
  }
}

void Executor::Communicate(std::int32_t index, const Op& op) {
  const OpRef other = TraitsOf(op.kind).is_send ? plan_.dependencies.matching_recv[{rank_, index}]
                                                : plan_.dependencies.input[{rank_, index}];
  if (TraitsOf(op.kind).is_recv) {
    transport_.PostReceive(other.rank, TagOf(op),
                           PartOf(op).stage->ReceivedBytes(op.kind, op.microbatch));
    return;
  }

  const OpRef producer = plan_.dependencies.input[{rank_, index}];
  const auto kept = kept_.find(producer.index);
  STAGECRAFT_CHECK(kept != kept_.end(), "a SEND comes after the op whose tensor it sends");
  transport_.Send(other.rank, TagOf(op), std::move(kept->second));
  kept_.erase(kept);
}

void Executor::Update(std::int32_t index, const Op& op) {
  Weights& weights = *PartOf(op).weights;
  std::int64_t& samples = samples_[op.stage];
  if (op.kind == OpKind::kPredict) {
    if (index != predicted_) {
      weights.Predict({op.version, op.horizon, BaseOf(index), SlotOf(index)});
    }
    return;
  }

  if (op.kind == OpKind::kStep) {
    const StepOp step{op.version, BaseOf(index), SlotOf(index), samples};

    const std::int32_t behind = PredictionBehind(index);
    if (behind < 0) {
      weights.Step(step);
    } else {
      const Op& prediction = program_[behind];
      weights.StepAndPredict(
          step, {prediction.version, prediction.horizon, BaseOf(behind), SlotOf(behind)});
      predicted_ = behind;
    }

    samples = 0;
    return;
  }

  // An A: gradients where they are if the transport can, else by way of main memory; then samples,
  // as doubles, in which they are exact: far below 2^53.
  const Table<std::int32_t>& members = plan_.ranks_of_stage[op.stage];
  const std::optional<DeviceValues> on_device = weights.GradientOnDevice();
  if (!on_device || !transport_.AllReduceOnDevice(members, op.stage, *on_device)) {
    transport_.AllReduce(members, op.stage, weights.Gradient());
    weights.GradientReplaced();
  }
  auto sum = static_cast<double>(samples);
  transport_.AllReduce(members, op.stage, {&sum, 1});
  samples = static_cast<std::int64_t>(sum);
}

std::int32_t Executor::PredictionBehind(std::int32_t index) const {
  const Op& step = program_[index];
  for (std::int32_t next = index + 1; next < program_.Count(); ++next) {
    const Op& op = program_[next];
    if (!TraitsOf(op.kind).is_recv) {
      const bool follows =
          op.kind == OpKind::kPredict && op.stage == step.stage && op.version == step.version + 1;
      return follows ? next : -1;
    }
  }
  return -1;
}

std::int32_t Executor::BaseOf(std::int32_t index) const {
  return plan_.slots.base[{rank_, index}];
}

Boundary Executor::InputOf(std::int32_t index) {
  const OpRef input = plan_.dependencies.input[{rank_, index}];
  if (!input) {
    return {};
  }

  const Op& source = plan_.schedule.At(input);
  if (TraitsOf(source.kind).is_recv) {
    const OpRef send = plan_.dependencies.input[input];
    Received received = transport_.Receive(send.rank, TagOf(source));
    clock_.Arrive(input, received);
    return std::move(received.tensor);
  }

  const auto kept = kept_.find(input.index);
  STAGECRAFT_CHECK(kept != kept_.end(), "an op comes after the one whose tensor it uses");
  Boundary tensor = std::move(kept->second);
  kept_.erase(kept);
  return tensor;
}

void Executor::Keep(std::int32_t index, const Op& op, Boundary tensor) {
  const std::int32_t last = plan_.schedule.shape.stages - 1;
  const bool used = op.kind == OpKind::kForward ? op.stage < last : op.stage > 0;
  if (used) {
    kept_.emplace(index, std::move(tensor));
  }
}

std::int32_t Executor::SlotOf(std::int32_t index) const {
  return plan_.slots.slot[{rank_, index}];
}

}  // namespace stagecraft
