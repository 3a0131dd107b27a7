#include "tools/runs/simulated_run.h"

#include <utility>

#include "schedules/verify.h"
#include "tools/command.h"

namespace stagecraft {
namespace {

/// Throws `CommandFailure` (refused) with `diagnostics`, if there are any.
void RefuseIfAny(std::vector<Diagnostic> diagnostics) {
  if (!diagnostics.empty()) {
    throw CommandFailure(ExitCode::kRefused, std::move(diagnostics));
  }
}

/// Keeps the dependencies that verifying worked out, since simulating needs them, too.
Lowered Verified(Schedule lowered, SendMode send) {
  Examination examination = Examine(lowered, send);
  RefuseIfAny(std::move(examination.diagnostics));
  return {std::move(lowered), std::move(examination.dependencies)};
}

}  // namespace

Lowered LowerAndVerify(Schedule schedule, const LoweringRequest& request) {
  if (HasCommunication(schedule)) {
    if (request.receive_given) {
      throw CommandFailure(ExitCode::kUsage, "--receive",
                           "is for schedules without SENDs and RECVs, but this one has its own");
    }
    return Verified(std::move(schedule), request.send);
  }
  // The faults of a file are better told of what the file says than of what was added.
  if (!request.generated) {
    RefuseIfAny(Verify(schedule));
  }
  return Verified(Lower(schedule, request.receive), request.send);
}

SimulatedRun SimulateAndMeasure(Lowered lowered, Costs costs, Topology topology, Engine engine,
                                Progress& progress) {
  std::vector<Diagnostic> faults = CheckCosts(lowered.schedule, costs, topology);
  if (!faults.empty()) {
    throw CommandFailure(ExitCode::kUsage, std::move(faults));
  }

  SimulatedRun run;
  run.lowered = std::move(lowered.schedule);
  run.costs = std::move(costs);
  run.topology = std::move(topology);

  progress.Begin("simulating");
  run.timeline = Simulate(run.lowered, lowered.dependencies, run.costs, run.topology, engine);
  progress.Begin("measuring");
  run.metrics = Measure(run.lowered, lowered.dependencies, run.timeline, run.costs);
  return run;
}

}  // namespace stagecraft
