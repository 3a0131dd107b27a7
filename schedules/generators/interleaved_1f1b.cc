#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "schedules/dependencies.h"
#include "schedules/generators.h"
#include "schedules/generators/bounds.h"
#include "schedules/generators/flush_batches.h"
#include "schedules/progress.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// One stage and micro-batch, in the order in which a rank goes through them.
struct Visit {
  std::int32_t chunk = 0;
  std::int32_t microbatch = 0;
};

/// Group after group of micro-batches, each chunk by chunk; the last group may be smaller.
Table<Visit> Visits(std::int32_t chunks, std::int32_t microbatches, std::int32_t group) {
  Table<Visit> visits;
  for (std::int32_t begin = 0; begin < microbatches; begin += group) {
    const std::int32_t end = std::min(begin + group, microbatches);
    for (std::int32_t chunk = 0; chunk < chunks; ++chunk) {
      for (std::int32_t microbatch = begin; microbatch < end; ++microbatch) {
        visits.push_back({chunk, microbatch});
      }
    }
  }
  return visits;
}

class Interleaving {
 public:
  explicit Interleaving(const GeneratorOptions& options)
      : options_(options),
        chunks_(options.chunks.value_or(kDefaultChunks)),
        group_(std::min(options.group.value_or(options.ranks), options.microbatches)),
        visits_(Visits(chunks_, options.microbatches, group_)) {}

  Schedule Make(std::int32_t batches, std::int32_t extra) const {
    GeneratorOptions options = options_;
    options.batches = batches;
    return RepeatBatch(options, LoopPlacement(options.ranks, chunks_),
                       [&](std::int32_t rank) { return ProgramOf(rank, extra); });
  }

