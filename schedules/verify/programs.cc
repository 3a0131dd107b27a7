#include <algorithm>
#include <cstddef>
#include <string>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "schedules/dependencies.h"
#include "schedules/op_tables.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "schedules/verify/findings.h"

namespace stagecraft {
namespace {

bool FieldsInRange(const Op& op, const Shape& shape) {
  const OpTraits& traits = TraitsOf(op.kind);
  const bool microbatch = traits.has_microbatch
                              ? op.microbatch >= 0 && op.microbatch < shape.microbatches
                              : op.microbatch == 0;
  const bool version = traits.has_version ? op.version >= 0 : op.version == 0;
  return op.stage >= 0 && op.stage < shape.stages && microbatch && version &&
         (traits.has_horizon || op.horizon == 0);
}

bool CheckPlacement(const Schedule& schedule, Findings& findings) {
  const Shape& shape = schedule.shape;
  Table<std::int32_t> last_rank(shape.stages, -1);
  bool good = true;

  // A stage that was placed last by the rank at hand is there twice.
  for (std::int32_t rank = 0; rank < schedule.placement.Count(); ++rank) {
    for (const std::int32_t stage : schedule.placement[rank]) {
      if (stage < 0 || stage >= shape.stages) {
        findings.Add("placed", fmt::format("rank {}", rank),
                     fmt::format("places stage {}; expected 0 to {}", stage, shape.stages - 1));
        good = false;
        continue;
      }

      std::int32_t& last = last_rank[stage];
      if (last == rank) {
        findings.Add("placed", fmt::format("rank {}", rank),
                     fmt::format("places stage {} twice", stage));
        good = false;
      }
      last = rank;
    }
  }

  for (std::int32_t stage = 0; stage < last_rank.Count(); ++stage) {
    if (last_rank[stage] < 0) {
      findings.Add("placed", fmt::format("stage {}", stage), "stands on no rank");
      good = false;
    }
  }
  return good;
}

/// Fills the table of places; duplicates are found on the way.
class PairFinder {
 public:
  PairFinder(const Schedule& schedule, Findings& findings)
      : schedule_(schedule), findings_(findings), pairs_(schedule.shape) {}

  PairTable<PairPlaces> Fill() {
    for (std::int32_t rank = 0; rank < schedule_.programs.Count(); ++rank) {
      const Program& program = schedule_.programs[rank];
      for (std::int32_t i = 0; i < program.Count(); ++i) {
        if (IsCompute(program[i].kind)) {
          Add({rank, i}, program[i]);
        }
      }
    }
    return std::move(pairs_);
  }

 private:
  void Add(OpRef ref, const Op& op) {
    PairPlaces& pair = pairs_[op];
    switch (op.kind) {
      case OpKind::kForward:
        return Put(pair.forward, ref, "forward-once");
      case OpKind::kRecompute:
        return Put(pair.recompute, ref, "forward-once");
      case OpKind::kBackwardWeight:
        return Put(pair.weight, ref, "backward-once");
      default:
        return Put(pair.backward, ref, "backward-once");
    }
  }

  void Put(OpRef& place, OpRef ref, std::string_view rule) {
    if (place) {
      findings_.Add(
          rule, ref,
          fmt::format("a second one; the first is {}, op {}", Name(schedule_, place), place.index));
    } else {
      place = ref;
    }
  }

  const Schedule& schedule_;
  Findings& findings_;
  PairTable<PairPlaces> pairs_;
};

/// What one (stage, micro-batch) must satisfy, given where its ops stand.
class PairCheck {
 public:
  PairCheck(const Schedule& schedule, Findings& findings)
      : schedule_(schedule), findings_(findings) {}

  void Check(std::int32_t stage, std::int32_t microbatch, const PairPlaces& pair) {
    stage_ = stage;
    microbatch_ = microbatch;
    if (!pair.forward) {
      Missing("forward-once", "its forward; expected one F", pair.backward);
    }

    if (schedule_.mode == Mode::kForward) {
      for (const OpRef extra : {pair.recompute, pair.backward, pair.weight}) {
        if (extra) {
          findings_.Add("backward-once", extra, "in forward mode; expected only F");
        }
      }
      return;
    }

    CheckBackward(pair);
    const OpRef first = pair.forward ? pair.forward : pair.backward;
    for (const OpRef other : {pair.recompute, pair.backward, pair.weight}) {
      if (first && other && other.rank != first.rank) {
        findings_.Add("same-rank", other,
                      fmt::format("on rank {}, but {}", other.rank, Name(schedule_, first)));
      }
    }

    // Each before those that need what it makes.
    CheckOrder(pair.forward, pair.recompute, "recompute before its forward");
    CheckOrder(pair.forward, pair.backward, "backward before its forward");
    CheckOrder(pair.recompute, pair.backward, "backward before its recompute");
    CheckOrder(pair.backward, pair.weight, "weight gradient before its input gradient");
    CheckRecompute(pair);
  }

