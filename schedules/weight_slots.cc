#include "schedules/weight_slots.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <unordered_map>
#include <utility>

#include "schedules/schedule.h"
#include "schedules/tables.h"

namespace stagecraft {
namespace {

/// The versions and predictions of one rank, numbered in the order in which they are written, and
/// which op reads and writes which. Slots are given within a stage.
struct Lifetimes {
  Table<std::int32_t> reads;           ///< Per op: what it reads; -1 nothing.
  Table<std::int32_t> writes;          ///< Per op: what it writes; -1 nothing.
  Table<std::int32_t> last;            ///< Per version or prediction: its last reader.
  Table<std::int32_t> first_of_stage;  ///< Version 0 of each stage, in placement order.
  Table<std::int32_t> older;           ///< Of a window: versions before 0, of any stage ...
  Table<std::int32_t> local_of_older;  ///< ... and its place on the rank.
};

/// The weights that exist of one stage while its rank's program is walked.
struct Known {
  Table<std::int32_t> versions;
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
      : schedule_(schedule), local_(schedule.shape.stages, 0) {}

  Lifetimes Walk(std::int32_t rank) {
    const Table<std::int32_t>& stages = schedule_.placement[rank];
    const Program& program = schedule_.programs[rank];
    found_ = {};
    known_.assign(stages.size(), {});
    for (std::int32_t i = 0; i < stages.Count(); ++i) {
      local_[stages[i]] = i;
      found_.first_of_stage.push_back(Born(-1));
      known_[i].versions.push_back(found_.first_of_stage.back());
    }
    for (const Op& op : program) {
      AddOlder(op);
    }

    found_.reads.assign(program.size(), -1);
    found_.writes.assign(program.size(), -1);
    for (std::int32_t i = 0; i < program.Count(); ++i) {
      Visit(i, program[i]);
    }

    // The newest version always lives.
    for (const Known& known : known_) {
      found_.last[known.versions.back()] = program.Count();
    }
    return std::move(found_);
  }

 private:
  std::int32_t Born(std::int32_t at) {
    found_.last.push_back(at);
    return found_.last.Count() - 1;
  }

  /// A window of a schedule may read versions of before its begin.
  void AddOlder(const Op& op) {
    if (!TraitsOf(op.kind).reads_weights || op.version >= 0) {
      return;
    }
    const std::int32_t local = local_[op.stage];
    if (!known_[local].older.contains(op.version)) {
      known_[local].older[op.version] = Born(-1);
      found_.older.push_back(known_[local].older[op.version]);
      found_.local_of_older.push_back(local);
    }
  }

  std::int32_t VersionOf(const Known& known, std::int32_t version) const {
    return version < 0 ? known.older.at(version) : known.versions[version];
  }

  void Visit(std::int32_t index, const Op& op) {
    const bool writes = op.kind == OpKind::kStep || op.kind == OpKind::kPredict;
    if (!writes && !TraitsOf(op.kind).reads_weights) {
      return;
    }
    Known& known = known_[local_[op.stage]];
    const std::int32_t read =
        writes || op.horizon == 0 ? VersionOf(known, op.version) : known.predictions[KeyOf(op)];
    found_.reads[index] = read;
    found_.last[read] = index;

    if (op.kind == OpKind::kStep) {
      found_.writes[index] = Born(index);
      known.versions.push_back(found_.writes[index]);
    } else if (op.kind == OpKind::kPredict) {
      found_.writes[index] = Born(index);
      known.predictions[KeyOf(op)] = found_.writes[index];
    }
  }

  const Schedule& schedule_;
  Table<std::int32_t> local_;  ///< Per stage: its place on the rank being walked.
  Table<Known> known_;
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
  std::int32_t InUse() const { return size_ - free_.Count(); }

 private:
  Table<std::int32_t> free_;
  std::int32_t size_ = 0;
};

/// Gives the slots of one rank, op by op.
class SlotScan {
 public:
  SlotScan(const Schedule& schedule, std::int32_t rank, Lifetimes lifetimes)
      : program_(schedule.programs[rank]),
        stages_(schedule.placement[rank]),
        lifetimes_(std::move(lifetimes)),
        pools_(stages_.size()),
        slot_of_(lifetimes_.last.size(), -1) {
    for (std::int32_t i = 0; i < stages_.Count(); ++i) {
      slot_of_[lifetimes_.first_of_stage[i]] = pools_[i].Take();
    }
    for (std::int32_t i = 0; i < lifetimes_.older.Count(); ++i) {
      slot_of_[lifetimes_.older[i]] = pools_[lifetimes_.local_of_older[i]].Take();
    }
  }

