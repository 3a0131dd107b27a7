#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "schedules/schedule.h"
#include "sim/topology.h"
#include "tools/cost_source.h"
#include "tools/schedule_arguments.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the name is the library's
class App;
}

namespace stagecraft {

/// The flags that say what ops, transfers and weights cost.
class CostArguments {
 public:
  enum class Which { kAll, kPlanning, kCosts, kSizes };

  /// Declares them: all, all but how sends wait, all but those of the machine, or only those that
  /// say how large things are.
  void AddTo(CLI::App& app, Which which = Which::kAll);

  SendMode Send() const { return send_; }

  /// Whether anything was given that says how large things are, or how long ops take.
  bool AnySizes() const;
  bool AnyDurations() const;

  /// Whether any of the flags was given a value that matters.
  bool Any() const;

  /// Reads the profile, if any, and prints its warnings. Throws `CommandFailure` (usage).
  CostSource Load() const;

  /// The same without a profile, with what `assumed` says in place of what is not given.
  CostSource LoadWithDefaults(const StageCosts& assumed) const;

  /// Throws `CommandFailure` (usage) if a speed is given for a rank that `schedule` lacks.
  Topology TopologyFor(const Schedule& schedule) const;

  /// -p where it is not given: `--stages`, else the stages of a profile that has ready ones.
  std::optional<std::int32_t> DefaultRanks(const CostSource& source) const;

  /// Throws `CommandFailure` (usage) if `--stages` was given and a pipeline of that many ranks is
  /// not what was asked for.
  void CheckStages(const GivenSchedule& given) const;

 private:
  void AddTimes(CLI::App& app);
  void AddSizes(CLI::App& app);
  void AddTopology(CLI::App& app, bool with_send);
  void AddProfile(CLI::App& app);

  InlineCosts inline_;
  std::string profile_;
  std::optional<std::int32_t> profile_batch_;
  std::optional<std::int32_t> stages_;
  double microbatch_size_ = 1;
  Nanoseconds latency_{0};
  double bandwidth_ = 0;
  SendMode send_ = SendMode::kEager;
  std::vector<std::pair<std::int32_t, double>> speeds_;
};

}  // namespace stagecraft
