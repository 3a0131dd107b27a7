#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "sim/durations.h"
#include "tools/command.h"
#include "tools/cost_arguments.h"
#include "tools/flags.h"
#include "tools/schedule_arguments.h"
#include "tools/simulated_run.h"
#include "tools/terminal.h"
#include "tools/validation.h"

namespace stagecraft {
namespace {

constexpr std::int32_t kMostRanks = 1024;
constexpr std::int32_t kDefaultRuns = 5;

class ValidateCommand : public Command {
 public:
  explicit ValidateCommand(CLI::App& app) {
    app.add_option("NAME|FILE", name_, "what to run: a generator's name or a *.sched file")
        ->required();
    schedule_.AddTo(app);
    receive_flag_ = AddReceive(app, receive_);
    costs_.AddTo(app, CostArguments::Which::kCosts);
    app.add_flag("--rehearse", rehearse_, "stages only take the time of their costs");
    app.add_flag("--processes", processes_,
                 "ranks are processes of their own, connected by sockets, not threads");
    AddInteger(app, "--runs", {1, 1000, "N"}, runs_, "how often to run it [5]");
    app.add_flag("--json", json_, "print JSON (validate.schema.json)");
    app.footer(
        "Runs the schedule that `simulate` predicts, op by op, in real time, and compares.\n\n"
        "Examples:\n"
        "  stagecraft validate 1f1b -p 4 -m 4 --forward 2ms --backward 4ms --rehearse --runs 1\n"
        "  stagecraft validate pipeoptim -p 4 -m 4 --profile gnmt --rehearse --processes --runs "
        "1\n");
  }

  ExitCode Run() override {
    if (!rehearse_) {
      throw CommandFailure(ExitCode::kUsage, "--rehearse",
                           "expected this flag: real models cannot be run yet");
    }
    const CostSource source = costs_.Load();
    GivenSchedule given = schedule_.Load(name_, costs_.DefaultRanks(source));
    costs_.CheckStages(given);
    Costs costs = source.For(given.schedule);
    Progress progress;
    Lowered lowered =
        LowerAndVerify(std::move(given.schedule), {.receive = receive_,
                                                   .receive_given = !receive_flag_->empty(),
                                                   .generated = given.generator != nullptr});
    Check(lowered.schedule, costs);
    const RehearsalOptions options{processes_ ? Workers::kProcesses : Workers::kThreads,
                                   runs_.value_or(kDefaultRuns)};
    const Validation validation =
        Rehearse(std::move(lowered.schedule), std::move(costs), options, progress);
    Print(json_ ? ValidationToJson(validation).dump(2) + "\n" : ValidationToText(validation));
    return ExitCode::kFine;
  }

 private:
  /// Throws `CommandFailure` (usage) for what cannot be rehearsed.
  static void Check(const Schedule& schedule, const Costs& costs) {
    std::vector<Diagnostic> faults = CheckCosts(schedule, costs, {});
    if (!faults.empty()) {
      throw CommandFailure(ExitCode::kUsage, std::move(faults));
    }
    if (schedule.shape.ranks > kMostRanks) {
      throw CommandFailure(
          ExitCode::kUsage, "--rehearse",
          fmt::format("takes a thread or a process per rank: expected at most {} ranks, got {}",
                      kMostRanks, schedule.shape.ranks));
    }
    for (const StageCosts& stage : costs.stages) {
      if (stage.joined) {
        throw CommandFailure(ExitCode::kUsage, "--joined",
                             "a rehearsal runs the ops of a cell one after the other; expected "
                             "costs of the ops only");
      }
    }
  }

  std::string name_;
  ScheduleArguments schedule_;
  ReceivePolicy receive_;
  const CLI::Option* receive_flag_ = nullptr;
  CostArguments costs_;
  bool rehearse_ = false;
  bool processes_ = false;
  std::optional<std::int32_t> runs_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeValidateCommand(CLI::App& app) {
  return std::make_unique<ValidateCommand>(app);
}

}  // namespace stagecraft
