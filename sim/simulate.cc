#include "sim/simulate.h"

#include <optional>
#include <utility>

#include "schedules/check.h"
#include "sim/events.h"
#include "sim/replay.h"

namespace stagecraft {

Timeline Simulate(const Schedule& schedule, const Costs& costs, const Topology& topology,
                  Engine engine) {
  return Simulate(schedule, FindDependencies(schedule), costs, topology, engine);
}

Timeline Simulate(const Schedule& schedule, const Dependencies& dependencies, const Costs& costs,
                  const Topology& topology, Engine engine) {
  if (engine == Engine::kReplay) {
    std::optional<CompiledSchedule> compiled = Compile(schedule, dependencies, topology.send);
    STAGECRAFT_CHECK(compiled, "only a verified schedule can be simulated");
    return ReplayTimeline(*std::move(compiled), costs, topology);
  }
  std::optional<Timeline> timeline = RunEvents(schedule, dependencies, costs, topology);
  STAGECRAFT_CHECK(timeline, "only a verified schedule can be simulated");
  return *std::move(timeline);
}

}  // namespace stagecraft
