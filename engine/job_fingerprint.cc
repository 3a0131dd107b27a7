#include "engine/job_fingerprint.h"

#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/hash.h"
#include "engine/model/model_file.h"
#include "schedules/fingerprint.h"

// Each function below names every field of its struct in a structured binding: with one field more
// it does not compile. What is not written although it is named follows from something that is.

namespace stagecraft {
namespace {

/// Texts one behind the other, each with its length, so that no two lists give the same.
class Fields {
 public:
  void Add(std::string_view text) { text_ += fmt::format("{}:{}\n", text.size(), text); }
  template <typename T>
  void AddNumber(const T& number) {
    Add(fmt::format("{}", number));
  }
  std::uint64_t Hash() const { return HashOf(text_); }

 private:
  std::string text_;
};

void Add(Fields& to, const Model& model) {
  const auto& [name, stages] = model;
  to.AddNumber(stages.size());
  to.Add(WriteModel(model));
}

void Add(Fields& to, const Compute& compute) {
  const auto& [on_gpus, options] = compute;
  const auto& [tf32, deterministic, traffic] = options;
  to.Add(fmt::format("{} {} {} {}", on_gpus, tf32, deterministic, traffic));
}

void Add(Fields& to, const OptimizerOptions& options) {
  for (const OptimizerField& field : OptimizerFields()) {
    to.Add(field.text(options));
  }
}

void Add(Fields& to, const TrainingTask& task) {
  // The sources of micro-batches are functions; `data` says what they give.
  const auto& [model, sample, type, loss, optimizer, learning_rate, seed, compute,
               microbatches_per_epoch, training, evaluation, data] = task;
  Add(to, model);
  to.Add(fmt::format("{}", fmt::join(sample, ",")));
  to.AddNumber(static_cast<int>(type));
  to.AddNumber(static_cast<int>(loss));
  Add(to, optimizer);
  to.Add(learning_rate.Text());
  to.AddNumber(seed);
  Add(to, compute);
  to.AddNumber(microbatches_per_epoch);
  to.Add(data ? data() : "");
}

void Add(Fields& to, const ExecutionPlan& plan) {
  const auto& [schedule, dependencies, slots, ranks_of_stage] = plan;
  to.Add(Fingerprint(schedule));
  // Part of a schedule has the slots of the whole.
  to.Add(fmt::format("{} {}", slots.slot, slots.base));
}

void Add(Fields& to, const std::vector<LiveWeights>& live) {
  for (const LiveWeights& weights : live) {
    const auto& [rank, stage, newest, older] = weights;
    to.Add(fmt::format("{} {} {}", rank, stage, newest));
    for (const auto& [back, slot] : older) {
      to.Add(fmt::format("{} {}", back, slot));
    }
  }
}

void Add(Fields& to, const TrainingPlan& plan) {
  const auto& [training, rounds, pauses, rounds_per_pause, evaluation, begin, end, tells_updates,
               tells_snapshots] = plan;
  Add(to, training);
  to.AddNumber(rounds);
  to.AddNumber(rounds_per_pause);
  to.AddNumber(pauses.size());
  for (const auto& [microbatches, ends] : pauses) {
    to.Add(fmt::format("{} {}", microbatches, ends));
  }

  to.AddNumber(evaluation.has_value());
  if (evaluation) {
    Add(to, *evaluation);
  }

  Add(to, begin);
  Add(to, end);
  to.Add(fmt::format("{} {}", tells_updates, tells_snapshots));
}

void Add(Fields& to, const Snapshot& snapshot) {
  const auto& [weights, state] = snapshot;
  to.AddNumber(HashOf(WriteSafetensors(weights)));
  to.AddNumber(state ? HashOf(WriteSafetensors(*state)) : 0);
}

}  // namespace

std::uint64_t FingerprintOf(const TrainingTask& task, const TrainingPlan& plan,
                            const Snapshot* start) {
  Fields fields;
  Add(fields, task);
  Add(fields, plan);
  fields.AddNumber(start != nullptr);
  if (start != nullptr) {
    Add(fields, *start);
  }
  return fields.Hash();
}

}  // namespace stagecraft
