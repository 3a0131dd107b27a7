#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "sim/durations.h"
#include "tools/arguments/cost_arguments.h"
#include "tools/arguments/flags.h"
#include "tools/arguments/quantity.h"
#include "tools/arguments/schedule_arguments.h"
#include "tools/arguments/training_arguments.h"
#include "tools/command.h"
#include "tools/reports/cut_report.h"
#include "tools/reports/training_report.h"
#include "tools/runs/simulated_run.h"
#include "tools/runs/training_validation.h"
#include "tools/runs/validation.h"
#include "tools/terminal.h"

namespace stagecraft {
namespace {

// Ranks of a rehearsal, runs without --runs, and samples of a micro-batch.
constexpr std::int32_t kMostRanks = 1024;
constexpr std::int32_t kDefaultRuns = 5;
constexpr std::int32_t kMostSamples = 1 << 20;

/// `stagecraft validate`: runs a schedule in real time, and compares with the prediction.
class ValidateCommand : public Command {
 public:
  explicit ValidateCommand(CLI::App& app) {
    app.add_option("NAME|FILE", name_,
                   "schedule to run: a name (see `stagecraft schedules`) or a *.sched file")
        ->required();
    schedule_.AddTo(app);
    receive_flag_ = AddReceive(app, receive_);
    costs_.AddTo(app, CostArguments::Which::kCosts);
    microbatch_size_flag_ = app.get_option("--microbatch-size");
    cost_flags_ = app.get_options([this](const CLI::Option* option) {
      const std::string& group = option->get_group();
      return (group.starts_with("Costs") || group == "Profile") && option != microbatch_size_flag_;
    });

    // What is declared from here on is for trainings only.
    const std::vector<CLI::Option*> before = app.get_options();
    training_.AddTo(app, schedule_, 0);
    cut_flag_ = app.get_option("--cut");
    training_flags_ = app.get_options([&](const CLI::Option* option) {
      return std::find(before.begin(), before.end(), option) == before.end() && option != cut_flag_;
    });

    training_flags_.push_back(app.add_flag(
        "--alternate", alternates_,
        "take the costs from every other batch, or stretch between drains, and predict "
        "those between, so that drift of the machine affects both halves alike"));

    app.add_flag("--rehearse", rehearse_,
                 "no model: each stage only waits as long as its costs say (needs no LibTorch)");
    app.add_flag(
        "--processes", processes_,
        "run each rank as a process of its own, connected by sockets, in place of a thread");
    AddInteger(app, "--runs", {1, 1000, "N"}, runs_, "how often to run it [5]");
    app.add_flag("--json", json_, "print JSON (validate.schema.json)");
    app.footer(R"(Runs in real time, op by op, the schedule that `simulate` predicts, and compares
the two. With a model, the first half of its micro-batches gives the costs that
predict the second half; with --rehearse, ranks only take the time of given costs.

Examples:
  stagecraft validate 1f1b -p 4 -m 4 --forward 2ms --backward 4ms --rehearse --runs 1
  stagecraft validate pipeoptim -p 4 -m 4 --profile gnmt --rehearse --processes --runs 1
  stagecraft validate 1f1b -p 2 -m 4 -n 4 --model gpt --runs 1
)");
  }

  ExitCode Run() override {
    CheckFlags();
    Progress progress;
    const Validation validation = rehearse_ ? RunRehearsal(progress) : RunTrainings(progress);
    if (json_) {
      PrintJson(ValidationToJson(validation));
    } else {
      Print(ValidationToText(validation) + (cut_.empty() ? "" : "\n" + cut_));
    }
    return ExitCode::kFine;
  }

 private:
  /// Throws `CommandFailure` (usage) for a flag of the other kind of validation.
  void CheckFlags() const {
    for (const CLI::Option* option : rehearse_ ? training_flags_ : cost_flags_) {
      if (!option->empty()) {
        throw CommandFailure(ExitCode::kUsage, option->get_name(),
                             rehearse_ ? "is of a training; expected it without --rehearse"
                                       : "is of a rehearsal; expected --rehearse, or a model whose "
                                         "costs are measured");
      }
    }
  }

  /// Takes the schedule out of `given`, adds communication and verifies.
  Lowered LowerGiven(GivenSchedule& given) const {
    return LowerAndVerify(std::move(given.schedule), {.receive = receive_,
                                                      .receive_given = !receive_flag_->empty(),
                                                      .generated = given.generator != nullptr});
  }