 private:
  /// `other`: what is there of the micro-batch, if anything.
  void Missing(std::string_view rule, std::string_view what, OpRef other) {
    std::string message = fmt::format("lacks {}", what);
    if (other) {
      findings_.Add(rule, other, std::move(message));
    } else {
      findings_.Add(rule, fmt::format("stage {}, micro-batch {}", stage_, microbatch_),
                    std::move(message));
    }
  }

  void CheckBackward(const PairPlaces& pair) {
    if (!pair.backward) {
      Missing("backward-once",
              pair.weight ? "the I before its W" : "its backward; expected B, or I and W",
              pair.weight ? pair.weight : pair.forward);
      return;
    }
    const bool full = schedule_.At(pair.backward).kind == OpKind::kBackward;
    if (full && pair.weight) {
      findings_.Add("backward-once", pair.weight,
                    fmt::format("beside a full backward, {}", Name(schedule_, pair.backward)));
    } else if (!full && !pair.weight) {
      findings_.Add("backward-once", pair.backward, "an I without its W");
    }
  }

  void CheckOrder(OpRef first, OpRef second, std::string_view message) {
    if (first && second && first.rank == second.rank && first.index > second.index) {
      findings_.Add("forward-first", second,
                    fmt::format("{}; {} is op {} on this rank", message,
                                ToString(schedule_.At(first)), first.index));
    }
  }

  void CheckRecompute(const PairPlaces& pair) {
    if (!pair.forward || !pair.recompute) {
      return;
    }
    const Op& forward = schedule_.At(pair.forward);
    const Op& again = schedule_.At(pair.recompute);
    if (forward.version != again.version || forward.horizon != again.horizon) {
      findings_.Add("recompute-version", pair.recompute,
                    fmt::format("reads other weights than its forward, {}", ToString(forward)));
    }
  }

  const Schedule& schedule_;
  Findings& findings_;
  std::int32_t stage_ = 0;
  std::int32_t microbatch_ = 0;
};

}  // namespace

bool CheckShape(const Schedule& schedule, Findings& findings) {
  const Shape& shape = schedule.shape;
  if (shape.ranks < 1 || shape.stages < 1 || shape.microbatches < 1 ||
      schedule.placement.Count() != shape.ranks || schedule.programs.Count() != shape.ranks) {
    findings.Add("shape", "",
                 fmt::format("ranks {}, stages {}, microbatches {}, {} placements and {} programs; "
                             "expected at least 1 of each and one placement and program per rank",
                             shape.ranks, shape.stages, shape.microbatches,
                             schedule.placement.size(), schedule.programs.size()));
    return false;
  }

  if (!IsDense(schedule)) {
    findings.Add("shape", "",
                 fmt::format("{} stages and {} micro-batches need a forward each, but the programs "
                             "have far fewer ops",
                             shape.stages, shape.microbatches));
    return false;
  }

  bool good = CheckPlacement(schedule, findings);
  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    const Program& program = schedule.programs[rank];
    for (std::int32_t i = 0; i < program.Count(); ++i) {
      if (!FieldsInRange(program[i], shape)) {
        findings.Add("in-range", OpRef{rank, i},
                     fmt::format("expected stages 0 to {}, micro-batches 0 to {} and versions from "
                                 "0",
                                 shape.stages - 1, shape.microbatches - 1));
        good = false;
      }
    }
  }
  return good;
}

PairTable<PairPlaces> CheckPairs(const Schedule& schedule, Findings& findings) {
  PairTable<PairPlaces> pairs = PairFinder(schedule, findings).Fill();
  PairCheck check(schedule, findings);
  for (std::int32_t stage = 0; stage < schedule.shape.stages; ++stage) {
    for (std::int32_t q = 0; q < schedule.shape.microbatches; ++q) {
      check.Check(stage, q, pairs(stage, q));
    }
  }
  return pairs;
}

}  // namespace stagecraft