  /// Groups of fewer than p micro-batches may come round before what they wait for: how many more
  /// forwards every rank needs at the start, at least, not to wait for ever.
  std::int32_t ExtraWarmup() const {
    if (SmallestGroup() >= options_.ranks || group_ >= options_.microbatches) {
      return 0;
    }

    // Doubling and bisection assume that a longer warm-up blocks nothing that a shorter one lets
    // run.
    std::int32_t low = 0;
    std::int32_t high = 0;
    for (std::int32_t step = 1; !Runs(Make(1, high)); step *= 2) {
      low = high + 1;
      high += step;
    }

    while (low < high) {
      const std::int32_t middle = low + (high - low) / 2;
      if (Runs(Make(1, middle))) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  /// Micro-batches of the smallest group: of the last one, or of each.
  std::int32_t SmallestGroup() const {
    const std::int32_t last = options_.microbatches % group_;
    return last == 0 ? group_ : last;
  }

  /// Forwards before the first backward.
  std::int32_t WarmupOf(std::int32_t rank, std::int32_t extra) const {
    return std::min(2 * (options_.ranks - 1 - rank) + (chunks_ - 1) * group_ + extra,
                    visits_.Count());
  }

 private:
  static bool Runs(const Schedule& schedule) {
    const Dependencies dependencies = FindDependencies(schedule);
    return OrderOps(schedule, dependencies, SendMode::kEager).stuck.empty();
  }

  Program ProgramOf(std::int32_t rank, std::int32_t extra) const {
    Program program;
    const auto add = [&](OpKind kind, std::int32_t chunk, std::int32_t microbatch) {
      program.push_back(
          {.kind = kind, .stage = chunk * options_.ranks + rank, .microbatch = microbatch});
    };

    const auto total = visits_.Count();
    const std::int32_t warmup = WarmupOf(rank, extra);

    // The k-th backward goes the way of the k-th forward, over the chunks in the opposite order.
    for (std::int32_t k = 0; k < total + warmup; ++k) {
      if (k < total) {
        const Visit& visit = visits_[k];
        add(OpKind::kForward, visit.chunk, visit.microbatch);
      }
      if (k >= warmup) {
        const Visit& visit = visits_[k - warmup];
        add(OpKind::kBackward, chunks_ - 1 - visit.chunk, visit.microbatch);
      }
    }

    return program;
  }

  const GeneratorOptions& options_;
  std::int32_t chunks_;
  std::int32_t group_;
  Table<Visit> visits_;
};

/// 1F1B on several stages per rank, placed in a loop: v = `chunks` times less bubble for v times
/// the transfers. A rank goes through `group` micro-batches on its first stage, then on its next.
///
///   -p 2 -m 4 --chunks 2
///   rank 0 | 0F0 0F1 2F0 2F1 0F2 .   2B0---- 0F3 2B1---- 2F2 0B0---- 2F3 0B1---- . ...
///   rank 1 | .   1F0 1F1 3F0 3B0---- 3F1 3B1---- 1F2 1B0---- 1F3 1B1---- 3F2 3B2---- ...
///            warm-up of rank r: 2(p-1-r) + (v-1) group forwards, then one F and one B in turn
///
/// Idle time of a rank, equal stages and no transfers: (p - 1)(F + B) / v, F and B of a rank's
/// share, where m is a multiple of `group` = p. Weight copies: 1. Live activations on a rank, in
/// chunks: (v - 1) group + 2(p - 1 - r) + 1, at most v m; `group` is p unless given. Groups smaller
/// than p, the last one too, may need a longer warm-up, and get the shortest that they can do with.
/// Staleness: 0. Source: Narayanan et al., "Efficient Large-Scale Language Model Training on GPU
/// Clusters Using Megatron-LM", SC 2021, section 2.2.
Schedule InterleavedOneFOneB(const GeneratorOptions& options) {
  const Interleaving interleaving(options);
  return interleaving.Make(options.batches, interleaving.ExtraWarmup());
}

Bounds InterleavedBounds(const GeneratorOptions& options) {
  const Interleaving interleaving(options);
  const std::int32_t chunks = options.chunks.value_or(kDefaultChunks);
  const std::int32_t extra = interleaving.ExtraWarmup();
  Table<std::int32_t> sets;
  sets.reserve(options.ranks);
  for (std::int32_t rank = 0; rank < options.ranks; ++rank) {
    sets.push_back(std::min(interleaving.WarmupOf(rank, extra) + 1, chunks * options.microbatches));
  }
  return FlushedBounds(options.ranks * chunks, std::move(sets));
}

std::string WarnOfInterleaved(const GeneratorOptions& options, const Schedule& schedule) {
  const Interleaving interleaving(options);
  std::int32_t more = 0;
  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    const Program& program = schedule.programs[rank];
    const auto backward = std::find_if(program.begin(), program.end(),
                                       [](const Op& op) { return op.kind == OpKind::kBackward; });

    // What is held when the first backward begins: the warm-up and the forward paired with it.
    const auto held = static_cast<std::int32_t>(backward - program.begin());
    const std::int32_t usual = interleaving.WarmupOf(rank, 0) + 1;
    more = std::max(more, held - usual);
  }

  if (more == 0) {
    return "";
  }
  return fmt::format(
      "the smallest group has {} of the micro-batches for {} ranks, which would wait for each "
      "other "
      "for ever; a longer warm-up mends that and keeps up to {} more chunk{} of activations on a "
      "rank than its bounds state; `microbatches` and `group` that are multiples of "
      "`ranks` need none",
      interleaving.SmallestGroup(), options.ranks, more, more == 1 ? "" : "s");
}

std::string RefuseInterleaved(const GeneratorOptions& options) {
  if (options.chunks && *options.chunks < 2) {
    return "1 stage per rank is 1f1b; expected `chunks` of at least 2";
  }
  if (options.group && *options.group < 1) {
    return "groups of 0 micro-batches; expected `group` of at least 1";
  }
  return "";
}

}  // namespace

const Generator kInterleavedOneFOneB{
    .name = "interleaved-1f1b",
    .make = InterleavedOneFOneB,
    .summary = "1F1B with several stages per rank, in a loop: less bubble, more transfers",
    .bounded = "1 weight copy, (v-1)g + 2(D-1-r) + 1 chunks of activations, staleness 0",
    .bounded_otherwise = "a group of fewer than D micro-batches: more, where a warning says so",
    .bounds = InterleavedBounds,
    .source = "Narayanan et al., SC 2021",
    .takes = kTakesChunks | kTakesGroup,
    .flushes = true,
    .whole_batches = false,
    .refuse = RefuseInterleaved,
    .warn = WarnOfInterleaved};

}  // namespace stagecraft
