#include <cstddef>
#include <utility>

#include "schedules/tables.h"
#include "sim/replay.h"
#include "sim/walk.h"
#include "sim/walk_plan.h"

namespace stagecraft {
namespace {

/// Writes down the steps of a walk. A step is its place in the list.
class Recorder {
 public:
  using Step = std::uint32_t;
  static constexpr Step kTimeZero = 0;
  static constexpr Step kUnknown = ~0U;

  Recorder(std::int32_t expected, std::int32_t no_op) {
    compiled_.instructions.reserve(expected + 1);
    compiled_.subject.reserve(expected + 1);
    Append({}, no_op);
  }

  Step Run(StepInputs<Step> inputs, std::uint32_t lane, std::uint32_t cost_class, std::int32_t op) {
    return Append({inputs.first, inputs.second, lane, cost_class}, op);
  }

  Step Carry(StepInputs<Step> inputs, TransferPlan plan, std::int32_t transfer) {
    return Append({inputs.first, inputs.second, plan.lane, plan.cost_class}, transfer);
  }

  void SameSpan(std::int32_t op, std::int32_t like) { compiled_.same_spans.push_back({op, like}); }

  CompiledSchedule Take() { return std::move(compiled_); }

 private:
  Step Append(const Instruction& instruction, std::int32_t subject) {
    compiled_.instructions.push_back(instruction);
    compiled_.subject.push_back(subject);
    return static_cast<Step>(compiled_.instructions.size()) - 1;
  }

  CompiledSchedule compiled_;
};

}  // namespace

std::optional<CompiledSchedule> Compile(const Schedule& schedule, const Dependencies& dependencies,
                                        SendMode send, TableView<const StageSizes> sizes) {
  WalkPlan plan = PlanWalk(schedule, dependencies, sizes);
  const std::int32_t waits = send == SendMode::kBlocking ? plan.transfers.Count() : 0;
  Recorder recorder(plan.ids.Size() + waits, plan.ids.Size());
  if (!Walk<Recorder>(schedule, dependencies, send, plan, recorder).Finish()) {
    return std::nullopt;
  }

  CompiledSchedule compiled = recorder.Take();
  compiled.send = send;
  compiled.ranks = plan.Ranks();
  compiled.lanes = plan.Lanes();
  compiled.classes = std::move(plan.classes);
  compiled.ids = std::move(plan.ids);
  compiled.transfers = std::move(plan.transfers);
  return compiled;
}

}  // namespace stagecraft
