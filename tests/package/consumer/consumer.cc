// Generates, verifies, simulates and rehearses 1F1B with nothing but the installed headers and
// libraries.
#include <chrono>
#include <cstdio>

#include <stagecraft/engine/ranks/thread_job.h>
#include <stagecraft/engine/rehearsal.h>
#include <stagecraft/schedules/lower.h>
#include <stagecraft/schedules/registry.h>
#include <stagecraft/schedules/verify.h>
#include <stagecraft/sim/metrics.h>
#include <stagecraft/sim/simulate.h>

int main() {
  using namespace std::chrono_literals;
  stagecraft::GeneratorOptions options;
  options.ranks = 4;
  options.microbatches = 8;
  const stagecraft::Schedule schedule =
      stagecraft::Lower(stagecraft::OrThrow(stagecraft::Generate("1f1b", options)));
  if (!stagecraft::Verify(schedule).empty()) {
    return 1;
  }
  stagecraft::Costs costs;
  costs.stages.resize(4);
  for (stagecraft::StageCosts& stage : costs.stages) {
    stage.forward = 1ms;
    stage.backward = 2ms;
  }
  const stagecraft::Timeline timeline =
      stagecraft::Simulate(schedule, costs, stagecraft::Topology{});
  const auto makespan = stagecraft::Measure(schedule, timeline, costs).makespan;
  std::printf("makespan %lld ns\n", static_cast<long long>(makespan.count()));
  const stagecraft::ExecutionPlan plan = stagecraft::PlanExecution(schedule);
  stagecraft::Recorder recorder(plan.schedule);
  stagecraft::RunAsThreads(plan, stagecraft::RehearsalOf(plan, costs), {.recorder = &recorder});
  // (m + p - 1) (F + B) = 11 * 3 ms.
  return makespan == 33ms && stagecraft::Makespan(recorder.Recorded()) >= 33ms ? 0 : 1;
}
