#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "schedules/generators.h"
#include "schedules/generators/bounds.h"
#include "schedules/generators/flush_batches.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// An op and the slot that the paper's picture has for it.
struct Slot {
  std::int32_t time = 0;
  Op op;
};

/// The slots of one rank for unit u of p micro-batches, half of them in each direction.
void AddUnit(std::int32_t rank, std::int32_t p, std::int32_t unit, std::vector<Slot>& slots) {
  const std::int32_t begin = 2 * p * unit;
  for (std::int32_t i = 0; i < p / 2; ++i) {
    const std::int32_t down = unit * p + i;
    const std::int32_t up = down + p / 2;
    const auto add = [&](std::int32_t time, OpKind kind, std::int32_t stage, std::int32_t q) {
      slots.push_back({begin + time, {.kind = kind, .stage = stage, .microbatch = q}});
    };
    add(2 * i + rank, OpKind::kForward, rank, down);
    add(2 * i + 2 * p - 1 - rank, OpKind::kBackward, rank, down);
    add(2 * i + p - 1 - rank, OpKind::kForward, p - 1 - rank, up);
    add(2 * i + p + rank, OpKind::kBackward, p - 1 - rank, up);
  }
}

/// Two pipelines in opposite directions over the same ranks: each fills the bubbles of the other.
/// Units of p micro-batches, half per direction, follow each other. Every stage has two replicas,
/// which reduce their gradients before they step.
///
///   -p 4 -m 4
///   rank 0 | 0F0 0F1 .   3F2 3B2---- 3F3 3B3---- .   0B0---- .   .   0B1----
///   rank 1 | .   1F0 2F2 1F1 2F3 .   2B2---- 1B0---- 2B3---- 1B1---- .   .
///   rank 2 | .   1F2 2F0 1F3 2F1 .   2B0---- 1B2---- 2B1---- 1B3---- .   .
///   rank 3 | 0F2 0F3 .   3F0 3B0---- 3F1 3B1---- .   0B2---- .   .   0B3----
///
/// Idle slots of a rank, F = B and no transfers: p - 2 per batch. Weight copies: 1 of each of 2
/// stages. Live activations: at most p on a rank. Staleness: 0. Needs p even and m a multiple of p.
/// Source: Li and Hoefler, "Chimera", SC 2021, section 3; concatenated directly, not by forward
/// doubling or backward halving.
Schedule Chimera(const GeneratorOptions& options) {
  const std::int32_t p = options.ranks;
  return RepeatBatch(options, BidirectionalPlacement(p), [&](std::int32_t rank) {
    std::vector<Slot> slots;
    for (std::int32_t unit = 0; unit < options.microbatches / p; ++unit) {
      AddUnit(rank, p, unit, slots);
    }

    // A slot says which op comes first, not when it starts: that is up to the costs.
    std::stable_sort(slots.begin(), slots.end(),
                     [](const Slot& a, const Slot& b) { return a.time < b.time; });

    Program program;
    program.reserve(slots.size());
    for (const Slot& slot : slots) {
      program.push_back(slot.op);
    }
    return program;
  });
}

std::string RefuseChimera(const GeneratorOptions& options) {
  if (options.ranks % 2 != 0) {
    return fmt::format("{} ranks; expected an even `ranks`, two directions over the same ranks",
                       options.ranks);
  }
  if (options.microbatches % options.ranks != 0) {
    return fmt::format(
        "{} micro-batches on {} ranks; expected `microbatches` to be a multiple of `ranks`",
        options.microbatches, options.ranks);
  }
  return "";
}

Bounds ChimeraBounds(const GeneratorOptions& options) {
  return FlushedBounds(options.ranks, Table<std::int32_t>(options.ranks, options.ranks));
}

}  // namespace

const Generator kChimera{
    .name = "chimera",
    .make = Chimera,
    .summary = "two directions at once, each fills the bubbles of the other",
    .bounded = "2 weight copies (one of each of 2 stages), D activation sets, staleness 0",
    .bounds = ChimeraBounds,
    .source = "Li and Hoefler, SC 2021",
    .takes = 0,
    .flushes = true,
    .whole_batches = false,
    .refuse = RefuseChimera};

}  // namespace stagecraft
