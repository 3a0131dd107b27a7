#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schedules/option_check.h"
#include "schedules/registry.h"

namespace stagecraft::test {

/// A generator with options that it accepts.
struct Variant {
  const Generator* generator = nullptr;
  GeneratorOptions options;

  Schedule Make() const { return *Generate(generator->name, options).value; }

  /// As on the command line, for messages.
  std::string Text() const {
    std::string text(generator->name);
    const auto add = [&](std::string_view flag, std::int64_t value) {
      text += ' ';
      text += flag;
      text += ' ' + std::to_string(value);
    };
    add("-p", options.ranks);
    add("-m", options.microbatches);
    add("-n", options.batches);
    if (options.update_every) {
      add("--update-every", *options.update_every);
    }
    if (options.warmup) {
      add("--warmup", *options.warmup);
    }
    add("drain", options.drain_every);
    add("horizon", static_cast<int>(options.horizon));
    add("checkpoint", static_cast<int>(options.checkpoint));
    add("rounding", static_cast<int>(options.rounding));
    if (options.chunks) {
      add("--chunks", *options.chunks);
    }
    if (options.group) {
      add("--group", *options.group);
    }
    add("cells", static_cast<int>(options.cells));
    add("placement", static_cast<int>(options.placement));
    if (options.limit) {
      add("--limit sets or p", static_cast<int>(options.limit->amount));
    }
    text += options.vertical_sync ? " --vertical-sync" : "";
    text += options.replicas.empty() ? "" : " --replicas";
    for (const std::int32_t count : options.replicas) {
      text += ' ' + std::to_string(count);
    }
    return text;
  }
};

namespace variants {

using Visit = std::function<void(const Variant&)>;

inline void IfAccepted(const Generator& generator, const GeneratorOptions& options,
                       const Visit& visit) {
  if (CheckOptions(generator, options).empty()) {
    visit({&generator, options});
  }
}

/// The options that asynchronous generators share, times horizon rule and rounding.
inline void Streams(const Generator& generator, GeneratorOptions options, const Visit& visit) {
  for (const std::int32_t every : {0, 1, 2, 3, 4, 6}) {
    options.update_every = every == 0 ? std::nullopt : std::optional(every);
    for (const std::int32_t drain : {0, 4, 6}) {
      options.drain_every = drain;
      for (const HorizonRule rule :
           {HorizonRule::kExact, HorizonRule::kSteady, HorizonRule::kCode}) {
        options.horizon = rule;
        for (const Rounding rounding : {Rounding::kFloor, Rounding::kHalfEven}) {
          options.rounding = rounding;
          IfAccepted(generator, options, visit);
        }
      }
    }
  }
}

inline void Flushes(const Generator& generator, GeneratorOptions options, const Visit& visit) {
  for (const Checkpoint checkpoint :
       {Checkpoint::kNone, Checkpoint::kAll, Checkpoint::kExceptLast}) {
    options.checkpoint = checkpoint;
    IfAccepted(generator, options, visit);
  }
  options.checkpoint = Checkpoint::kNone;
  for (std::int32_t warmup = 0; warmup <= 2 * (options.ranks - 1); ++warmup) {
    options.warmup = warmup;
    IfAccepted(generator, options, visit);
  }
}

/// What only schedules with several stages per rank, or those that search, take.
inline void Chunked(const Generator& generator, GeneratorOptions options, const Visit& visit) {
  const auto takes = [&](Takes bit) { return (generator.takes & bit) != 0; };
  if (takes(kTakesCells)) {
    options.cells = Cells::kSeparate;
    IfAccepted(generator, options, visit);
    options.cells = Cells::kJoined;
  }
  for (const double sets : {1.0, 2.0}) {
    if (takes(kTakesLimit)) {
      options.limit = ActivationLimit{sets, ActivationLimit::Unit::kTimesRanks};
      IfAccepted(generator, options, visit);
      options.limit.reset();
    }
  }
  for (const PlacementKind placement : {PlacementKind::kLoop, PlacementKind::kBidirectional}) {
    if (takes(kTakesPlacement)) {
      options.placement = placement;
      IfAccepted(generator, options, visit);
      options.placement = PlacementKind::kZigzag;
    }
  }
  for (const std::int32_t chunks : {1, 3, 4}) {
    if (takes(kTakesChunks)) {
      options.chunks = chunks;
      IfAccepted(generator, options, visit);
    }
  }
  for (const std::int32_t group : {1, 2, 3, 5}) {
    for (const std::int32_t chunks : {2, 3}) {
      if (takes(kTakesGroup)) {
        options.chunks = chunks;
        options.group = group;
        IfAccepted(generator, options, visit);
      }
    }
  }
}

inline void Replicated(const Generator& generator, GeneratorOptions options, const Visit& visit) {
  using List = std::vector<std::int32_t>;
  for (const List& replicas :
       {List{3, 1}, List{2, 1, 1}, List{1, 3}, List{2, 2}, List{1, 2, 1}, List{3, 2}, List{4}}) {
    options.replicas = replicas;
    options.ranks = 0;
    for (const std::int32_t count : replicas) {
      options.ranks += count;
    }
    Streams(generator, options, visit);
  }
}

}  // namespace variants

/// Micro-batches per batch, and batches.
struct VariantSize {
  std::int32_t m, n;
};
inline constexpr VariantSize kVariantSizes[] = {{1, 1}, {2, 1},  {3, 1}, {4, 1},
                                                {6, 1}, {12, 1}, {2, 3}, {4, 2}};

/// Calls `visit` with every generator, up to `max_ranks` ranks, a handful of sizes, and every
/// combination of the options that it takes: some thousand variants.
inline void ForEachVariant(std::int32_t max_ranks, const variants::Visit& visit,
                           std::span<const VariantSize> sizes = kVariantSizes) {
  for (const Generator& generator : Generators()) {
    for (const VariantSize size : sizes) {
      GeneratorOptions options;
      options.microbatches = size.m;
      options.batches = size.n;
      for (options.ranks = 1; options.ranks <= max_ranks; ++options.ranks) {
        if (generator.flushes) {
          variants::Flushes(generator, options, visit);
          variants::Chunked(generator, options, visit);
          continue;
        }
        variants::Streams(generator, options, visit);
        options.vertical_sync = (generator.takes & kTakesVerticalSync) != 0;
        if (options.vertical_sync) {
          variants::Streams(generator, options, visit);
          options.vertical_sync = false;
        }
      }
      if ((generator.takes & kTakesReplicas) != 0) {
        variants::Replicated(generator, options, visit);
      }
    }
  }
}

}  // namespace stagecraft::test
