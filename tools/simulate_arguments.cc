#include "tools/simulate_arguments.h"

#include <utility>

#include <CLI/CLI.hpp>

#include "schedules/fingerprint.h"

namespace stagecraft {

void SimulateArguments::AddTo(CLI::App& app, const std::string& name_description) {
  app.add_option("NAME|FILE", name_, name_description)->required();
  schedule_.AddTo(app);
  receive_flag_ = AddReceive(app, receive_);
  costs_.AddTo(app);
}

SimulatedRun SimulateArguments::Run(Engine engine, Progress& progress) const {
  const CostSource source = costs_.Load();
  GivenSchedule given = schedule_.Load(name_, costs_.DefaultRanks(source));
  costs_.CheckStages(given);
  Topology topology = costs_.TopologyFor(given.schedule);
  Costs costs = source.For(given.schedule);
  std::string fingerprint = Fingerprint(given.schedule);
  progress.Begin("verifying");
  Lowered lowered =
      LowerAndVerify(std::move(given.schedule), {.receive = receive_,
                                                 .receive_given = !receive_flag_->empty(),
                                                 .generated = given.generator != nullptr,
                                                 .send = costs_.Send()});
  SimulatedRun run = SimulateAndMeasure(std::move(lowered), std::move(costs), std::move(topology),
                                        engine, progress);
  run.fingerprint = std::move(fingerprint);
  return run;
}

}  // namespace stagecraft
