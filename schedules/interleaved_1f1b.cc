#include <algorithm>
#include <cstddef>
#include <vector>

#include "schedules/dependencies.h"
#include "schedules/flush_batches.h"
#include "schedules/generators.h"
#include "schedules/progress.h"

namespace stagecraft {
namespace {

/// One stage and micro-batch, in the order in which a rank goes through them.
struct Visit {
  std::int32_t chunk = 0;
  std::int32_t microbatch = 0;
};

/// Group after group of micro-batches, each chunk by chunk; the last group may be smaller.
std::vector<Visit> Visits(std::int32_t chunks, std::int32_t microbatches, std::int32_t group) {
  std::vector<Visit> visits;
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
  Interleaving(const GeneratorOptions& options, std::int32_t group)
      : options_(options),
        chunks_(options.chunks.value_or(kDefaultChunks)),
        group_(group),
        visits_(Visits(chunks_, options.microbatches, group)) {}

  Schedule Make(std::int32_t batches, std::int32_t extra) const {
    GeneratorOptions options = options_;
    options.batches = batches;
    return RepeatBatch(options, LoopPlacement(options.ranks, chunks_),
                       [&](std::int32_t rank) { return ProgramOf(rank, extra); });
  }

  /// Groups of fewer than p micro-batches may come round before what they wait for: how many more
  /// forwards every rank needs at the start, at least, not to wait for ever.
  std::int32_t ExtraWarmup() const {
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

 private:
  static bool Runs(const Schedule& schedule) {
    const Dependencies dependencies = FindDependencies(schedule);
    return OrderOps(schedule, dependencies, SendMode::kEager).stuck.empty();
  }

  std::vector<Op> ProgramOf(std::int32_t rank, std::int32_t extra) const {
    std::vector<Op> program;
    const auto add = [&](OpKind kind, std::int32_t chunk, std::int32_t microbatch) {
      program.push_back(
          {.kind = kind, .stage = chunk * options_.ranks + rank, .microbatch = microbatch});
    };
    const auto total = static_cast<std::int32_t>(visits_.size());
    const std::int32_t warmup =
        std::min(2 * (options_.ranks - 1 - rank) + (chunks_ - 1) * group_ + extra, total);
    for (std::int32_t k = 0; k < total + warmup; ++k) {
      if (k < total) {
        const Visit& visit = visits_[static_cast<std::size_t>(k)];
        add(OpKind::kForward, visit.chunk, visit.microbatch);
      }
      if (k >= warmup) {
        const Visit& visit = visits_[static_cast<std::size_t>(k - warmup)];
        add(OpKind::kBackward, chunks_ - 1 - visit.chunk, visit.microbatch);
      }
    }
    return program;
  }

  const GeneratorOptions& options_;
  std::int32_t chunks_;
  std::int32_t group_;
  std::vector<Visit> visits_;
};

}  // namespace

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
  const std::int32_t m = options.microbatches;
  const std::int32_t group = std::min(options.group.value_or(options.ranks), m);
  const Interleaving interleaving(options, group);
  const std::int32_t last = m % group == 0 ? group : m % group;
  const bool has_small_groups = group < m && std::min(group, last) < options.ranks;
  return interleaving.Make(options.batches, has_small_groups ? interleaving.ExtraWarmup() : 0);
}

std::string RefuseInterleaved(const GeneratorOptions& options) {
  if (options.chunks && *options.chunks < 2) {
    return "1 stage per rank is 1f1b; expected --chunks of at least 2";
  }
  if (options.group && *options.group < 1) {
    return "groups of 0 micro-batches; expected --group of at least 1";
  }
  return "";
}

}  // namespace stagecraft
