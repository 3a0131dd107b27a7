#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "schedules/generator.h"
#include "schedules/lower.h"
#include "schedules/registry.h"
#include "schedules/schedule.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the name is the library's
class App;
class Option;
}  // namespace CLI

namespace stagecraft {

struct CostedMachine;

/// A schedule that the command line asked for.
struct GivenSchedule {
  Schedule schedule;                     ///< The schedule as it was made or read, not verified.
  const Generator* generator = nullptr;  ///< Null if it came from a file.
  GeneratorOptions options;              ///< What it was generated with; of a file the defaults.
};

/// How a schedule is named on every command line: a file, or a generator's name with `-p -m -n`
/// and the generator's options.
class ScheduleArguments {
 public:
  /// Declares the flags, not the name itself. `default_batches` is -n where it is not given.
  void AddTo(CLI::App& app, std::int32_t default_batches = 1);

  /// Options for any generator: what was given, else the defaults. `stages`, from `--stages`, is
  /// the default of -p.
  GeneratorOptions Options(std::optional<std::int32_t> stages) const;

  /// Generates or reads. Throws `CommandFailure` (usage) with everything that is wrong; the
  /// schedule itself is not verified. A file takes no generator's flags. `machine`: what an
  /// automatic schedule is made for.
  GivenSchedule Load(const std::string& name_or_file,
                     std::optional<std::int32_t> stages = std::nullopt,
                     const CostedMachine* machine = nullptr) const;

  /// Reads a file of torch's format that must have this placement. Throws `CommandFailure` (usage)
  /// if generator's flags are given, too.
  GivenSchedule LoadPlaced(const std::string& file, const Placement& placement) const;

  /// Reads a file that is one of several schedules: generator's flags may be given, for the others.
  GivenSchedule LoadFileAmongOthers(const std::string& name_or_file) const;

  /// Like `Load`, but `adjust` has the last word on the options of a generator, and a file may
  /// stand beside generator's flags.
  using Adjust = std::function<void(const Generator& generator, GeneratorOptions& options)>;
  GivenSchedule LoadAdjusted(const std::string& name_or_file, std::optional<std::int32_t> stages,
                             const Adjust& adjust) const;

  /// The flags but -n that were given and that only a generator takes.
  std::vector<std::string> FlagsOfGenerators() const;

  /// Whether -p, --repeat or -n was given.
  bool HasRanks() const { return ranks_.has_value(); }
  bool HasRepeat() const { return repeat_.has_value(); }
  bool HasBatches() const { return batches_.has_value(); }

 private:
  /// `shared_flags`: generator's flags may be given, too. `placement`: what a torch file must have.
  GivenSchedule LoadFile(const std::string& file, bool shared_flags,
                         const std::optional<Placement>& placement = std::nullopt) const;

  std::optional<std::int32_t> ranks_;  ///< Nullopt, as below: the flag was not given.
  std::optional<std::int32_t> microbatches_;
  std::optional<std::int32_t> batches_;
  std::optional<std::int32_t> drain_every_;
  std::optional<std::int32_t> repeat_;     ///< How often a file is executed.
  GeneratorOptions rest_;                  ///< Options that need no default of their own.
  std::int32_t default_batches_ = 1;       ///< -n where it is not given.
  std::vector<const CLI::Option*> flags_;  ///< The flags that only a generator takes.
};

/// Declares `--receive POLICY`; `policy` must live until the command line is parsed.
CLI::Option* AddReceive(CLI::App& app, ReceivePolicy& policy);

}  // namespace stagecraft
