#include "schedules/option_check.h"

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "schedules/generators/stream.h"

namespace stagecraft {
namespace {

template <auto Member>
bool IsGiven(const GeneratorOptions& options) {
  return !(options.*Member == GeneratorOptions{}.*Member);
}

template <auto Member>
void Reset(GeneratorOptions& options) {
  options.*Member = GeneratorOptions{}.*Member;
}

template <auto Member>
constexpr OptionTraits Option(Takes takes, std::string_view name) {
  return {takes, name, IsGiven<Member>, Reset<Member>};
}

constexpr auto kOptions = std::to_array<OptionTraits>({
    Option<&GeneratorOptions::update_every>(kTakesUpdateEvery, "update_every"),
    Option<&GeneratorOptions::drain_every>(kTakesDrainEvery, "drain_every"),
    Option<&GeneratorOptions::horizon>(kTakesHorizon, "horizon"),
    Option<&GeneratorOptions::checkpoint>(kTakesCheckpoint, "checkpoint"),
    Option<&GeneratorOptions::warmup>(kTakesWarmup, "warmup"),
    Option<&GeneratorOptions::vertical_sync>(kTakesVerticalSync, "vertical_sync"),
    Option<&GeneratorOptions::replicas>(kTakesReplicas, "replicas"),
    Option<&GeneratorOptions::rounding>(kTakesRounding, "rounding"),
    Option<&GeneratorOptions::chunks>(kTakesChunks, "chunks"),
    Option<&GeneratorOptions::group>(kTakesGroup, "group"),
    Option<&GeneratorOptions::cells>(kTakesCells, "cells"),
    Option<&GeneratorOptions::placement>(kTakesPlacement, "placement"),
    Option<&GeneratorOptions::limit>(kTakesLimit, "limit"),
});

constexpr std::int32_t kMaxRanks = 1 << 14;
constexpr std::int32_t kMaxChunks = 64;
constexpr std::int64_t kMaxPairs = std::int64_t{1} << 25;  ///< (stage, micro-batch): some GB.

/// Collects one sentence per argument that makes no sense.
class OptionCheck {
 public:
  OptionCheck(const Generator& generator, const GeneratorOptions& options)
      : generator_(generator), options_(options) {}

  std::vector<Diagnostic> Check() {
    CheckSizes();
    CheckTaken();

    // Later checks divide by what earlier ones have found to be positive.
    if (faults_.empty()) {
      CheckReplicas();
    }
    if (faults_.empty()) {
      CheckUpdates();
      CheckRest();
    }

    if (faults_.empty() && generator_.refuse != nullptr) {
      if (const std::string reason = generator_.refuse(options_); !reason.empty()) {
        Fault("{}", reason);
      }
    }
    return std::move(faults_);
  }

 private:
  template <typename... Values>
  void Fault(fmt::format_string<Values...> text, Values&&... values) {
    Diagnostic& fault = faults_.emplace_back();
    fault.where = generator_.name;
    fault.message = fmt::format(text, std::forward<Values>(values)...);
  }

  void CheckSizes() {
    if (options_.ranks < 1 || options_.ranks > kMaxRanks) {
      Fault("{} ranks; expected `ranks` from 1 to {}", options_.ranks, kMaxRanks);
    }
    if (options_.microbatches < 1) {
      Fault("{} micro-batches; expected `microbatches` of at least 1", options_.microbatches);
    }
    if (options_.batches < 1) {
      Fault("{} batches; expected `batches` of at least 1", options_.batches);
    }

    if (!faults_.empty()) {
      return;
    }

    // Numbers that are possible one by one may still make a schedule that memory cannot hold.
    const bool is_chunked = (generator_.takes & kTakesChunks) != 0;
    const std::int32_t chunks = is_chunked ? options_.chunks.value_or(kDefaultChunks) : 1;
    if (chunks < 1 || chunks > kMaxChunks) {
      Fault("{} stages per rank; expected `chunks` from 1 to {}", chunks, kMaxChunks);
      return;
    }

    const std::int64_t total = std::int64_t{options_.microbatches} * options_.batches;
    if (total > kMaxPairs / options_.ranks / chunks) {
      Fault("{} ranks and {} micro-batches in all; expected a product of at most {}",
            options_.ranks, total, kMaxPairs / chunks);
    }
  }

  /// `it takes `chunks`, `limit``, or that it takes nothing.
  std::string WhatItTakes() const {
    std::vector<std::string> names;
    for (const OptionTraits& option : kOptions) {
      if ((generator_.takes & option.takes) != 0) {
        names.push_back(fmt::format("`{}`", option.name));
      }
    }
    return names.empty() ? "it takes none of these options"
                         : fmt::format("it takes {}", fmt::join(names, ", "));
  }

