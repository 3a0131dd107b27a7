#pragma once

#include <string>

#include "schedules/lower.h"
#include "tools/arguments/cost_arguments.h"
#include "tools/arguments/schedule_arguments.h"
#include "tools/runs/simulated_run.h"

namespace stagecraft {

/// Everything that one simulation needs from the command line.
class SimulateArguments {
 public:
  void AddTo(CLI::App& app, const std::string& name_description);

  /// Loads, verifies, simulates, measures. Throws `CommandFailure`.
  SimulatedRun Run(Engine engine, Progress& progress) const;

  /// Loads and verifies: the schedule with communication. Throws `CommandFailure`.
  Schedule LoadLowered(Progress& progress) const;

 private:
  struct Given {
    CostSource source;
    GivenSchedule schedule;
  };
  Given Load() const;
  Lowered Lower(GivenSchedule given, Progress& progress) const;

  std::string name_;
  ScheduleArguments schedule_;
  ReceivePolicy receive_;
  const CLI::Option* receive_flag_ = nullptr;
  CostArguments costs_;
};

}  // namespace stagecraft
