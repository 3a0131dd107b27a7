#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "schedules/dependencies.h"
#include "schedules/progress.h"
#include "schedules/schedule.h"
#include "schedules/tables.h"
#include "sim/replay.h"
#include "sim/walk_plan.h"

namespace stagecraft {

/// A step of a walk: its place in the list of instructions.
using Step = std::uint32_t;
inline constexpr Step kTimeZero = 0;  ///< The beginning of the run.
inline constexpr Step kNoStep = ~0U;  ///< One that is not there yet.

/// The two steps that another one waits for.
struct StepInputs {
  Step first = kTimeZero;
  Step second = kTimeZero;
};

/// Writes down the steps of a walk.
class StepList {
 public:
  StepList(std::int32_t expected, std::int32_t no_op) {
    compiled_.instructions.reserve(expected + 1);
    compiled_.subject.reserve(expected + 1);
    Append({}, no_op);
  }

  /// `op` is one more than the last id for steps that belong to no op: waits of a rank.
  Step Run(StepInputs inputs, std::uint32_t lane, std::uint32_t cost_class, std::int32_t op) {
    return Append({inputs.first, inputs.second, lane, cost_class}, op);
  }
  Step Carry(StepInputs inputs, TransferPlan plan, std::int32_t transfer) {
    return Append({inputs.first, inputs.second, plan.lane, plan.cost_class}, transfer);
  }
  /// `op` is a member of the cell of `like`.
  void SameSpan(std::int32_t op, std::int32_t like) { compiled_.same_spans.push_back({op, like}); }

  CompiledSchedule Take() { return std::move(compiled_); }

 private:
  Step Append(const Instruction& instruction, std::int32_t subject) {
    compiled_.instructions.push_back(instruction);
    compiled_.subject.push_back(subject);
    return static_cast<Step>(compiled_.instructions.size()) - 1;
  }

  CompiledSchedule compiled_;
};

/// Walks the programs of all ranks against each other, each as far as it gets before the next has
/// its turn, and lists every step that takes time or that another step waits for, each after all it
/// waits for:
///
///   rank 0   F0            SEND_F0            F1 ...
///             \            .
///   channel    '-> transfer: first = F0, second = RECV_F0
///                               \             .
///   rank 1                RECV_F0 '----------> F0
///
/// The rules are those of sim/README.md.
class Walk {
 public:
  Walk(const Schedule& schedule, const Dependencies& dependencies, SendMode send,
       const WalkPlan& plan, StepList& steps)
      : schedule_(schedule),
        dependencies_(dependencies),
        send_(send),
        plan_(plan),
        steps_(steps),
        ranks_(schedule.programs.size()),
        transfers_(plan.of_transfer.size(), kNoStep) {
    if (send_ != SendMode::kEager) {
      ends_.resize(plan.of_transfer.size());
    }
    for (const Collective& collective : dependencies.collectives) {
      missing_.push_back(collective.members.Count());
    }
  }

  /// True if all programs came to their ends; false if ops wait for each other.
  bool Finish() {
    for (std::int32_t rank = plan_.Ranks(); rank-- > 0;) {
      ready_.push_back(rank);
    }

    while (!ready_.empty()) {
      const std::int32_t rank = ready_.back();
      ready_.pop_back();
      Advance(rank);
    }

    for (std::int32_t rank = 0; rank < ranks_.Count(); ++rank) {
      if (ranks_[rank].cursor != schedule_.programs[rank].Count()) {
        return false;
      }
    }
    return true;
  }

 private:
  using Action = OpPlan::Action;

  struct RankState {
    std::int32_t cursor = 0;  ///< Ops that have run.
    bool asleep = false;      ///< Waits for another rank.
    bool counted = false;     ///< At an A whose other members are not all there.
    Step last = kTimeZero;    ///< Its last step.
  };
  /// Both ends of a transfer, unless sends are eager.
  struct Ends {
    Step reached = kNoStep;  ///< The last step before its SEND.
    Step posted = kNoStep;   ///< That of its RECV.
  };

  RankState& StateOf(std::int32_t rank) { return ranks_[rank]; }

  void Advance(std::int32_t rank) {
    // Ranks take turns too often for the processor to see that each of them goes straight on.
    constexpr std::int32_t kAhead = 16;
    RankState& state = StateOf(rank);
    const OpPlan* const program = plan_.programs[rank];
    const std::int32_t size = schedule_.programs[rank].Count();
    state.asleep = false;
    __builtin_prefetch(program + state.cursor + kAhead);
    while (state.cursor < size) {
      if (!Next(state, {rank, state.cursor}, program[state.cursor])) {
        state.asleep = true;
        return;
      }
    }
  }

  /// Runs one op, or cell; false if it must wait.
  bool Next(RankState& state, OpRef ref, OpPlan plan) {
    switch (plan.GetAction()) {
      case Action::kSend:
        return Send(state, ref, plan.transfer);
      case Action::kReceive:
        return Receive(state, ref, plan);
      case Action::kMeet:
        return Meet(state, ref);
      case Action::kRunCell:
        return RunCell(state, ref);
      case Action::kRun:
        break;
    }

    const Step input = InputOf(plan);
    if (input == kNoStep) {
      return false;
    }
    Run(state, ref.rank, {input, kTimeZero}, plan.CostClass(), plan_.ids.Of(ref));
    ++state.cursor;
    return true;
  }