  void CheckTaken() {
    for (const OptionTraits& option : kOptions) {
      if ((generator_.takes & option.takes) == 0 && option.is_given(options_)) {
        Fault("does not take `{}`; {}", option.name, WhatItTakes());
      }
    }
  }

  void CheckReplicas() {
    if (options_.replicas.empty()) {
      return;
    }

    std::int64_t sum = 0;
    for (const std::int32_t count : options_.replicas) {
      if (count < 1 || count > kMaxRanks) {
        Fault("{} replicas of a stage; expected from 1 to {}", count, kMaxRanks);
        return;
      }
      sum += count;
    }

    if (sum != options_.ranks) {
      Fault("`replicas` {} need {} ranks, but `ranks` is {}", fmt::join(options_.replicas, ","),
            sum, options_.ranks);
    }

    if (options_.vertical_sync) {
      Fault(
          "`vertical_sync` with `replicas`; stages that update at different rates have no "
          "version in common, so expected one of the two");
    }
  }

  std::int32_t UpdateEvery() const {
    return options_.update_every.value_or(generator_.updates_every_ranks ? options_.ranks : 1);
  }

  /// Micro-batches in all, and between drains, come in whole updates of every stage.
  void CheckUpdates() {
    const std::int32_t every = UpdateEvery();
    if (generator_.flushes) {
      return;
    }

    if (every < 1) {
      Fault("an update every {} micro-batches; expected at least 1", every);
      return;
    }
    if (options_.drain_every < 0) {
      Fault("a drain every {} micro-batches; expected at least 1, or 0 for none",
            options_.drain_every);
      return;
    }

    // Whole updates for one replica do not yet make whole ones for several.
    CheckWholeUpdates(every, 1);
    for (const std::int32_t replicas : options_.replicas) {
      if (every != 1 && every % replicas != 0) {
        Fault("an update every {} micro-batches on {} replicas; expected 1 or a multiple of {}",
              every, replicas, replicas);
      } else {
        CheckWholeUpdates(every, replicas);
      }
      if (!faults_.empty()) {
        return;
      }
    }
  }

  void CheckWholeUpdates(std::int32_t every, std::int32_t replicas) {
    const std::int32_t per_update = MicrobatchesPerUpdate(every, replicas);
    const std::int64_t total = std::int64_t{options_.microbatches} * options_.batches;
    if (total % per_update != 0) {
      Fault(
          "{} micro-batches in all (`microbatches` times `batches`) and an update every {}; "
          "expected a multiple, "
          "since a last update with fewer is not made up",
          total, per_update);
    }
    if (options_.drain_every % per_update != 0) {
      Fault("a drain every {} micro-batches and an update every {}; expected a multiple",
            options_.drain_every, per_update);
    }
  }

  void CheckRest() {
    if (generator_.one_per_update && UpdateEvery() != 1) {
      Fault("an update every {} micro-batches; it is defined for 1 only", UpdateEvery());
    }
    if (generator_.deals_out_batches && options_.microbatches % options_.ranks != 0) {
      Fault("{} micro-batches on {} ranks; expected `microbatches` to be a multiple of `ranks`",
            options_.microbatches, options_.ranks);
    }

    // A limit in bytes is for the approach to judge, by the sizes of the stages.
    if (options_.limit && options_.limit->unit != ActivationLimit::Unit::kBytes &&
        options_.limit->amount *
                (options_.limit->unit == ActivationLimit::Unit::kTimesRanks ? options_.ranks : 1) <
            1) {
      Fault("a `limit` of less than one activation set; expected at least 1, or 1p");
    }

    const std::int32_t most = 2 * (options_.ranks - 1);
    if (options_.warmup && (*options_.warmup < 0 || *options_.warmup > most)) {
      Fault("a warm-up of {} forwards; expected `warmup` from 0 to 2(p - 1) = {}", *options_.warmup,
            most);
    }
  }

  const Generator& generator_;
  const GeneratorOptions& options_;
  std::vector<Diagnostic> faults_;
};

}  // namespace

std::span<const OptionTraits> AllOptionTraits() {
  return kOptions;
}

GeneratorOptions OnlyTaken(const Generator& generator, GeneratorOptions options) {
  for (const OptionTraits& option : kOptions) {
    if ((generator.takes & option.takes) == 0) {
      option.reset(options);
    }
  }
  return options;
}

std::vector<Diagnostic> CheckOptions(const Generator& generator, const GeneratorOptions& options) {
  return OptionCheck(generator, options).Check();
}

}  // namespace stagecraft
