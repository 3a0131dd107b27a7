#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "schedules/activations.h"
#include "schedules/lower.h"
#include "schedules/staleness.h"
#include "schedules/verify.h"
#include "schedules/weight_slots.h"
#include "tools/command.h"
#include "tools/flags.h"
#include "tools/schedule_arguments.h"
#include "tools/terminal.h"

namespace stagecraft {
namespace {

constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
constexpr SendMode kSendModes[] = {SendMode::kEager, SendMode::kRendezvous, SendMode::kBlocking};

/// `3 errors: deadlock, send-order`: the rules that were broken.
std::string Summary(const std::vector<Diagnostic>& faults) {
  std::string rules;
  for (const Diagnostic& fault : faults) {
    if (!fault.rule.empty() && rules.find(fault.rule) == std::string::npos) {
      rules += (rules.empty() ? ": " : ", ") + fault.rule;
    }
  }
  return fmt::format("{} {}{}", faults.size(), faults.size() == 1 ? "error" : "errors", rules);
}

class CheckCommand : public Command {
 public:
  explicit CheckCommand(CLI::App& app) {
    app.add_option("FILE", name_,
                   "a *.sched file or torch's *.csv, - for standard input, or a generator's NAME")
        ->required();
    AddChoice(app, "--send", {"eager", "rendezvous", "blocking"}, send_,
              "send mode that decides the exit code [eager]");
    receive_flag_ = AddReceive(app, receive_);
    AddInteger(app, "--max-staleness", {0, kMost, "K"}, max_staleness_,
               "fail if a gradient missed more updates than this");
    AddInteger(app, "--max-slots", {1, kMost, "K"}, max_slots_,
               "fail if a rank holds more weight copies of a stage than this");
    AddInteger(app, "--max-activations", {0, kMost, "K"}, max_activations_,
               "fail if a rank holds more activation sets of a stage than this");
    schedule_.AddTo(app);
    app.footer(
        "Examples:\n"
        "  stagecraft check 1f1b -p 4 -m 8 --max-activations 4\n"
        "  stagecraft check pipedream -p 4 -m 8 --max-slots 4 --max-staleness 3\n"
        "  stagecraft generate gpipe -p 2 -m 4 | stagecraft check -\n");
  }

  ExitCode Run() override {
    const GivenSchedule given = schedule_.Load(name_);
    const bool good = JudgeSendModes(given);
    PrintDiagnostics(found_);
    if (!valid_) {
      return ExitCode::kRefused;
    }
    PrintDiagnostics(VersionWarnings(given.schedule));
    const std::vector<Diagnostic> limits = CheckLimits(given.schedule);
    PrintDiagnostics(limits);
    return good && limits.empty() ? ExitCode::kFine : ExitCode::kRefused;
  }

 private:
  /// Prints a verdict per mode. True if the schedule passes in the mode that was asked for.
  bool JudgeSendModes(const GivenSchedule& given) {
    const bool lowered = HasCommunication(given.schedule);
    if (lowered && !receive_flag_->empty()) {
      throw CommandFailure(ExitCode::kUsage, "--receive",
                           "is for schedules without SENDs and RECVs, but this one has its own");
    }
    const std::vector<Diagnostic> faults = Verify(given.schedule);
    valid_ = faults.empty();
    if (!valid_ && !lowered) {
      found_ = faults;
      for (const SendMode mode : kSendModes) {
        PrintVerdict(mode, faults);
      }
      return false;
    }
    const Schedule with_sends = lowered ? given.schedule : Lower(given.schedule, receive_);
    bool good = false;
    for (const SendMode mode : kSendModes) {
      const std::vector<Diagnostic> found = Verify(with_sends, mode);
      PrintVerdict(mode, found);
      good = mode == send_ ? found.empty() : good;
      Collect(found, mode == send_ ? Severity::kError : Severity::kWarning);
    }
    return good;
  }

  /// Adds what is new. What only another send mode objects to is a warning.
  void Collect(const std::vector<Diagnostic>& faults, Severity severity) {
    for (const Diagnostic& fault : faults) {
      const auto same = std::find_if(found_.begin(), found_.end(), [&](const Diagnostic& d) {
        return d.where == fault.where && d.message == fault.message && d.rule == fault.rule;
      });
      if (same == found_.end()) {
        found_.push_back(fault);
        found_.back().severity = severity;
      } else if (severity == Severity::kError) {
        same->severity = severity;
      }
    }
  }

  static void PrintVerdict(SendMode mode, const std::vector<Diagnostic>& faults) {
    Print(fmt::format("{:<11} {}\n", ToString(mode),
                      faults.empty() ? Good("ok") : Bad(Summary(faults))));
  }

  std::vector<Diagnostic> CheckLimits(const Schedule& schedule) const {
    std::vector<Diagnostic> faults;
    const auto limit = [&](std::int32_t stage, std::int32_t found, std::string_view what,
                           std::string_view flag, const std::optional<std::int32_t>& most) {
      if (most && found > *most) {
        Diagnostic& fault = faults.emplace_back();
        fault.where = fmt::format("stage {}", stage);
        fault.message = fmt::format("{} {}; expected at most {} ({})", found, what, *most, flag);
      }
    };
    const std::vector<StageStaleness> staleness = FindStaleness(schedule);
    const std::vector<std::int32_t> sets = PeakActivationSets(schedule);
    std::vector<std::int32_t> slots(staleness.size(), 1);
    for (const StageSlots& held : CountWeightSlots(schedule)) {
      std::int32_t& most = slots[static_cast<std::size_t>(held.stage)];
      most = std::max(most, held.slots);
    }
    for (std::int32_t stage = 0; stage < schedule.shape.stages; ++stage) {
      const std::size_t at = static_cast<std::size_t>(stage);
      limit(stage, staleness[at].max, "updates missed", "--max-staleness", max_staleness_);
      limit(stage, slots[at], "weight copies", "--max-slots", max_slots_);
      limit(stage, sets[at], "activation sets", "--max-activations", max_activations_);
    }
    return faults;
  }

  std::string name_;
  ScheduleArguments schedule_;
  ReceivePolicy receive_;
  CLI::Option* receive_flag_ = nullptr;
  SendMode send_ = SendMode::kEager;
  std::optional<std::int32_t> max_staleness_;
  std::optional<std::int32_t> max_slots_;
  std::optional<std::int32_t> max_activations_;
  std::vector<Diagnostic> found_;
  bool valid_ = true;
};

}  // namespace

std::unique_ptr<Command> MakeCheckCommand(CLI::App& app) {
  return std::make_unique<CheckCommand>(app);
}

}  // namespace stagecraft
