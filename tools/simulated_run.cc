#include "tools/simulated_run.h"

#include <utility>

#include "schedules/verify.h"
#include "tools/command.h"

namespace stagecraft {
namespace {

void RefuseIfAny(std::vector<Diagnostic> diagnostics) {
  if (!diagnostics.empty()) {
    throw CommandFailure(ExitCode::kRefused, std::move(diagnostics));
  }
}

}  // namespace

Schedule LowerAndVerify(Schedule schedule, const LoweringRequest& request) {
  if (HasCommunication(schedule)) {
    if (request.receive_given) {
      throw CommandFailure(ExitCode::kUsage, "--receive",
                           "is for schedules without SENDs and RECVs, but this one has its own");
    }
    RefuseIfAny(Verify(schedule, request.send));
    return schedule;
  }
  if (!request.generated) {
    RefuseIfAny(Verify(schedule));
  }
  Schedule lowered = Lower(schedule, request.receive);
  RefuseIfAny(Verify(lowered, request.send));
  return lowered;
}

SimulatedRun SimulateAndMeasure(Schedule lowered, Costs costs, Topology topology, Engine engine,
                                Progress& progress) {
  std::vector<Diagnostic> faults = CheckCosts(lowered, costs, topology);
  if (!faults.empty()) {
    throw CommandFailure(ExitCode::kUsage, std::move(faults));
  }
  SimulatedRun run;
  run.lowered = std::move(lowered);
  run.costs = std::move(costs);
  run.topology = std::move(topology);
  progress.Begin("simulating");
  run.timeline = Simulate(run.lowered, run.costs, run.topology, engine);
  progress.Begin("measuring");
  run.metrics = Measure(run.lowered, run.timeline, run.costs);
  return run;
}

}  // namespace stagecraft
