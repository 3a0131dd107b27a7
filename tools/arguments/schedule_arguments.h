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
  Schedule schedule;
  const Generator* generator = nullptr;  ///< Null if it came from a file.
  GeneratorOptions options;              ///< What it was generated with.
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

  /// Reads a torch file that must have this placement. A file takes no generator's flags.
  GivenSchedule LoadPlaced(const std::string& file, const Placement& placement) const;

  /// Reads a file beside which generator's flags may stand, for others.
  GivenSchedule LoadFileAmongOthers(const std::string& name_or_file) const;

  /// The same, with the last word on the options of a generator; a file may stand beside its flags.
  using Adjust = std::function<void(const Generator& generator, GeneratorOptions& options)>;
  GivenSchedule LoadAdjusted(const std::string& name_or_file, std::optional<std::int32_t> stages,
                             const Adjust& adjust) const;

  /// The flags but -n that were given and that only a generator takes.
  std::vector<std::string> FlagsOfGenerators() const;

  /// Whether -p, or -n, was given.
  bool HasRanks() const { return ranks_.has_value(); }
  bool HasRepeat() const { return repeat_.has_value(); }
  bool HasBatches() const { return batches_.has_value(); }

 private:
  GivenSchedule LoadFile(const std::string& file, bool shared_flags,
                         const std::optional<Placement>& placement = std::nullopt) const;

  std::optional<std::int32_t> ranks_;
  std::optional<std::int32_t> microbatches_;
  std::optional<std::int32_t> batches_;
  std::optional<std::int32_t> drain_every_;
  std::optional<std::int32_t> repeat_;
  GeneratorOptions rest_;
  std::int32_t default_batches_ = 1;
  std::vector<const CLI::Option*> flags_;
};

/// Adds `--receive POLICY`.
CLI::Option* AddReceive(CLI::App& app, ReceivePolicy& policy);

}  // namespace stagecraft
