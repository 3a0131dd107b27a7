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
  /// Type that the model computes with.
  ElementType type = ElementType::kFloat32;
  std::int32_t microbatch_size = 1;  ///< Samples; a file has its own.
  std::int64_t samples = 1;          ///< How many, of data that is made up.
  std::int64_t vocabulary = 1;       ///< Different tokens, of `tokens`.
  std::int64_t length = 1;           ///< Tokens in a sample, of `tokens`.
  std::uint64_t seed = 0;            ///< Seed of data that is made up.
  bool tokens = false;         ///< Whether the model takes whole numbers; asked for a file only.
  std::optional<Loss> loss{};  ///< Nullopt: the one that the targets suggest.
};

/// How many samples the micro-batches have; those of a file may differ.
struct MicrobatchSizes {
  std::int64_t smallest = 1;  ///< Samples of the smallest micro-batch.
  std::int64_t largest = 1;   ///< Samples of the largest.

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
  /// The micro-batches of a file; null if it is none.
  std::shared_ptr<const std::vector<DataSet>> recorded;
  std::int32_t microbatch_size = 1;  ///< Samples; of a file those of the largest.
  std::int64_t microbatches = 0;     ///< Whole ones that the data has for an epoch.
  TensorShape sample;                ///< Shape of one input.
  ElementType input_type = ElementType::kFloat32;
  std::int64_t outputs = 1;                       ///< Classes, or numbers per sample.
  LargestClass largest_token;                     ///< The largest class in the inputs of a file.
  LargestClass largest_target;                    ///< The largest class in the targets of a file.
  TensorShape target_sample;                      ///< Shape of one target.
  ElementType target_type = ElementType::kInt64;  ///< Whole numbers are classes.
  Loss loss = Loss::kCrossEntropy;                ///< The usual one for these targets.

  /// Samples to train with.
  std::int64_t Samples() const;
  /// How many samples the first `per_epoch` micro-batches have; `per_epoch` as below.
  MicrobatchSizes Sizes(std::int64_t per_epoch) const;
  /// Samples in the first `per_epoch` micro-batches.
  std::int64_t SamplesOfEpoch(std::int64_t per_epoch) const;

  /// Sources for one rank. `per_epoch`: at most `microbatches`; an epoch has the first so many of
  /// Makes the source of one rank. `per_epoch` is at most `microbatches`: an epoch has the first so
  /// many of a file, or so many of all samples, shuffled anew.
  std::function<std::unique_ptr<BatchSource>()> Training(std::int64_t per_epoch,
                                                         std::uint64_t seed) const;
  /// The same for the evaluation, in a fixed order; empty if there are no samples for it.
  std::function<std::unique_ptr<BatchSource>()> Evaluation() const;
  /// Micro-batches of the evaluation; 0 if there are no samples for it.
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
