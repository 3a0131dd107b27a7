#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>

#include "schedules/text.h"
#include "schedules/torch_csv.h"
#include "tools/arguments/cost_source.h"
#include "tools/arguments/flags.h"
#include "tools/arguments/quantity.h"
#include "tools/arguments/schedule_arguments.h"
#include "tools/arguments/schedule_file.h"
#include "tools/command.h"
#include "tools/file_access.h"
#include "tools/runs/simulated_run.h"

namespace stagecraft {
namespace {

/// `0,3/1,2`: stages 0 and 3 on rank 0, 1 and 2 on rank 1.
Placement ParsePlacement(std::string_view text) {
  Placement placement;
  while (true) {
    const std::size_t end = std::min(text.find('/'), text.size());
    placement.emplace_back();
    for (const std::string_view part : SplitAtCommas(text.substr(0, end))) {
      placement.back().push_back(
          FlagValue("--place", ParseInteger(part, 0, std::numeric_limits<std::int32_t>::max())));
    }
    if (end == text.size()) {
      return placement;
    }
    text.remove_prefix(end + 1);
  }
}

/// `stagecraft convert`: reads and writes torch's files.
class ConvertCommand : public Command {
 public:
  explicit ConvertCommand(CLI::App& app) {
    app.add_option("IN", in_, "a schedule: *.csv is torch's format, else a *.sched file or a NAME")
        ->required();
    app.add_option("OUT", out_,
                   "file to write, in torch's format if it ends in .csv; - is standard output")
        ->required();
    to_flag_ = AddChoice(app, "--to", {"compute_only", "compute_comms"}, to_,
                         "torch's format: without or with SENDs and RECVs [as IN has them]");
    app.add_option_function<std::string>(
           "--place", [this](const std::string& text) { place_ = ParsePlacement(text); },
           "the stages that each rank of a torch file must have, such as 0,3/1,2; the order is "
           "that of its chunks [as its rows say]")
        ->type_name("STAGES/...");
    schedule_.AddTo(app);
    app.footer(R"(How PyTorch runs the file: tools/pytorch.md.

Examples:
  stagecraft convert zb-v zb_v.csv -p 4 -m 8
  stagecraft convert 1f1b 1f1b_comms.csv -p 4 -m 8 --to compute_comms
  stagecraft convert zb_v.csv -
)");
  }

  ExitCode Run() override {
    if (!to_flag_->empty() && !IsTorchFile(out_)) {
      throw CommandFailure(ExitCode::kUsage, "--to",
                           "is for torch's format, but " + out_ + " does not end in .csv");
    }
    if (place_ && !IsTorchFile(in_)) {
      throw CommandFailure(ExitCode::kUsage, "--place",
                           "is for torch's files, but " + in_ + " does not end in .csv");
    }

    const GivenSchedule given = place_ ? schedule_.LoadPlaced(in_, *place_) : schedule_.Load(in_);
    const Schedule& schedule = given.schedule;

    // What cannot be lowered cannot be executed either.
    LowerAndVerify(schedule, {});
    if (!IsTorchFile(out_)) {
      WriteFile(out_, stagecraft::Print(schedule));
      return ExitCode::kFine;
    }

    // Without --to, the format follows the schedule.
    const bool comms = HasCommunication(schedule);
    const TorchFormat format = !to_flag_->empty() ? to_
                               : comms            ? TorchFormat::kComputeComms
                                                  : TorchFormat::kComputeOnly;

    Result<std::string> text = PrintTorchCsv(schedule, format);
    if (!text) {
      throw CommandFailure(ExitCode::kRefused, std::move(text.diagnostics));
    }
    WriteFile(out_, ValueOrUsage(std::move(text)));
    return ExitCode::kFine;
  }

 private:
  std::string in_;
  std::string out_;
  TorchFormat to_ = TorchFormat::kComputeOnly;
  CLI::Option* to_flag_ = nullptr;
  std::optional<Placement> place_;
  ScheduleArguments schedule_;
};

}  // namespace

std::unique_ptr<Command> MakeConvertCommand(CLI::App& app) {
  return std::make_unique<ConvertCommand>(app);
}

}  // namespace stagecraft
