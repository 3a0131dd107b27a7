#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/training.h"
#include "tools/optimizer_arguments.h"
#include "tools/schedule_arguments.h"

namespace stagecraft {

/// What a command trains: the task, and the schedule that says in which order.
struct GivenTraining {
  TrainingTask task;
  GivenSchedule schedule;
  std::int32_t rounds = 1;           ///< How often the schedule runs, if it is a file.
  std::int32_t microbatch_size = 1;  ///< Samples.
  std::int32_t microbatches_per_epoch = 0;
  std::int32_t evaluation_microbatches = 0;  ///< 0: the data has no part for evaluation.
  std::string model_name, data_name;
};

/// The flags that say what is trained, for every command that trains.
class TrainingArguments {
 public:
  void AddTo(CLI::App& app);

  /// Throws `CommandFailure` (usage) with what is wrong.
  GivenTraining Load(const std::string& name_or_file) const;

 private:
  struct Data;

  ScheduleArguments schedule_;
  OptimizerArguments optimizer_;
  std::string model_ = "mlp";
  std::optional<std::string> data_;
  std::optional<std::int32_t> width_, depth_, heads_, epochs_, microbatch_size_, samples_;
  std::optional<std::vector<std::int32_t>> cut_;
  std::optional<Loss> loss_;
  ElementType type_ = ElementType::kFloat32;
  std::optional<std::int32_t> seed_;
  const CLI::Option* batches_flag_ = nullptr;
};

}  // namespace stagecraft
