#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/training.h"
#include "tools/arguments/device_arguments.h"
#include "tools/arguments/idle_flags.h"
#include "tools/arguments/optimizer_arguments.h"
#include "tools/arguments/schedule_arguments.h"
#include "tools/arguments/training_data.h"

namespace stagecraft {

/// What a command trains: the task, and the schedule that says in which order.
struct GivenTraining {
  TrainingTask task;
  GivenSchedule schedule;
  TrainingData data;
  std::int32_t rounds = 1;  ///< How often the schedule runs, if it is a file.
  std::int32_t rounds_per_epoch = 1;
  std::int32_t per_epoch = 0;  ///< Micro-batches.
  /// What is trained of the schedule, if that is longer.
  std::optional<MicrobatchRange> range;
};

/// What a run is part of: it goes on from one like it, or one may go on from it. Then a generated
/// stream in which versions live across drains is longer by a drained piece.
struct Neighbours {
  bool before = false;
  bool behind = false;
};

/// The flags that say what is trained, for every command that trains.
class TrainingArguments {
 public:
  /// Declares all but the schedule's own flags, which `schedule` has declared and which must live
  /// on. `default_epochs` is `--epochs` where neither it nor -n is given; 0: -n counts then.
  void AddTo(CLI::App& app, const ScheduleArguments& schedule, std::int32_t default_epochs);

  /// Streams drain `pieces` - 1 times before their end, evenly, unless `--drain-every` is given;
  /// less often, or never, if that would be within an update.
  void DrainInPieces(std::int32_t pieces) { drained_pieces_ = pieces; }

  /// For commands that declare `--microbatch-size` for something else as well.
  void SetMicrobatchSize(std::int32_t size) { microbatch_size_ = size; }

  /// Throws `CommandFailure` (usage) with what is wrong.
  GivenTraining Load(const std::string& name_or_file, Neighbours neighbours = {}) const;

  /// Each unit of the model as a stage of its own, or the stages of a model file; no schedule.
  GivenTraining LoadForProfile() const;
  bool ModelIsFile() const;

  /// A warning for each flag that was given and changes nothing for a training with `schedule`.
  std::vector<Diagnostic> IdleFlags(const Schedule& schedule, bool is_generated) const;
  /// The same for `LoadForProfile`.
  std::vector<Diagnostic> IdleFlagsOfProfile() const;

 private:
  std::vector<IdleFlag> IdleFlagsFor(bool predicts) const;
  std::string DefaultData() const { return model_ == "gpt" ? "tokens" : "digits"; }
  TrainingData LoadData() const;
  bool BeginsWithTokens() const;
  std::vector<std::vector<Layer>> Units(const TrainingData& data) const;
  Model LoadModel(const TrainingData& data, std::int32_t stages) const;
  Model ReadModelFile() const;
  /// All that does not depend on the schedule.
  TrainingTask TaskFor(Model model, const TrainingData& data) const;
  std::vector<double> CostsOfUnits(const std::vector<std::vector<Layer>>& units,
                                   const TrainingData& data) const;

  const ScheduleArguments* schedule_ = nullptr;
  const CLI::App* app_ = nullptr;
  OptimizerArguments optimizer_;
  DeviceArguments device_;
  std::string model_ = "mlp";
  std::optional<std::string> data_;
  std::optional<std::int32_t> width_, depth_, heads_, length_, vocabulary_, samples_;
  std::optional<std::int32_t> microbatch_size_, epochs_, seed_;
  std::vector<std::int32_t> cut_;
  std::optional<Loss> loss_;
  ElementType type_ = ElementType::kFloat32;
  std::int32_t default_epochs_ = 0;
  std::int32_t drained_pieces_ = 1;
  bool cuts_by_measuring_ = false;
};

}  // namespace stagecraft