  void Run(RankState& state, std::int32_t rank, StepInputs inputs, std::uint32_t cost_class,
           std::int32_t op) {
    state.last = steps_.Run(inputs, static_cast<std::uint32_t>(rank), cost_class, op);
  }

  /// The step that an op waits for. What its own rank makes is there, since that stands before it
  /// in the program.
  Step InputOf(OpPlan plan) const {
    return plan.transfer == kNoTransfer ? kTimeZero : transfers_[plan.transfer];
  }

  bool RunCell(RankState& state, OpRef ref) {
    const OpPlan* const program = plan_.programs[ref.rank];
    const std::int32_t end = CellEnd(schedule_.programs[ref.rank], ref.index);
    inputs_.clear();
    for (std::int32_t i = ref.index; i < end; ++i) {
      inputs_.push_back(InputOf(program[i]));
      if (inputs_.back() == kNoStep) {
        return false;
      }
    }

    const std::int32_t last = plan_.ids.Of({ref.rank, end - 1});
    Gather(state, ref.rank, program[end - 1].CostClass(), last);
    for (std::int32_t op = plan_.ids.Of(ref); op < last; ++op) {
      steps_.SameSpan(op, last);
    }
    state.cursor = end;
    return true;
  }

  /// One step of `rank` that waits for all of `inputs_`, by way of steps that wait for two each.
  void Gather(RankState& state, std::int32_t rank, std::uint32_t cost_class, std::int32_t op) {
    while (inputs_.size() > 2) {
      const Step second = inputs_.back();
      inputs_.pop_back();
      Run(state, rank, {inputs_.back(), second}, kNoCost, plan_.ids.Size());
      inputs_.pop_back();
    }
    inputs_.resize(2, kTimeZero);
    Run(state, rank, {inputs_[0], inputs_[1]}, cost_class, op);
  }

  bool Receive(RankState& state, OpRef ref, OpPlan plan) {
    Run(state, ref.rank, {kTimeZero, kTimeZero}, plan.CostClass(), plan_.ids.Of(ref));
    ++state.cursor;
    if (send_ == SendMode::kEager) {
      return true;
    }
    const std::int32_t transfer = plan.transfer;
    ends_[transfer].posted = state.last;
    if (send_ == SendMode::kBlocking) {
      Wake(plan_.ChannelOf(transfer).from);
    } else if (ends_[transfer].reached != kNoStep) {
      Carry(transfer, {ends_[transfer].reached, state.last});
    }
    return true;
  }

  bool Send(RankState& state, OpRef ref, std::int32_t transfer) {
    if (send_ == SendMode::kEager) {
      Carry(transfer, {state.last, kTimeZero});
      ++state.cursor;
      return true;
    }

    Ends& ends = ends_[transfer];
    if (send_ == SendMode::kBlocking && ends.posted == kNoStep) {
      return false;
    }
    ends.reached = state.last;
    if (ends.posted != kNoStep) {
      Carry(transfer, {ends.reached, ends.posted});
    }
    if (send_ == SendMode::kBlocking) {
      Run(state, ref.rank, {transfers_[transfer], kTimeZero}, kNoCost, plan_.ids.Size());
    }
    ++state.cursor;
    return true;
  }

  void Carry(std::int32_t transfer, StepInputs inputs) {
    transfers_[transfer] = steps_.Carry(inputs, plan_.of_transfer[transfer], transfer);
    Wake(plan_.ChannelOf(transfer).to);
  }

  /// The last member to come makes a step that waits for all; it starts those of the members.
  bool Meet(RankState& state, OpRef ref) {
    if (state.counted) {
      return false;
    }
    state.counted = true;
    const std::int32_t collective = dependencies_.collective[ref];
    if (--missing_[collective] > 0) {
      return false;
    }
    const Table<OpRef>& members = dependencies_.collectives[collective].members;

    inputs_.clear();
    for (const OpRef member : members) {
      inputs_.push_back(StateOf(member.rank).last);
    }
    Gather(state, ref.rank, kNoCost, plan_.ids.Size());
    const Step start = state.last;

    for (const OpRef member : members) {
      const OpPlan plan = plan_.programs[member.rank][member.index];
      RankState& of_member = StateOf(member.rank);
      Run(of_member, member.rank, {start, kTimeZero}, plan.CostClass(), plan_.ids.Of(member));
      ++of_member.cursor;
      of_member.counted = false;
      Wake(member.rank);
    }
    return true;
  }

  void Wake(std::int32_t rank) {
    RankState& state = StateOf(rank);
    if (state.asleep) {
      state.asleep = false;
      ready_.push_back(rank);
    }
  }

  const Schedule& schedule_;
  const Dependencies& dependencies_;
  SendMode send_;
  const WalkPlan& plan_;
  StepList& steps_;
  Table<RankState> ranks_;
  Table<std::int32_t> ready_;    ///< Ranks that may be able to go on, the next last.
  Table<Step> transfers_;        ///< Per transfer: its step.
  Table<Ends> ends_;             ///< Per transfer; empty if sends are eager.
  Table<std::int32_t> missing_;  ///< Per collective: members that are not there yet.
  Table<Step> inputs_;           ///< Of the step at hand.
};

}  // namespace stagecraft
