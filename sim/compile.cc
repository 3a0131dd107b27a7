#include <cstddef>
#include <utility>

#include "schedules/tables.h"
#include "sim/replay.h"
#include "sim/walk.h"
#include "sim/walk_plan.h"

namespace stagecraft {

std::optional<CompiledSchedule> Compile(const Schedule& schedule, const Dependencies& dependencies,
                                        SendMode send, TableView<const StageSizes> sizes) {
  WalkPlan plan = PlanWalk(schedule, dependencies, sizes);
  const std::int32_t waits = send == SendMode::kBlocking ? plan.transfers.Count() : 0;
  StepList steps(plan.ids.Size() + waits, plan.ids.Size());
  if (!Walk(schedule, dependencies, send, plan, steps).Finish()) {
    return std::nullopt;
  }

  CompiledSchedule compiled = steps.Take();
  compiled.send = send;
  compiled.ranks = plan.Ranks();
  compiled.lanes = plan.Lanes();
  compiled.classes = std::move(plan.classes);
  compiled.ids = std::move(plan.ids);
  compiled.transfers = std::move(plan.transfers);
  return compiled;
}

}  // namespace stagecraft
