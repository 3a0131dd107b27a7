#include "tools/runs/explanation.h"

namespace stagecraft {

Explanation Explain(const SimulatedRun& run, Progress& progress) {
  Explanation explanation;
  progress.Begin("following the critical path");
  explanation.path = CriticalPath(run.lowered, run.timeline, run.topology);
  explanation.costs = Sensitivities(run.lowered, run.costs, explanation.path);
  explanation.naive = EstimateByTextbook(run.lowered, run.costs, run.topology);
  progress.Begin("trying remedies");
  explanation.remedies =
      TryRemedies(run.lowered, FindDependencies(run.lowered), run.costs, run.topology);
  return explanation;
}

}  // namespace stagecraft
