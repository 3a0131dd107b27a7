#include "sim/critical_path.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "schedules/check.h"
#include "schedules/dependencies.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "sim/durations.h"
#include "sim/transfer_index.h"

namespace stagecraft {
namespace {

/// Goes back from the end of the run: at every moment it asks what could not have happened earlier.
///
///   rank 0   F0======                   B0======       path, back from the end: B0 on rank 0,
///                    \                 /               the transfer of its input, B0 and F0 on
///   rank 1            '---> F0==== B0==                rank 1, a transfer, F0 on rank 0
class PathBack {
 public:
  PathBack(const Schedule& schedule, const Timeline& timeline, const Topology& topology)
      : schedule_(schedule),
        timeline_(timeline),
        topology_(topology),
        ids_(schedule),
        dependencies_(FindDependencies(schedule)),
        transfer_of_(IndexTransfers(schedule, dependencies_).of_op),
        fronts_(schedule.programs.size()) {
    FindNeighbours();
  }

  Table<CriticalStep> Walk() {
    const Nanoseconds makespan = Makespan(timeline_);
    for (std::int32_t rank = 0; rank < schedule_.programs.Count(); ++rank) {
      const std::int32_t size = schedule_.programs[rank].Count();
      const OpRef last{rank, size - 1};
      if (size > 0 && SpanOf(last).end == makespan) {
        at_ = {last.rank, size};
        break;
      }
    }

    now_ = makespan;
    while (now_ > Nanoseconds(0)) {
      STAGECRAFT_CHECK(at_ || transfer_ >= 0, "every start has a cause in a simulated timeline");
      if (transfer_ >= 0) {
        BeforeTransfer(std::exchange(transfer_, -1));
      } else {
        BeforeOp(std::exchange(at_, kNoOp));
      }
    }

    std::reverse(path_.begin(), path_.end());
    return std::move(path_);
  }

 private:
  /// How far the ops of a rank that take no time at `time` reach back, and whether the op before
  /// them ends then.
  struct Front {
    Nanoseconds time{-1};
    std::int32_t begin = 0;
    bool held = false;
  };

  const Program& ProgramOf(std::int32_t rank) const { return schedule_.programs[rank]; }
  const Span& SpanOf(OpRef ref) const { return timeline_.spans[ids_.Of(ref)]; }
  const Transfer& TransferAt(std::int32_t index) const { return timeline_.transfers[index]; }

  void FindNeighbours() {
    before_.reserve(timeline_.transfers.size());
    Table<std::int32_t> last(schedule_.programs.Count(), -1);  // Per receiver, of one sender.
    for (std::int32_t i = 0; i < timeline_.transfers.Count(); ++i) {
      const Transfer& transfer = TransferAt(i);
      std::int32_t& before = last[transfer.recv.rank];
      const bool same_sender = before >= 0 && TransferAt(before).send.rank == transfer.send.rank;
      before_.push_back(same_sender ? before : -1);
      before = i;
    }
  }

  /// The op at `ref` starts now, or if not `started_` its rank gets to it now (or to the end of the
  /// program): why not earlier?
  void BeforeOp(OpRef ref) {
    const Front& front = FrontOf(ref);
    if (front.held) {
      AddLaneStep({ref.rank, front.begin - 1});
      return;
    }

    const bool started = std::exchange(started_, false);
    if (started && BlameStart(ref)) {
      return;
    }
    for (OpRef op{ref.rank, ref.index - 1}; op.index >= front.begin; --op.index) {
      if (Blame(op)) {
        return;
      }
    }
  }

  Front& FrontOf(OpRef ref) {
    Front& front = fronts_[ref.rank];
    if (front.time == now_) {
      return front;  // Found from a later op: what lies before this one is the same.
    }
    front = {now_, ref.index, false};

    while (front.begin > 0) {
      const Span& span = SpanOf({ref.rank, front.begin - 1});
      if (span.start < now_) {
        front.held = span.end == now_;
        break;
      }
      --front.begin;
    }
    return front;
  }

  void AddLaneStep(OpRef op) {
    const Program& program = ProgramOf(op.rank);
    if (TraitsOf(program[op.index].kind).is_send) {
      AddTransferStep(transfer_of_[op]);
      return;
    }
    op.index = CellBegin(program, op.index);
    const Span& span = SpanOf(op);
    Add({CriticalStep::Kind::kOp, op, span.start, now_});
    at_ = op;
    started_ = true;
  }

  void AddTransferStep(std::int32_t transfer) {
    Add({CriticalStep::Kind::kTransfer, TransferAt(transfer).send, TransferAt(transfer).start,
         now_});
    transfer_ = transfer;
  }

  void Add(const CriticalStep& step) {
    if (step.start < step.end) {
      path_.push_back(step);
    }
    now_ = step.start;
  }

  /// The same as `Blame`, of all ops of the cell that begins at `ref`.
  bool BlameStart(OpRef ref) {
    const std::int32_t end = CellEnd(ProgramOf(ref.rank), ref.index);
    for (OpRef op = ref; op.index < end; ++op.index) {
      if (Blame(op)) {
        return true;
      }
    }
    return false;
  }

