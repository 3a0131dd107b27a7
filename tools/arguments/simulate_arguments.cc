#include "tools/arguments/simulate_arguments.h"

#include <utility>

#include <CLI/CLI.hpp>

#include "tools/arguments/order_search.h"

namespace stagecraft {

void SimulateArguments::AddTo(CLI::App& app, const std::string& name_description) {
  app.add_option("NAME|FILE", name_, name_description)->required();
  schedule_.AddTo(app);
  receive_flag_ = AddReceive(app, receive_);
  costs_.AddTo(app);
}

SimulateArguments::Given SimulateArguments::Load() const {
  CostSource source = costs_.Load();
  const CostedMachine machine{source, costs_, {}};
  GivenSchedule given = schedule_.Load(name_, costs_.DefaultRanks(source), &machine);
  costs_.CheckStages(given);
  PrintDiagnostics(WarningsOf(costs_.IdleFlags(source, given.schedule), name_));
  return {std::move(source), std::move(given)};
}

Lowered SimulateArguments::Lower(GivenSchedule given, Progress& progress) const {
  progress.Begin("verifying");
  return LowerAndVerify(std::move(given.schedule), {.receive = receive_,
                                                    .receive_given = !receive_flag_->empty(),
                                                    .generated = given.generator != nullptr,
                                                    .send = costs_.Send()});
}

Schedule SimulateArguments::LoadLowered(Progress& progress) const {
  return Lower(Load().schedule, progress).schedule;
}

SimulatedRun SimulateArguments::Run(Engine engine, Progress& progress) const {
  Given given = Load();
  Topology topology = costs_.TopologyFor(given.schedule.schedule);
  Costs costs = given.source.For(given.schedule.schedule);
  Lowered lowered = Lower(std::move(given.schedule), progress);
  SimulatedRun run = SimulateAndMeasure(std::move(lowered), std::move(costs), std::move(topology),
                                        engine, progress);
  run.costs_basis = given.source.Basis(run.lowered.shape.ranks);
  run.memory = costs_.MemoryOfRanks(run.lowered.shape.ranks);
  return run;
}

}  // namespace stagecraft
