#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "schedules/lower.h"
#include "schedules/visible_text.h"
#include "tools/arguments/cost_arguments.h"
#include "tools/arguments/flags.h"
#include "tools/arguments/quantity.h"
#include "tools/arguments/schedule_arguments.h"
#include "tools/command.h"
#include "tools/reports/cut_report.h"
#include "tools/reports/verdict_report.h"
#include "tools/runs/schedule_verdict.h"
#include "tools/terminal.h"

namespace stagecraft {
namespace {

constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();

/// Only what is good or bad has a colour.
void PrintLine(const VerdictLine& line) {
  Print(line.head);
  Print(line.text, line.good ? Colour::kGreen : Colour::kRed);
  Print("\n");
}

/// `stagecraft check`: verifies schedules in every send mode, and holds them against limits.
class CheckCommand : public Command {
 public:
  explicit CheckCommand(CLI::App& app) {
    app.add_option("NAME|FILE", names_,
                   "*.sched files or torch's *.csv, - for standard input, or generators' names")
        ->required();
    AddChoice(app, "--send", {"eager", "rendezvous", "blocking"}, request_.send,
              "send mode that decides the exit code [eager]");
    receive_flag_ = AddReceive(app, request_.receive);
    app.add_flag("--json", json_, "print JSON (schema: check.schema.json)");

    AddLimits(app);
    schedule_.AddTo(app);
    costs_.AddTo(app, CostArguments::Which::kSizes);

    app.footer(R"(Examples:
  stagecraft check 1f1b -p 4 -m 8 --max-activations 4
  stagecraft check pipedream -p 4 -m 8 --max-slots 4 --max-staleness 3
  stagecraft check gpipe 1f1b -p 4 -m 16 --profile vgg16 --microbatch-size 16 --max-memory \
      40GB --json
  stagecraft generate gpipe -p 2 -m 4 | stagecraft check -
)");
  }

  ExitCode Run() override {
    CheckNames();
    const CostSource source = costs_.Load();
    PrintDiagnostics(WarningsOf(costs_.IdlePer(), fmt::format("{}", fmt::join(names_, ", "))));

    // Text comes as soon as there is some; JSON needs all verdicts.
    std::vector<ScheduleVerdict> verdicts;
    ExitCode worst = ExitCode::kFine;
    for (const std::string& name : names_) {
      verdicts.push_back(JudgeOne(name, source));
      worst = std::max(worst, verdicts.back().code);
      if (!json_) {
        PrintVerdict(verdicts.back());
      }
    }

    if (json_) {
      PrintJson(VerdictsToJson(verdicts, request_.send));
    }
    return worst;
  }

 private:
  /// Declares the limits, each of which fails the check if it is exceeded.
  void AddLimits(CLI::App& app) {
    // A limit that is not given is none.
    ScheduleLimits& limits = request_.limits;
    AddInteger(app, "--max-staleness", {0, kMost, "K"}, limits.staleness,
               "fail if a gradient missed more updates than this");
    AddInteger(app, "--max-slots", {1, kMost, "K"}, limits.slots,
               "fail if a rank holds more weight copies of a stage than this");
    AddInteger(app, "--max-activations", {0, kMost, "K"}, limits.activations,
               "fail if a rank holds more activation sets of a stage than this");

    app.add_option_function<std::string>(
           "--max-memory",
           [&limits](const std::string& text) {
             limits.memory = FlagValue("--max-memory", ParseBytes(text));
           },
           "fail if a rank needs more than this for weights, optimizer and activations, by "
           "--profile or sizes")
        ->type_name("BYTES");
  }

  /// Throws `CommandFailure` (usage) for names and flags that do not go together.
  void CheckNames() const {
    if (std::count(names_.begin(), names_.end(), "-") > 1) {
      throw CommandFailure(ExitCode::kUsage, "-", "standard input can be read once");
    }
    if (request_.limits.memory && !costs_.AnySizes()) {
      throw CommandFailure(ExitCode::kUsage, "--max-memory",
                           "needs --profile, or --activation, --boundary and --parameters");
    }
  }

  /// What cannot be read is a verdict, too, since other schedules may follow.
  ScheduleVerdict JudgeOne(const std::string& name, const CostSource& source) const {
    ScheduleVerdict verdict;
    Costs costs;
    try {
      const GivenSchedule given = Load(name, source);
      VerdictRequest request = request_;
      if (request.limits.memory) {
        costs = source.For(given.schedule);
        request.sizes = SizesOf(costs);
      }
      verdict = Judge(given.schedule, request);
    } catch (const CommandFailure& failure) {
      // A failure while running says nothing about the schedule.
      if (failure.Code() == ExitCode::kFailed) {
        throw;
      }
      verdict.code = failure.Code();
      verdict.found = failure.Diagnostics();
    }

    verdict.name = name;
    verdict.costs = std::move(costs);
    return verdict;
  }

  /// Generates or reads one of the schedules. Throws `CommandFailure` (usage).
  GivenSchedule Load(const std::string& name, const CostSource& source) const {
    const bool beside_others = names_.size() > 1 && FindGenerator(name) == nullptr;
    GivenSchedule given = beside_others ? schedule_.LoadFileAmongOthers(name)
                                        : schedule_.Load(name, costs_.DefaultRanks(source));
    costs_.CheckStages(given);
    if (HasCommunication(given.schedule) && !receive_flag_->empty()) {
      throw CommandFailure(ExitCode::kUsage, "--receive",
                           "is for schedules without SENDs and RECVs, but this one has its own");
    }
    return given;
  }

  /// Verdicts first, then the reasons. Whether limits were kept comes last, so that nothing good
  /// stands below it.
  void PrintVerdict(const ScheduleVerdict& verdict) const {
    const bool several = names_.size() > 1;
    if (several) {
      Print(fmt::format("{}:\n", Visible(verdict.name)));
    }
    if (const std::string cut = CutToText(verdict.costs); !cut.empty()) {
      Print(cut + "\n");
    }
    for (const VerdictLine& line : SendModeLines(verdict)) {
      PrintLine(line);
    }
    // With several, each has to have a line, or it would seem to be missing.
    if (several && verdict.modes.empty()) {
      const bool unreadable = verdict.code == ExitCode::kUsage;
      PrintLine({"", unreadable ? "cannot be read" : Summary(verdict.found), false});
    }

    FlushOutput();
    PrintDiagnostics(verdict.found);
    for (const ScheduleVerdict::Exceeded& exceeded : verdict.exceeded) {
      PrintDiagnostics({exceeded.fault});
    }
    if (!verdict.exceeded.empty()) {
      PrintLine(LimitLine(verdict));
    }
    FlushOutput();
  }

  std::vector<std::string> names_;
  bool json_ = false;
  VerdictRequest request_;
  CLI::Option* receive_flag_ = nullptr;
  ScheduleArguments schedule_;
  CostArguments costs_;
};

}  // namespace

std::unique_ptr<Command> MakeCheckCommand(CLI::App& app) {
  return std::make_unique<CheckCommand>(app);
}

}  // namespace stagecraft
