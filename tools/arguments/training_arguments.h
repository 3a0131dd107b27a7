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
  TrainingTask task;                  ///< What is trained: model, data, optimizer, device.
  GivenSchedule schedule;             ///< The order of the ops; empty for a profile.
  TrainingData data;                  ///< The source of the micro-batches.
  std::int32_t rounds = 1;            ///< How often the schedule runs, if it comes from a file.
  std::int32_t rounds_per_epoch = 1;  ///< How many of these runs make an epoch.
  std::int32_t per_epoch = 0;         ///< Micro-batches in an epoch.
  /// Which micro-batches of the schedule are trained; nullopt: all of them.
  std::optional<MicrobatchRange> range;
};

/// Whether a run goes on from one like it (`before`), or one goes on from it (`behind`). A
/// generated stream in which versions live across drains then has one more drained piece on that
/// side.
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

  /// Sets the size where a command declares `--microbatch-size` for something else as well.
  void SetMicrobatchSize(std::int32_t size) { microbatch_size_ = size; }

  /// Throws `CommandFailure` (usage) with what is wrong.
  GivenTraining Load(const std::string& name_or_file, Neighbours neighbours = {}) const;

  /// Each unit of the model as a stage of its own, or the stages of a model file; no schedule.
  GivenTraining LoadForProfile() const;
  /// Whether `--model` means a file.
  bool ModelIsFile() const;

  /// A warning for each flag that was given and changes nothing for a training with `schedule`.
  std::vector<Diagnostic> IdleFlags(const Schedule& schedule, bool is_generated) const;
  /// The same for `LoadForProfile`.
  std::vector<Diagnostic> IdleFlagsOfProfile() const;

 private:
  /// Every flag that changes nothing, given or not; `predicts` as in `FlagsOfOptimizer`.
  std::vector<IdleFlag> IdleFlagsFor(bool predicts) const;
  std::string DefaultData() const { return model_ == "gpt" ? "tokens" : "digits"; }
  /// The data that the flags name, in the type that the model computes with.
  TrainingData LoadData() const;
  /// Whether the first layer of the model is an embedding, which takes tokens.
  bool BeginsWithTokens() const;
  /// The units of a model that has a name.
  std::vector<std::vector<Layer>> Units(const TrainingData& data) const;
  /// The model in `stages` stages. Throws `CommandFailure` (usage) if it cannot have as many.
  Model LoadModel(const TrainingData& data, std::int32_t stages) const;
  /// Throws `CommandFailure` (usage) with what is wrong in the file.
  Model ReadModelFile() const;
  /// Everything that does not depend on the schedule.
  TrainingTask TaskFor(Model model, const TrainingData& data) const;
  /// What each unit weighs in an even cut: floating-point work, or with `--cut measured`
  /// nanoseconds.
  std::vector<double> CostsOfUnits(const std::vector<std::vector<Layer>>& units,
                                   const TrainingData& data) const;

  const ScheduleArguments* schedule_ = nullptr;  ///< The command's; set by `AddTo`.
  const CLI::App* app_ = nullptr;                ///< Tells which flags were given.
  OptimizerArguments optimizer_;
  DeviceArguments device_;
  std::string model_ = "mlp";        ///< A name or a file.
  std::optional<std::string> data_;  ///< Nullopt: `DefaultData()`.
  /// Nullopt: what the model, or the kind of data, has by itself.
  std::optional<std::int32_t> width_, depth_, heads_, length_, vocabulary_, samples_;
  std::optional<std::int32_t> microbatch_size_, epochs_, seed_;
  std::vector<std::int32_t> cut_;  ///< First unit of each stage but the first; empty: even work.
  std::optional<Loss> loss_;       ///< Nullopt: the usual one for the targets.
  ElementType type_ = ElementType::kFloat32;
  std::int32_t default_epochs_ = 0;  ///< 0: -n says how long the run is.
  std::int32_t drained_pieces_ = 1;  ///< As in `DrainInPieces`.
  bool cuts_by_measuring_ = false;   ///< `--cut measured`.
};

}  // namespace stagecraft
