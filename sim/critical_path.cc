#include "sim/critical_path.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "schedules/check.h"
#include "schedules/dependencies.h"
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
        fronts_(schedule.programs.size()) {
    IndexTransfers();
    IndexCollectives();
  }

  std::vector<CriticalStep> Walk() {
    const Nanoseconds makespan = Makespan(timeline_);
    for (std::size_t rank = 0; rank < schedule_.programs.size(); ++rank) {
      const auto size = static_cast<std::int32_t>(schedule_.programs[rank].size());
      const OpRef last{static_cast<std::int32_t>(rank), size - 1};
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

  const std::vector<Op>& Program(std::int32_t rank) const {
    return schedule_.programs[static_cast<std::size_t>(rank)];
  }
  const Span& SpanOf(OpRef ref) const {
    return timeline_.spans[static_cast<std::size_t>(ids_.Of(ref))];
  }
  const Transfer& TransferAt(std::int32_t index) const {
    return timeline_.transfers[static_cast<std::size_t>(index)];
  }

  void IndexTransfers() {
    transfer_of_.assign(timeline_.spans.size(), -1);
    before_.reserve(timeline_.transfers.size());
    std::vector<std::int32_t> last(schedule_.programs.size(), -1);  // Per receiver, of one sender.
    for (std::size_t i = 0; i < timeline_.transfers.size(); ++i) {
      const Transfer& transfer = timeline_.transfers[i];
      transfer_of_[static_cast<std::size_t>(ids_.Of(transfer.send))] = static_cast<std::int32_t>(i);
      transfer_of_[static_cast<std::size_t>(ids_.Of(transfer.recv))] = static_cast<std::int32_t>(i);
      std::int32_t& before = last[static_cast<std::size_t>(transfer.recv.rank)];
      const bool same_sender = before >= 0 && TransferAt(before).send.rank == transfer.send.rank;
      before_.push_back(same_sender ? before : -1);
      before = static_cast<std::int32_t>(i);
    }
  }

  void IndexCollectives() {
    for (std::size_t i = 0; i < dependencies_.collectives.size(); ++i) {
      for (const OpRef member : dependencies_.collectives[i].members) {
        collective_of_[member] = i;
      }
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
    Front& front = fronts_[static_cast<std::size_t>(ref.rank)];
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
    const std::vector<Op>& program = Program(op.rank);
    if (IsSend(program[static_cast<std::size_t>(op.index)].kind)) {
      AddTransferStep(transfer_of_[static_cast<std::size_t>(ids_.Of(op))]);
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
    const std::int32_t end = CellEnd(Program(ref.rank), ref.index);
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
    if (IsSend(op.kind)) {
      return topology_.send == SendMode::kBlocking && BlameTransfer(ref);
    }
    if (op.kind == OpKind::kAllReduce) {
      return BlameMember(ref);
    }
    return !IsRecv(op.kind) && BlameInput(ref);
  }

  bool BlameInput(OpRef ref) {
    const OpRef input =
        dependencies_
            .input[static_cast<std::size_t>(ref.rank)][static_cast<std::size_t>(ref.index)];
    return input && IsRecv(schedule_.At(input).kind) && BlameTransfer(input);
  }

  bool BlameTransfer(OpRef send_or_recv) {
    const std::int32_t transfer = transfer_of_[static_cast<std::size_t>(ids_.Of(send_or_recv))];
    if (TransferAt(transfer).arrival != now_) {
      return false;
    }
    AddTransferStep(transfer);
    return true;
  }

  bool BlameMember(OpRef ref) {
    const std::size_t collective = collective_of_.at(ref);
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
      const std::int32_t before = before_[static_cast<std::size_t>(index)];
      STAGECRAFT_CHECK(before >= 0, "every start has a cause in a simulated timeline");
      AddTransferStep(before);
    }
  }

  const Schedule& schedule_;
  const Timeline& timeline_;
  const Topology& topology_;
  OpIds ids_;
  Dependencies dependencies_;
  std::vector<Front> fronts_;              ///< Per rank.
  std::vector<std::int32_t> transfer_of_;  ///< Per op: transfer of a SEND or RECV.
  std::vector<std::int32_t> before_;       ///< Per transfer: the one before it on its channel.
  std::map<OpRef, std::size_t> collective_of_;
  std::vector<CriticalStep> path_;  ///< Last step first.
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

  std::vector<Sensitivity> Take() const {
    std::vector<Sensitivity> all;
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

std::vector<CriticalStep> CriticalPath(const Schedule& schedule, const Timeline& timeline,
                                       const Topology& topology) {
  return PathBack(schedule, timeline, topology).Walk();
}

std::vector<Sensitivity> Sensitivities(const Schedule& schedule, const Costs& costs,
                                       const std::vector<CriticalStep>& path) {
  Sums sums;
  for (const CriticalStep& step : path) {
    const std::vector<Op>& program = schedule.programs[static_cast<std::size_t>(step.op.rank)];
    const std::int32_t end =
        step.kind == CriticalStep::Kind::kOp ? CellEnd(program, step.op.index) : step.op.index + 1;
    const std::span<const Op> cell(program.data() + step.op.index,
                                   static_cast<std::size_t>(end - step.op.index));
    const std::int32_t stage = cell.front().stage;
    if (cell.size() > 1 && costs.stages[static_cast<std::size_t>(stage)].joined) {
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
