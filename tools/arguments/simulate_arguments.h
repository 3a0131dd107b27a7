#pragma once

#include <string>

#include "schedules/lower.h"
#include "tools/arguments/cost_arguments.h"
#include "tools/arguments/schedule_arguments.h"
#include "tools/runs/simulated_run.h"

namespace stagecraft {

/// Everything that one simulation needs from the command line.
///
///   costs --> schedule --> lowered, verified --> simulated, measured
///     what a search asks for   |                     |
///                              LoadLowered           Run
class SimulateArguments {
 public:
  /// Declares the argument and the flags; `name_description` is the help of the argument.
  void AddTo(CLI::App& app, const std::string& name_description);

  /// Loads, verifies, simulates, measures. Throws `CommandFailure`.
  SimulatedRun Run(Engine engine, Progress& progress) const;

  /// Loads and verifies: the schedule with communication. Throws `CommandFailure`.
  Schedule LoadLowered(Progress& progress) const;

 private:
  /// What the flags name, before anything is verified.
  struct Given {
    CostSource source;
    GivenSchedule schedule;
  };
  /// Reads costs and schedule, and warns of flags that have no effect.
  Given Load() const;
  /// Adds the communication and verifies.
  Lowered Lower(GivenSchedule given, Progress& progress) const;

  std::string name_;  ///< NAME|FILE.
  ScheduleArguments schedule_;
  ReceivePolicy receive_;  ///< Where receives are posted, if the schedule has none.
  const CLI::Option* receive_flag_ = nullptr;  ///< Tells whether the policy was given.
  CostArguments costs_;
};

}  // namespace stagecraft
