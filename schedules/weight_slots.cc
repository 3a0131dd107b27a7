#include "schedules/weight_slots.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <unordered_map>
#include <utility>

namespace stagecraft {
namespace {

/// The versions and predictions of one rank, numbered in the order in which they are written, and
/// which op reads and writes which. Slots are given within a stage.
struct Lifetimes {
  std::vector<std::int32_t> reads;           ///< Per op: what it reads; -1 nothing.
  std::vector<std::int32_t> writes;          ///< Per op: what it writes; -1 nothing.
  std::vector<std::int32_t> last;            ///< Per version or prediction: its last reader.
  std::vector<std::int32_t> first_of_stage;  ///< Version 0 of each stage, in placement order.
  std::vector<std::int32_t> older;           ///< Of a window: versions before 0, of any stage ...
  std::vector<std::size_t> local_of_older;   ///< ... and its place on the rank.
};

/// The weights that exist of one stage while its rank's program is walked.
struct Known {
  std::vector<std::int32_t> versions;
  std::map<std::int32_t, std::int32_t> older;                   ///< By version, below 0.
  std::unordered_map<std::uint64_t, std::int32_t> predictions;  ///< Latest of each key.
};

std::uint64_t KeyOf(const Op& op) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(op.version)) << 16U |
         static_cast<std::uint16_t>(op.horizon);
}

class LifetimeWalk {
 public:
  explicit LifetimeWalk(const Schedule& schedule)
      : schedule_(schedule), local_(static_cast<std::size_t>(schedule.shape.stages), 0) {}

  Lifetimes Walk(std::size_t rank) {
    const std::vector<std::int32_t>& stages = schedule_.placement[rank];
    const std::vector<Op>& program = schedule_.programs[rank];
    found_ = {};
    known_.assign(stages.size(), {});
    for (std::size_t i = 0; i < stages.size(); ++i) {
      local_[static_cast<std::size_t>(stages[i])] = i;
      found_.first_of_stage.push_back(Born(-1));
      known_[i].versions.push_back(found_.first_of_stage.back());
    }
    for (const Op& op : program) {
      AddOlder(op);
    }
    found_.reads.assign(program.size(), -1);
    found_.writes.assign(program.size(), -1);
    for (std::size_t i = 0; i < program.size(); ++i) {
      Visit(i, program[i]);
    }
    for (const Known& known : known_) {
      found_.last[static_cast<std::size_t>(known.versions.back())] =
          static_cast<std::int32_t>(program.size());  // The newest version always lives.
    }
    return std::move(found_);
  }

 private:
  std::int32_t Born(std::int32_t at) {
    found_.last.push_back(at);
    return static_cast<std::int32_t>(found_.last.size()) - 1;
  }

  /// A window of a schedule may read versions of before its begin.
  void AddOlder(const Op& op) {
    if (!TraitsOf(op.kind).reads_weights || op.version >= 0) {
      return;
    }
    const std::size_t local = local_[static_cast<std::size_t>(op.stage)];
    if (!known_[local].older.contains(op.version)) {
      known_[local].older[op.version] = Born(-1);
      found_.older.push_back(known_[local].older[op.version]);
      found_.local_of_older.push_back(local);
    }
  }

  std::int32_t VersionOf(const Known& known, std::int32_t version) const {
    return version < 0 ? known.older.at(version)
                       : known.versions[static_cast<std::size_t>(version)];
  }

  void Visit(std::size_t index, const Op& op) {
    const bool writes = op.kind == OpKind::kStep || op.kind == OpKind::kPredict;
    if (!writes && !TraitsOf(op.kind).reads_weights) {
      return;
    }
    Known& known = known_[local_[static_cast<std::size_t>(op.stage)]];
    const std::int32_t read =
        writes || op.horizon == 0 ? VersionOf(known, op.version) : known.predictions[KeyOf(op)];
    const auto at = static_cast<std::int32_t>(index);
    found_.reads[index] = read;
    found_.last[static_cast<std::size_t>(read)] = at;
    if (op.kind == OpKind::kStep) {
      found_.writes[index] = Born(at);
      known.versions.push_back(found_.writes[index]);
    } else if (op.kind == OpKind::kPredict) {
      found_.writes[index] = Born(at);
      known.predictions[KeyOf(op)] = found_.writes[index];
    }
  }

  const Schedule& schedule_;
  std::vector<std::size_t> local_;  ///< Per stage: its place on the rank being walked.
  std::vector<Known> known_;
  Lifetimes found_;
};

/// Numbers from 0 that are in use; takes the lowest free one. A handful are in use at a time.
class SlotPool {
 public:
  std::int32_t Take() {
    if (!free_.empty()) {
      std::pop_heap(free_.begin(), free_.end(), std::greater<>());
      const std::int32_t slot = free_.back();
      free_.pop_back();
      return slot;
    }
    return size_++;
  }

  void Give(std::int32_t slot) {
    free_.push_back(slot);
    std::push_heap(free_.begin(), free_.end(), std::greater<>());
  }

  std::int32_t Size() const { return size_; }
  std::int32_t InUse() const { return size_ - static_cast<std::int32_t>(free_.size()); }

 private:
  std::vector<std::int32_t> free_;
  std::int32_t size_ = 0;
};

