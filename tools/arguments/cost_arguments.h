#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "sim/topology.h"
#include "tools/arguments/cost_source.h"
#include "tools/arguments/schedule_arguments.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the name is the library's
class App;
}

namespace stagecraft {

/// The flags that say what ops, transfers and weights cost.
class CostArguments {
 public:
  /// What a command declares: everything; all but `--send`; all but the machine's flags and
  /// `--cut`; or only what says how large things are.
  enum class Which { kAll, kPlanning, kCosts, kSizes };

  /// Declares the flags of `which`; this object must live until the command line is parsed.
  void AddTo(CLI::App& app, Which which = Which::kAll);

  /// What a sender waits for.
  SendMode Send() const { return send_; }

  /// What a value of a cost flag is for where `--costs-per` is not given. Call before `Load`.
  void SetDefaultPer(CostsPer per) { default_per_ = per; }

  /// The value of a `--cut` that a command declares itself: layers, as in the flag declared here.
  void SetCut(const std::string& text);

  /// Whether anything was given that says how large things are, or how long ops take. A profile
  /// says both.
  bool AnySizes() const;
  bool AnyDurations() const;

  /// Whether any of the flags was given a value that matters.
  bool Any() const;

  /// Whether any cost is given by a flag whose values are for a stage each.
  bool ArePerStage() const {
    return per_.value_or(default_per_) == CostsPer::kStage &&
           (inline_.AnyDuration() || inline_.AnySize());
  }

  /// Reads the profile, if any, and prints its warnings. Throws `CommandFailure` (usage).
  CostSource Load() const;

  /// The same without a profile, with what `assumed` says in place of what is not given.
  CostSource LoadWithDefaults(const StageCosts& assumed) const;

  /// Throws `CommandFailure` (usage) if a speed is given for a rank that `schedule` lacks.
  Topology TopologyFor(const Schedule& schedule) const;

  /// What rank `rank` may hold in all, from `--memory`; nothing if it may hold anything. Throws
  /// `CommandFailure` (usage) if `--memory` is for another number of ranks than `ranks`.
  std::optional<std::int64_t> MemoryOf(std::int32_t rank, std::int32_t ranks) const;
  bool HasMemory() const { return !memory_.empty(); }

  /// Throws `CommandFailure` (usage) if `--memory` and durations are given, but no sizes, since all
  /// would fit.
  void CheckSizesForMemory() const;

  /// `MemoryOf` every rank, after that check; empty without `--memory`.
  Table<std::int64_t> MemoryOfRanks(std::int32_t ranks) const;

  /// `--costs-per`, if it was given although no flag gives a cost.
  std::vector<IdleFlag> IdlePer() const;

  /// Throws `CommandFailure` (usage) if `--speed` or `--memory` is for other ranks than those of
  /// `schedule`.
  void CheckRanks(const Schedule& schedule) const {
    static_cast<void>(TopologyFor(schedule));
    static_cast<void>(MemoryOf(0, schedule.shape.ranks));
  }

  /// Flags that were given although nothing in `schedule` depends on them; of a machine's, for
  /// commands that declare them.
  std::vector<IdleFlag> IdleFlags(const CostSource& source, const Schedule& schedule) const;

  /// -p where it is not given: `--stages`, else as many as `--cut` makes, else the stages of a
  /// profile that has ready ones, or says where it is cut.
  std::optional<std::int32_t> DefaultRanks(const CostSource& source) const;

  /// Throws `CommandFailure` (usage) if `--stages` was given and a pipeline of that many ranks is
  /// not what was asked for.
  void CheckStages(const GivenSchedule& given) const;

 private:
  // Each declares one group of flags.
  void AddTimes(CLI::App& app);
  void AddSizes(CLI::App& app);
  void AddTopology(CLI::App& app, bool with_send);
  void AddPer(CLI::App& app);
  void AddMemory(CLI::App& app);
  void AddProfile(CLI::App& app, bool with_cut);
  /// What `--profile` names; nullopt without it. Throws `CommandFailure` (usage) if a flag is given
  /// that needs a profile, but there is none.
  std::optional<Profile> LoadProfile() const;
  /// All that was given but the profile, with `flags` for the costs that flags give.
  GivenCosts Given(InlineCosts flags) const;

  InlineCosts inline_;  ///< Values of the flags in `kDurationFlags` and `kSizeFlags`.
  CostsPer default_per_ = CostsPer::kStage;    ///< What holds without the flag.
  std::optional<CostsPer> per_;                ///< Nullopt: `default_per_`.
  std::string profile_;                        ///< As on the command line; empty: none.
  std::optional<std::int32_t> profile_batch_;  ///< Samples per micro-batch of a graph.txt.
  std::optional<std::int32_t> stages_;  ///< Stages to cut the profile into; nullopt: as -p says.
  std::vector<std::int32_t> cut_;  ///< First layer of each stage but the first; empty: cut by time.
  std::optional<double> memory_bandwidth_;  ///< Bytes per second, of the device.
  std::optional<double> microbatch_size_;   ///< Samples.
  Table<std::int64_t> memory_;              ///< Bytes: one value for all ranks, or one for each.
  Nanoseconds latency_{0};                  ///< Latency of every transfer.
  double bandwidth_ = 0;                    ///< Bytes per second of every channel; 0: unlimited.
  SendMode send_ = SendMode::kEager;        ///< Stays eager in commands without the flag.
  /// Rank and speed, relative to the others.
  std::vector<std::pair<std::int32_t, double>> speeds_;
};

}  // namespace stagecraft