  RehearsalOptions Options() const {
    return {processes_ ? Workers::kProcesses : Workers::kThreads, runs_.value_or(kDefaultRuns)};
  }

  /// Runs the ops without a model, for as long as their costs say.
  Validation RunRehearsal(Progress& progress) {
    if (!cut_flag_->empty()) {
      // The flag means layers of a profile here, and units of a model in a training.
      costs_.SetCut(cut_flag_->results().front());
    }
    const CostSource source = costs_.Load();
    GivenSchedule given = schedule_.Load(name_, costs_.DefaultRanks(source));
    costs_.CheckStages(given);

    Costs costs = source.For(given.schedule);
    const std::vector<IdleFlag> idle = costs_.IdleFlags(source, given.schedule);
    Lowered lowered = LowerGiven(given);
    Check(lowered.schedule, costs);

    PrintDiagnostics(WarningsOf(idle, name_));
    cut_ = CutToText(costs);
    return Rehearse(std::move(lowered.schedule), std::move(costs), Options(), progress);
  }

  /// Trains a model, and predicts a part of each run from the rest.
  Validation RunTrainings(Progress& progress) {
    if (!microbatch_size_flag_->empty()) {
      training_.SetMicrobatchSize(
          FlagValue("--microbatch-size",
                    ParseInteger(microbatch_size_flag_->results().front(), 1, kMostSamples)));
    }

    // Costs and prediction come from different sides of a drain.
    constexpr std::int32_t kPieces = 16;
    training_.DrainInPieces(alternates_ ? kPieces : 2);
    GivenTraining given = training_.Load(name_);
    if (CurrentLaunch(given.schedule.schedule.shape.ranks)) {
      throw CommandFailure(ExitCode::kUsage, "",
                           "starts its ranks itself; expected it without another launcher");
    }

    // Ranks that share cores or GPUs slow each other down, which no cost says.
    const auto cores = static_cast<std::int32_t>(std::thread::hardware_concurrency());
    if (const auto shared = SharedGpus(given.task.compute, given.schedule.schedule.shape.ranks)) {
      PrintDiagnostics({*shared});
    }
    if (!given.task.compute.on_gpus && given.schedule.schedule.shape.ranks > cores) {
      throw CommandFailure(
          ExitCode::kUsage, given.schedule.generator == nullptr ? name_ : "-p",
          fmt::format("{} ranks would share {} cores, so that times would say nothing; expected at "
                      "most as many ranks as cores, or --rehearse",
                      given.schedule.schedule.shape.ranks, cores));
    }

    if (const auto left_out = LeftOutWarning(given)) {
      PrintDiagnostics({*left_out});
    }
    if (!json_) {
      Print(LeftOutToText(given));
      FlushOutput();
    }

    const Lowered lowered = LowerGiven(given.schedule);
    const RehearsalOptions options = Options();
    PrintDiagnostics(training_.IdleFlags(lowered.schedule, given.schedule.generator != nullptr));
    Validation validation = ValidateTraining(
        given, lowered.schedule, {options.workers, options.runs, alternates_}, progress);

    if (validation.diverged_at) {
      PrintDiagnostics({WarningOf(*validation.diverged_at)});
    }
    return validation;
  }

  /// Throws `CommandFailure` (usage) for what cannot be rehearsed.
  static void Check(const Schedule& schedule, const Costs& costs) {
    std::vector<Diagnostic> faults = CheckCosts(schedule, costs, {});
    if (!faults.empty()) {
      throw CommandFailure(ExitCode::kUsage, std::move(faults));
    }

    // A system has only so many threads and processes.
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
  TrainingArguments training_;
  const CLI::Option* microbatch_size_flag_ = nullptr;
  const CLI::Option* cut_flag_ = nullptr;
  std::string cut_;  ///< How a rehearsal cut the profile that its costs are from, as text.
  std::vector<CLI::Option*> cost_flags_, training_flags_;
  bool rehearse_ = false;
  bool alternates_ = false;
  bool processes_ = false;
  std::optional<std::int32_t> runs_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeValidateCommand(CLI::App& app) {
  return std::make_unique<ValidateCommand>(app);
}

}  // namespace stagecraft
