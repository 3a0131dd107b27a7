#include <memory>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>

#include "schedules/text.h"
#include "tools/arguments/cost_arguments.h"
#include "tools/arguments/order_search.h"
#include "tools/arguments/schedule_arguments.h"
#include "tools/command.h"
#include "tools/file_access.h"
#include "tools/reports/cut_report.h"
#include "tools/runs/schedule_template.h"
#include "tools/runs/simulated_run.h"

namespace stagecraft {
namespace {

/// `stagecraft generate`: writes a schedule as text.
class GenerateCommand : public Command {
 public:
  explicit GenerateCommand(CLI::App& app) {
    CLI::Option* const name =
        app.add_option("NAME|FILE", name_,
                       "schedule to generate (see `stagecraft schedules`), or a file to print in "
                       "canonical form");
    app.add_flag("--template", template_,
                 "write a small schedule with comments that explain the format, to begin with")
        ->excludes(name);
    schedule_.AddTo(app);
    receive_flag_ = AddReceive(app, receive_);
    receive_flag_->description("also write SENDs and RECVs, receives posted by this policy");
    costs_.AddTo(app, CostArguments::Which::kPlanning);
    app.add_option("-o", output_, "file to write; - is standard output [-]")->type_name("FILE");
    app.footer(R"(Costs are for schedules that depend on them: zb-auto and zb-auto-v, whose order is
searched for, and the memory of greedy. The format of the
file: schedules/format.md, or --template.

Examples:
  stagecraft generate 1f1b -p 4 -m 8
  stagecraft generate --template
  stagecraft generate pipedream -p 4 -m 8 -n 3 --vertical-sync -o -
  stagecraft generate gpipe -p 2 -m 4 --checkpoint all --receive just-in-time
  stagecraft generate zb-auto -p 8 -m 24 --limit 1.5p --forward 18ms --backward-input 18ms \
      --backward-weight 9ms --latency 0.6ms
)");
  }

  ExitCode Run() override {
    if (template_) {
      WriteFile(output_, std::string(ScheduleTemplate()));
      return ExitCode::kFine;
    }

    if (name_.empty()) {
      throw CommandFailure(
          ExitCode::kUsage, "",
          "NAME|FILE is required, or --template; see `stagecraft generate --help`");
    }

    const CostSource source = costs_.Load();
    const CostedMachine machine{source, costs_, {}};
    const bool costed = costs_.Any();
    GivenSchedule given =
        schedule_.Load(name_, costs_.DefaultRanks(source), costed ? &machine : nullptr);
    PrintDiagnostics(WarningsOf(costs_.IdlePer(), name_));

    // A cost that cannot matter is taken for a mistake.
    if (costed && (given.generator == nullptr || given.generator->placement == nullptr)) {
      throw CommandFailure(ExitCode::kUsage, name_,
                           "does not depend on costs; expected none of their flags");
    }
    if (costed) {
      ReportCut(source, given.schedule);
    }

    Schedule schedule = std::move(given.schedule);
    if (!receive_flag_->empty()) {
      schedule = LowerAndVerify(std::move(schedule), {.receive = receive_,
                                                      .receive_given = true,
                                                      .generated = given.generator != nullptr})
                     .schedule;
    }

    WriteFile(output_, stagecraft::Print(schedule));
    return ExitCode::kFine;
  }

 private:
  /// Writes to stderr, since the schedule may go to standard output.
  static void ReportCut(const CostSource& source, const Schedule& schedule) {
    PrintError(CutToText(source.For(schedule)));
  }

  std::string name_;
  bool template_ = false;
  ScheduleArguments schedule_;
  CostArguments costs_;
  ReceivePolicy receive_;
  CLI::Option* receive_flag_ = nullptr;
  std::string output_ = "-";
};

}  // namespace

std::unique_ptr<Command> MakeGenerateCommand(CLI::App& app) {
  return std::make_unique<GenerateCommand>(app);
}

}  // namespace stagecraft
