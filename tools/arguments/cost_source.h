#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "schedules/placements.h"
#include "schedules/schedule.h"
#include "tools/arguments/inline_costs.h"
#include "tools/command.h"
#include "tools/terminal.h"
#include "traces/costs.h"
#include "traces/placed_cut.h"
#include "traces/profile.h"

namespace stagecraft {

/// What a value of a cost flag is for.
enum class CostsPer : std::uint8_t {
  kStage,  ///< One stage of the schedule.
  kRank,   ///< One p-th of the model, which is shared out over the stages that a rank holds.
};

/// What the command line says of costs. Files have been read.
struct GivenCosts {
  InlineCosts flags;  ///< What each value is for says `per`.
  CostsPer per = CostsPer::kStage;
  std::optional<Profile> profile{};         ///< Nullopt: costs come from flags only.
  std::optional<double> microbatch_size{};  ///< Samples.
  std::vector<std::int32_t> cut{};  ///< First layer of each further stage; empty: cut by time.
  double memory_bandwidth = 500e9;  ///< Bytes per second, of the device.
  /// Speeds of ranks relative to the others, as a cut by time counts them; of several for one rank
  /// the last counts.
  std::vector<std::pair<std::int32_t, double>> speeds{};
};

/// How the costs of one schedule are scaled, so that a comparison is of equal work.
struct CostScale {
  std::int32_t factor = 1;  ///< Given micro-batches in one micro-batch of the schedule.
  std::int32_t parts = 0;   ///< p of "one p-th of the model"; 0: the ranks of the schedule.
};

/// Where the costs of any schedule come from: a profile, flags, or both; a flag replaces the
/// profile's figure.
///
///   --profile ---> layers ---- cut for the schedule ----> costs of its stages --+
///                                                                               |--> Costs
///   --forward, --activation, ... ---- shared out if they are per rank ----------+
///
/// What neither gives is derived from the rest, or 0; `Costs::derived` says so.
class CostSource {
 public:
  explicit CostSource(GivenCosts given);

  const std::optional<Profile>& GetProfile() const { return given_.profile; }

  /// Samples: as given, else the size that the profile was measured at (the smallest of several),
  /// else 1.
  double MicrobatchSize() const { return microbatch_size_; }

  /// Costs of every stage of `schedule`. A profile's layers are cut as `--cut` says, else as the
  /// profile says if that is for as many stages, else for the schedule's placement. Throws
  /// `CommandFailure` (usage).
  Costs For(const Schedule& schedule, const CostScale& scale = {}) const;

  /// Whether there is any duration.
  bool HasDurations() const { return given_.profile || given_.flags.AnyDuration(); }

  /// What the costs are for, such as `costs of flags are per stage`; `parts` as in `CostScale`.
  std::string Basis(std::int32_t parts) const;

 private:
  /// A cut, and a sentence that says how it was chosen.
  struct ChosenCut {
    Partition partition;
    std::string sentence;
  };
  /// The cut as the flag says, else as the profile says, else by time.
  ChosenCut CutFor(const Schedule& schedule) const;
  /// Searches for the best cut, once for each placement and goal.
  ChosenCut CutByTime(const Schedule& schedule) const;
  /// Which passes count for a cut by time, and how fast each rank is.
  CutGoal GoalFor(const Schedule& schedule) const;
  /// Those of `used` that no flag gives a duration, directly or by derivation.
  OpKinds KindsFromProfile(OpKinds used) const;
  /// Costs of every stage before flags replace any; `factor` as in `CostScale`.
  Costs FromProfile(const Schedule& schedule, std::int32_t factor) const;

  GivenCosts given_;
  double microbatch_size_ = 1;  ///< Samples.
  /// Cuts by time that have been searched for; a comparison asks for the same one many times.
  mutable std::map<std::pair<Placement, CutGoal>, ChosenCut> cuts_by_time_;
};

/// One warning per idle flag: that it has no effect on `what`, and why.
std::vector<Diagnostic> WarningsOf(const std::vector<IdleFlag>& idle, const std::string& what);

/// The value, its warnings printed; without one, `CommandFailure` (usage) with all diagnostics.
template <typename T>
T ValueOrUsage(Result<T> result) {
  if (!result.value) {
    throw CommandFailure(ExitCode::kUsage, std::move(result.diagnostics));
  }
  PrintDiagnostics(result.diagnostics);
  return *std::move(result.value);
}

}  // namespace stagecraft
