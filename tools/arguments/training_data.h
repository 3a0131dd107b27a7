#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/data/batches.h"
#include "engine/data/data_set.h"
#include "engine/model_stage.h"

namespace stagecraft {

/// What the command line says of the data.
struct TrainingDataRequest {
  std::string name;  ///< `digits`, `classes`, `regression`, `images`, `tokens`, or a file.
  ElementType type = ElementType::kFloat32;
  std::int32_t microbatch_size = 1;
  std::int64_t samples = 1;     ///< Of data that is made up.
  std::int64_t vocabulary = 1;  ///< Of tokens.
  std::int64_t length = 1;      ///< Of tokens.
  std::uint64_t seed = 0;       ///< Of data that is made up.
  bool tokens = false;          ///< The model wants whole numbers as inputs; of a file.
  std::optional<Loss> loss{};   ///< If one is asked for.
};

/// Samples of micro-batches that may differ in size.
struct MicrobatchSizes {
  std::int64_t smallest = 1;
  std::int64_t largest = 1;

  bool AreEqual() const { return smallest == largest; }
};
/// `16`, or `1 to 7`.
std::string ToText(const MicrobatchSizes& sizes);
/// Throws `CommandFailure` (usage), naming `flag`, if they differ: a profile is of one size.
void RequireEqual(const MicrobatchSizes& sizes, const std::string& flag);

/// Data, and what a model must know of it.
struct TrainingData {
  std::string name;  ///< As on the command line.
  SplitData split;   ///< Empty if the data is a file.
  std::shared_ptr<const std::vector<DataSet>> recorded;
  std::int32_t microbatch_size = 1;  ///< The largest, if the data is a file.
  std::int64_t microbatches = 0;     ///< That the data has for one epoch.
  TensorShape sample;                ///< Of one input.
  ElementType input_type = ElementType::kFloat32;
  std::int64_t outputs = 1;     ///< Classes, or numbers per sample.
  LargestClass largest_token;   ///< Of a file.
  LargestClass largest_target;  ///< Of a file.
  TensorShape target_sample;    ///< Of one target.
  ElementType target_type = ElementType::kInt64;
  Loss loss = Loss::kCrossEntropy;

  /// Samples to train with.
  std::int64_t Samples() const;
  /// Of the micro-batches of an epoch; `per_epoch` as below.
  MicrobatchSizes Sizes(std::int64_t per_epoch) const;
  std::int64_t SamplesOfEpoch(std::int64_t per_epoch) const;

  /// Sources for one rank. `per_epoch`: at most `microbatches`; an epoch has the first so many of
  /// a file, or so many of all samples, shuffled anew.
  std::function<std::unique_ptr<BatchSource>()> Training(std::int64_t per_epoch,
                                                         std::uint64_t seed) const;
  std::function<std::unique_ptr<BatchSource>()> Evaluation() const;
  std::int64_t EvaluationMicrobatches() const;

  /// What tells these data, as micro-batches of `per_epoch` each epoch, from others: sizes and a
  /// hash of all samples, for which it reads them.
  std::string Identity(std::int64_t per_epoch) const;
};

/// Throws `CommandFailure` (usage) if a file has tokens or classes that a model with `tokens` and
/// `classes` of them, if it has any, does not know; says where.
void RequireClasses(const TrainingData& data, std::optional<std::int64_t> tokens,
                    std::optional<std::int64_t> classes);

/// Throws `CommandFailure` (usage) if there is no such data, or too little.
TrainingData LoadTrainingData(const TrainingDataRequest& request);

}  // namespace stagecraft