  /// True, with where to go on, if the op kept its rank until now: its input arrived now, or the
  /// last member of its all-reduce came now, or its blocking SEND arrived now. Where to go on is
  /// something that the op waits for, so that the walk ends also where nothing takes time.
  bool Blame(OpRef ref) {
    const Op& op = schedule_.At(ref);
    if (TraitsOf(op.kind).is_send) {
      return topology_.send == SendMode::kBlocking && BlameTransfer(ref);
    }
    if (op.kind == OpKind::kAllReduce) {
      return BlameMember(ref);
    }
    return !TraitsOf(op.kind).is_recv && BlameTransfer(ref);
  }

  /// The transfer that a SEND makes or another op waits for, if any.
  bool BlameTransfer(OpRef ref) {
    const std::int32_t transfer = transfer_of_[ref];
    if (transfer == kNoTransfer || TransferAt(transfer).arrival != now_) {
      return false;
    }
    AddTransferStep(transfer);
    return true;
  }

  bool BlameMember(OpRef ref) {
    const std::int32_t collective = dependencies_.collective[ref];
    for (const OpRef member : dependencies_.collectives[collective].members) {
      const Nanoseconds reached =
          member.index > 0 ? SpanOf({member.rank, member.index - 1}).end : Nanoseconds(0);
      if (member != ref && reached == now_) {
        at_ = member;
        return true;
      }
    }
    return false;
  }

  /// The transfer starts now: why not earlier?
  void BeforeTransfer(std::int32_t index) {
    const Transfer& transfer = TransferAt(index);
    if (SpanOf(transfer.send).start == now_) {
      at_ = transfer.send;
    } else if (topology_.send != SendMode::kEager && SpanOf(transfer.recv).start == now_) {
      at_ = transfer.recv;
    } else {
      const std::int32_t before = before_[index];
      STAGECRAFT_CHECK(before >= 0, "every start has a cause in a simulated timeline");
      AddTransferStep(before);
    }
  }

  const Schedule& schedule_;
  const Timeline& timeline_;
  const Topology& topology_;
  OpIds ids_;
  Dependencies dependencies_;
  OpTable<std::int32_t> transfer_of_;  ///< As in `TransferIndex`.
  Table<Front> fronts_;                ///< Per rank.
  Table<std::int32_t> before_;         ///< Per transfer: the one before it on its channel.
  Table<CriticalStep> path_;           ///< Last step first.
  Nanoseconds now_{0};
  OpRef at_;                    ///< What is asked about next: an op that its rank reaches now, ...
  bool started_ = false;        ///< ... which also starts now; or ...
  std::int32_t transfer_ = -1;  ///< ... a transfer that starts now.
};

CostItem ItemOf(const Op& op) {
  return {.what = CostItem::What::kOp, .kind = op.kind, .index = op.stage};
}

/// Adds up steps by what they cost.
class Sums {
 public:
  void Add(const CostItem& item, Nanoseconds time) {
    Sensitivity& sum = sums_[item];
    sum.item = item;
    ++sum.steps;
    sum.total += time;
  }

  Table<Sensitivity> Take() const {
    Table<Sensitivity> all;
    for (const auto& [item, sum] : sums_) {
      all.push_back(sum);
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const Sensitivity& a, const Sensitivity& b) { return a.total > b.total; });
    return all;
  }

 private:
  std::map<CostItem, Sensitivity> sums_;
};

}  // namespace

Table<CriticalStep> CriticalPath(const Schedule& schedule, const Timeline& timeline,
                                 const Topology& topology) {
  return PathBack(schedule, timeline, topology).Walk();
}

Table<Sensitivity> Sensitivities(const Schedule& schedule, const Costs& costs,
                                 const Table<CriticalStep>& path) {
  Sums sums;
  for (const CriticalStep& step : path) {
    const Program& program = schedule.programs[step.op.rank];
    const std::int32_t end =
        step.kind == CriticalStep::Kind::kOp ? CellEnd(program, step.op.index) : step.op.index + 1;
    const TableView<const Op> cell = TableView<const Op>(program).Between(step.op.index, end);
    const std::int32_t stage = cell.front().stage;
    if (cell.size() > 1 && costs.stages[stage].joined) {
      sums.Add({.what = CostItem::What::kCell, .index = stage}, step.end - step.start);
      continue;
    }

    // By cost, so that each member has its own; what rounding leaves is the first one's.
    Nanoseconds left = step.end - step.start;
    const double scale =
        static_cast<double>(left.count()) / static_cast<double>(CellCost(cell, costs).count());
    for (const Op& op : cell.subspan(1)) {
      const Nanoseconds share(static_cast<std::int64_t>(
          scale * static_cast<double>(CellCost({&op, 1}, costs).count())));
      sums.Add(ItemOf(op), share);
      left -= share;
    }
    sums.Add(ItemOf(cell.front()), left);
  }
  return sums.Take();
}

}  // namespace stagecraft
