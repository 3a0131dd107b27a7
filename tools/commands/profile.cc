#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "schedules/visible_text.h"
#include "tools/arguments/flags.h"
#include "tools/arguments/quantity.h"
#include "tools/arguments/training_arguments.h"
#include "tools/command.h"
#include "tools/file_access.h"
#include "tools/output_claim.h"
#include "tools/reports/table.h"
#include "tools/runs/measured_profile.h"
#include "tools/runs/sequential_run.h"
#include "tools/terminal.h"
#include "traces/profile_json.h"

namespace stagecraft {
namespace {

/// `stagecraft profile`: measures what the units of a model cost on this machine.
class ProfileCommand : public Command {
 public:
  explicit ProfileCommand(CLI::App& app) {
    training_.AddTo(app, schedule_, 0);
    AddInteger(app, "--microbatches", {4, 1'000'000, "N"}, microbatches_,
               "micro-batches to measure [64]");
    app.add_option("-o,--output", output_,
                   "write the profile, for `simulate --profile`; - is standard output")
        ->type_name("FILE");
    app.footer(R"(Measures the units of a model (layers that stay together when it is cut; of a
model file its stages), one after the other on one thread. Times are means; a note
names each mean that outliers (ops that took more than twice the median) raise by
more than 5 %. Needs LibTorch.

Examples:
  stagecraft profile --model convnet --microbatches 8
  stagecraft profile --model gpt --optimizer adamw --microbatches 8 -o gpt.profile.json
)");
  }

  ExitCode Run() override {
    GivenTraining given = training_.LoadForProfile();
    const OutputClaim claim(output_);
    PrintDiagnostics(training_.IdleFlagsOfProfile());

    Progress progress;
    progress.Begin("measuring");
    constexpr std::int32_t kDefault = 64;
    const std::int32_t microbatches = microbatches_.value_or(kDefault);
    SequentialRun alone = MeasureSequentially(given.task, microbatches);
    if (alone.diverged_at) {
      PrintDiagnostics({WarningOf(*alone.diverged_at)});
    }

    // In a pipeline, transfers run beside the ops of a GPU, and slow them down.
    std::string notes;
    if (given.task.compute.on_gpus) {
      // The same run once more, beside copies.
      given.task.compute.options.traffic = true;
      progress.Begin("measuring beside copies");
      notes = NotesOf(alone, MeasureSequentially(given.task, microbatches));
      given.task.compute.options.traffic = false;
    }

    Profile profile = MeasuredProfile(given, std::move(alone.stages));
    profile.source.notes = std::move(notes);
    // A named model is yet to be cut; a model file has its stages.
    profile.is_stages = training_.ModelIsFile();
    for (std::size_t i = 0; i < profile.layers.size(); ++i) {
      profile.layers[i].name = NameOf(given.task.model.stages[i]);
    }

    if (!output_.empty()) {
      WriteFile(output_, PrintProfile(profile));
    }
    if (output_ != "-") {
      Print(ToText(profile));
      for (const std::string& sentence : alone.outliers) {
        Print("note: " + sentence + "\n");
      }
    }
    return ExitCode::kFine;
  }

 private:
  /// Clocks, and how much slower ops are beside copies within the GPU's memory.
  static std::string NotesOf(const SequentialRun& alone, const SequentialRun& beside_copies) {
    const auto sum = [](const SequentialRun& run, auto time) {
      Nanoseconds all(0);
      for (const ProfileLayer& stage : run.stages) {
        all += (stage.at.front().*time).value_or(Nanoseconds(0));
      }
      return static_cast<double>(all.count());
    };

    // In sum over all units, of which one alone says little.
    const auto slower = [&](auto time) { return sum(beside_copies, time) / sum(alone, time); };
    std::string clocks = "clock not known";
    if (!alone.clocks.empty()) {
      const auto [low, high] = std::minmax_element(alone.clocks.begin(), alone.clocks.end());
      clocks = fmt::format("clock {} to {} MHz", *low, *high);
    }

    return fmt::format(
        "{}; beside copies within the GPU's memory: forward x {:.2f}, backward x "
        "{:.2f}",
        clocks, slower(&MeasuredCosts::forward), slower(&MeasuredCosts::backward));
  }

  /// `linear relu`.
  static std::string NameOf(const std::vector<Layer>& layers) {
    std::string name;
    for (const Layer& layer : layers) {
      name += name.empty() ? "" : " ";
      name += TraitsOf(layer.kind).name;
    }
    return name;
  }

  static std::string ToText(const Profile& profile) {
    TextTable table{{{"unit"},
                     {"layers", Align::kLeft},
                     {"forward"},
                     {"backward"},
                     {"step"},
                     {"predict"},
                     {"parameters"},
                     {"output"}},
                    {}};

    for (std::size_t i = 0; i < profile.layers.size(); ++i) {
      const ProfileLayer& layer = profile.layers[i];
      const MeasuredCosts& at = layer.at.front();
      // A kind that did not run has no time.
      const auto time = [](const std::optional<Nanoseconds>& duration) {
        return duration ? FormatDuration(*duration) : std::string();
      };
      table.rows.push_back({std::to_string(i), layer.name, time(at.forward), time(at.backward),
                            time(layer.step), time(layer.predict),
                            FormatBytes(layer.parameter_bytes.value_or(0)),
                            FormatBytes(at.output_bytes.value_or(0))});
    }

    return fmt::format("{}, micro-batches of {} samples\n{}, {}\n\n{}",
                       Visible(profile.source.model), profile.microbatch_sizes.front(),
                       Visible(profile.source.framework), Visible(profile.source.device),
                       ToPlainText(table)) +
           (profile.source.notes.empty() ? "" : "\n" + profile.source.notes + "\n");
  }

  ScheduleArguments schedule_;  // Declares no flags: nothing is scheduled here.
  TrainingArguments training_;
  std::optional<std::int32_t> microbatches_;
  std::string output_;
};

}  // namespace

std::unique_ptr<Command> MakeProfileCommand(CLI::App& app) {
  return std::make_unique<ProfileCommand>(app);
}

}  // namespace stagecraft