  struct Given {
    std::int32_t slot = -1;
    std::int32_t base = -1;
  };

  Given Next(std::int32_t index) {
    const std::int32_t read = lifetimes_.reads[index];
    if (read < 0) {
      return {};
    }
    SlotPool& pool = pools_[LocalOf(program_[index].stage)];
    const std::int32_t written = lifetimes_.writes[index];
    const std::int32_t base = slot_of_[read];
    const bool last_read = lifetimes_.last[read] == index;
    if (written < 0) {
      Release(pool, read, last_read);
      return {base, -1};
    }

    std::int32_t slot = base;  // An S that is the last reader of its base writes in place.
    if (!last_read) {
      slot = pool.Take();
    }
    slot_of_[written] = slot;
    Release(pool, written, lifetimes_.last[written] == index);  // A prediction that nothing reads.
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

  std::int32_t Slots(std::int32_t local) const { return pools_[local].Size(); }

 private:
  std::ptrdiff_t LocalOf(std::int32_t stage) const {
    return stages_.size() == 1 ? 0 : std::ranges::find(stages_, stage) - stages_.begin();
  }

  void Release(SlotPool& pool, std::int32_t weights, bool now) {
    if (now) {
      pool.Give(slot_of_[weights]);
    }
  }

  const Program& program_;
  const Table<std::int32_t>& stages_;
  Lifetimes lifetimes_;
  Table<SlotPool> pools_;        ///< Per stage of the rank.
  Table<std::int32_t> slot_of_;  ///< Per version or prediction.
};

void AppendCounts(const Schedule& schedule, std::int32_t rank, const SlotScan& scan,
                  Table<StageSlots>& counts) {
  for (std::int32_t i = 0; i < schedule.placement[rank].Count(); ++i) {
    counts.push_back({rank, schedule.placement[rank][i], scan.Slots(i)});
  }
}

}  // namespace

Table<std::int32_t> WeightCopiesOfStages(const Table<StageSlots>& slots) {
  Table<std::int32_t> most;
  for (const StageSlots& held : slots) {
    most.resize(std::max(most.Count(), held.stage + 1));
    most[held.stage] = std::max(most[held.stage], held.slots);
  }
  return most;
}

WeightSlots AssignWeightSlots(const Schedule& schedule) {
  WeightSlots assigned{.stages = {},
                       .slot = OpTable<std::int32_t>(schedule, -1),
                       .base = OpTable<std::int32_t>(schedule, -1)};

  LifetimeWalk walk(schedule);
  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    SlotScan scan(schedule, rank, walk.Walk(rank));
    for (std::int32_t i = 0; i < schedule.programs[rank].Count(); ++i) {
      const SlotScan::Given given = scan.Next(i);
      assigned.slot[{rank, i}] = given.slot;
      assigned.base[{rank, i}] = given.base;
    }
    AppendCounts(schedule, rank, scan, assigned.stages);
  }
  return assigned;
}

Table<StageSlots> CountWeightSlots(const Schedule& schedule) {
  Table<StageSlots> counts;
  LifetimeWalk walk(schedule);
  for (std::int32_t rank = 0; rank < schedule.programs.Count(); ++rank) {
    SlotScan scan(schedule, rank, walk.Walk(rank));
    for (std::int32_t i = 0; i < schedule.programs[rank].Count(); ++i) {
      scan.Next(i);
    }
    AppendCounts(schedule, rank, scan, counts);
  }
  return counts;
}

Table<std::int32_t> WeightCopiesAfter(const Schedule& schedule, std::int32_t rank) {
  SlotScan scan(schedule, rank, LifetimeWalk(schedule).Walk(rank));
  Table<std::int32_t> copies;
  copies.reserve(schedule.programs[rank].size());
  for (std::int32_t i = 0; i < schedule.programs[rank].Count(); ++i) {
    scan.Next(i);
    copies.push_back(scan.InUse());
  }
  return copies;
}

}  // namespace stagecraft
