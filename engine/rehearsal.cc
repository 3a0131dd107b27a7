#include "engine/rehearsal.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <thread>

#include "engine/ranks/brief_wait.h"

namespace stagecraft {
namespace {

/// Takes its time, counted from the call.
void Take(Nanoseconds duration) {
  if (duration > Nanoseconds(0)) {
    WaitUntil(std::chrono::steady_clock::now() + duration);
  }
}

class RehearsedStage : public Stage {
 public:
  explicit RehearsedStage(const StageCosts& costs) : costs_(costs) {}

  Boundary Forward(std::int32_t, std::int32_t, Boundary, bool) override {
    Take(costs_.forward);
    return {};
  }
  void Recompute(std::int32_t, std::int32_t) override { Take(costs_.recompute); }
  Boundary Backward(std::int32_t, std::int32_t, Boundary) override {
    Take(costs_.backward);
    return {};
  }
  Boundary BackwardInput(std::int32_t, std::int32_t, Boundary) override {
    Take(costs_.backward_input);
    return {};
  }
  void BackwardWeight(std::int32_t, std::int32_t) override { Take(costs_.backward_weight); }

 private:
  StageCosts costs_;
};

class RehearsedWeights : public Weights {
 public:
  explicit RehearsedWeights(const StageCosts& costs) : costs_(costs) {}

  void Step(const StepOp&) override { Take(costs_.step); }
  void Predict(const PredictOp&) override { Take(costs_.predict); }
  /// Before the members meet: all take it at once, so the meeting is over when it should be.
  std::span<double> Gradient() override {
    Take(costs_.allreduce);
    return {};
  }

 private:
  StageCosts costs_;
};

}  // namespace

void WaitUntil(std::chrono::steady_clock::time_point time) {
  constexpr std::chrono::microseconds kWakeUp(80);  // That late it may wake a sleeper.
  std::this_thread::sleep_until(time - kWakeUp);
  while (std::chrono::steady_clock::now() < time) {
    std::this_thread::yield();
  }
}

MakeWork RehearsalOf(const ExecutionPlan& plan, const Costs& costs) {
  return RunProgramOf(plan, [&](std::int32_t rank) {
    WakeUpInTime();
    std::map<std::int32_t, StagePart> parts;
    for (const std::int32_t stage : plan.schedule.placement[rank]) {
      const StageCosts& of_stage = costs.stages[stage];
      parts[stage] = {std::make_unique<RehearsedStage>(of_stage),
                      std::make_unique<RehearsedWeights>(of_stage)};
    }
    return parts;
  });
}

}  // namespace stagecraft