/// Gives the slots of one rank, op by op.
class SlotScan {
 public:
  SlotScan(const Schedule& schedule, std::size_t rank, Lifetimes lifetimes)
      : program_(schedule.programs[rank]),
        stages_(schedule.placement[rank]),
        lifetimes_(std::move(lifetimes)),
        pools_(stages_.size()),
        slot_of_(lifetimes_.last.size(), -1) {
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      slot_of_[static_cast<std::size_t>(lifetimes_.first_of_stage[i])] = pools_[i].Take();
    }
    for (std::size_t i = 0; i < lifetimes_.older.size(); ++i) {
      slot_of_[static_cast<std::size_t>(lifetimes_.older[i])] =
          pools_[lifetimes_.local_of_older[i]].Take();
    }
  }

  struct Given {
    std::int32_t slot = -1;
    std::int32_t base = -1;
  };

  Given Next(std::size_t index) {
    const std::int32_t read = lifetimes_.reads[index];
    if (read < 0) {
      return {};
    }
    SlotPool& pool = pools_[LocalOf(program_[index].stage)];
    const std::int32_t written = lifetimes_.writes[index];
    const std::int32_t base = slot_of_[static_cast<std::size_t>(read)];
    const bool last_read =
        lifetimes_.last[static_cast<std::size_t>(read)] == static_cast<std::int32_t>(index);
    if (written < 0) {
      Release(pool, read, last_read);
      return {base, -1};
    }
    std::int32_t slot = base;  // An S that is the last reader of its base writes in place.
    if (!last_read) {
      slot = pool.Take();
    }
    slot_of_[static_cast<std::size_t>(written)] = slot;
    Release(pool, written,
            lifetimes_.last[static_cast<std::size_t>(written)] ==
                static_cast<std::int32_t>(index));  // A prediction that nothing reads.
    return {slot, base};
  }

  /// Copies of all stages of the rank that are alive now.
  std::int32_t InUse() const {
    std::int32_t copies = 0;
    for (const SlotPool& pool : pools_) {
      copies += pool.InUse();
    }
    return copies;
  }

  std::int32_t Slots(std::size_t local) const { return pools_[local].Size(); }

 private:
  std::size_t LocalOf(std::int32_t stage) const {
    if (stages_.size() == 1) {
      return 0;
    }
    return static_cast<std::size_t>(std::find(stages_.begin(), stages_.end(), stage) -
                                    stages_.begin());
  }

  void Release(SlotPool& pool, std::int32_t weights, bool now) {
    if (now) {
      pool.Give(slot_of_[static_cast<std::size_t>(weights)]);
    }
  }

  const std::vector<Op>& program_;
  const std::vector<std::int32_t>& stages_;
  Lifetimes lifetimes_;
  std::vector<SlotPool> pools_;        ///< Per stage of the rank.
  std::vector<std::int32_t> slot_of_;  ///< Per version or prediction.
};

void AppendCounts(const Schedule& schedule, std::size_t rank, const SlotScan& scan,
                  std::vector<StageSlots>& counts) {
  for (std::size_t i = 0; i < schedule.placement[rank].size(); ++i) {
    counts.push_back({static_cast<std::int32_t>(rank), schedule.placement[rank][i], scan.Slots(i)});
  }
}

}  // namespace

std::int32_t WeightSlots::OfStage(std::int32_t stage) const {
  std::int32_t most = 0;
  for (const StageSlots& slots : stages) {
    most = slots.stage == stage ? std::max(most, slots.slots) : most;
  }
  return most;
}

WeightSlots AssignWeightSlots(const Schedule& schedule) {
  WeightSlots assigned;
  LifetimeWalk walk(schedule);
  for (std::size_t rank = 0; rank < schedule.programs.size(); ++rank) {
    SlotScan scan(schedule, rank, walk.Walk(rank));
    std::vector<std::int32_t>& slot = assigned.slot.emplace_back();
    std::vector<std::int32_t>& base = assigned.base.emplace_back();
    for (std::size_t i = 0; i < schedule.programs[rank].size(); ++i) {
      const SlotScan::Given given = scan.Next(i);
      slot.push_back(given.slot);
      base.push_back(given.base);
    }
    AppendCounts(schedule, rank, scan, assigned.stages);
  }
  return assigned;
}

std::vector<StageSlots> CountWeightSlots(const Schedule& schedule) {
  std::vector<StageSlots> counts;
  LifetimeWalk walk(schedule);
  for (std::size_t rank = 0; rank < schedule.programs.size(); ++rank) {
    SlotScan scan(schedule, rank, walk.Walk(rank));
    for (std::size_t i = 0; i < schedule.programs[rank].size(); ++i) {
      scan.Next(i);
    }
    AppendCounts(schedule, rank, scan, counts);
  }
  return counts;
}

std::vector<std::int32_t> WeightCopiesAfter(const Schedule& schedule, std::int32_t rank) {
  const auto index = static_cast<std::size_t>(rank);
  SlotScan scan(schedule, index, LifetimeWalk(schedule).Walk(index));
  std::vector<std::int32_t> copies;
  copies.reserve(schedule.programs[index].size());
  for (std::size_t i = 0; i < schedule.programs[index].size(); ++i) {
    scan.Next(i);
    copies.push_back(scan.InUse());
  }
  return copies;
}

}  // namespace stagecraft
