#include <algorithm>
#include <cstddef>
#include <utility>

#include "schedules/check.h"
#include "sim/cost_classes.h"
#include "sim/replay.h"
#include "sim/transfer_index.h"

namespace stagecraft {
namespace {

constexpr std::uint32_t kTimeZero = 0;   ///< The instruction that stands for time 0.
constexpr std::uint32_t kUnknown = ~0U;  ///< A step that is not there yet.
constexpr std::int32_t kAhead = 16;      ///< Ops to prefetch: ranks take turns too often for the
                                         ///< processor to see that each goes straight on.
constexpr std::uint32_t kNoClass = 0;    ///< Takes no time.

/// Walks the programs against each other, each rank as far as it gets, and writes down a step for
/// everything that takes time or that something else waits for:
///
///   rank 0   F0            SEND_F0            F1 ...
///             \            .
///   channel    '-> [first = F0, second = RECV_F0]
///                               \             .
///   rank 1                RECV_F0 '----------> F0
class Compiler {
 public:
  Compiler(const Schedule& schedule, const Dependencies& dependencies, SendMode send,
           std::span<const StageSizes> sizes)
      : schedule_(schedule),
        dependencies_(dependencies),
        send_(send),
        ids_(schedule),
        classes_(schedule, sizes, compiled_),
        ranks_(schedule.programs.size()) {
    compiled_.send = send;
    compiled_.ranks = static_cast<std::int32_t>(schedule.programs.size());
    compiled_.lanes = compiled_.ranks;
    compiled_.ops = ids_.Size();
  }

  std::optional<CompiledSchedule> Finish() {
    Prepare();
    while (!ready_.empty()) {
      const std::int32_t rank = ready_.back();
      ready_.pop_back();
      ranks_[static_cast<std::size_t>(rank)].asleep = false;
      Advance(rank);
    }
    for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
      if (ranks_[rank].cursor != static_cast<std::int32_t>(schedule_.programs[rank].size())) {
        return std::nullopt;
      }
    }
    return std::move(compiled_);
  }

 private:
  enum Action : std::uint32_t { kRun, kRunCell, kSend, kReceive, kMeet };
  /// What the walk must know of an op, instead of the op: 8 bytes.
  struct Plan {
    std::int32_t transfer = kNoTransfer;  ///< As in `TransferIndex`.
    std::uint32_t code = 0;               ///< 8 * cost class + action.

    std::uint32_t CostClass() const { return code / 8; }
    Action GetAction() const { return static_cast<Action>(code % 8); }
  };

  struct RankState {
    Plan* plans = nullptr;
    std::int32_t size = 0;
    std::int32_t cursor = 0;         ///< Ops that have run.
    std::uint32_t last = kTimeZero;  ///< Its last step.
    bool asleep = false;             ///< Waits for another rank.
    bool counted = false;            ///< At an A whose other members are not all there.
  };
  struct Channel {
    std::int32_t from = 0;
    std::int32_t to = 0;
  };
  /// Of one transfer.
  struct TransferSteps {
    std::uint32_t lane = 0;
    std::uint32_t cost_class = 0;
    std::uint32_t reached = kUnknown;   ///< The last step before its SEND.
    std::uint32_t posted = kUnknown;    ///< That of its RECV.
    std::uint32_t transfer = kUnknown;  ///< Its own.
  };

  void Prepare() {
    TransferIndex index = IndexTransfers(schedule_, dependencies_);
    PrepareChannels(index.transfers);
    PreparePlans(index.of_op);
    compiled_.transfers = std::move(index.transfers);
    PrepareCollectives();
    const std::size_t expected = static_cast<std::size_t>(compiled_.ops) + 1 +
                                 (send_ == SendMode::kBlocking ? steps_.size() : 0);
    compiled_.instructions.reserve(expected);
    compiled_.subject.reserve(expected);
    compiled_.instructions.push_back({});
    compiled_.subject.push_back(compiled_.NoSubject());
    for (std::int32_t rank = 0; rank < compiled_.ranks; ++rank) {
      compiled_.rank_begin.push_back(ids_.Begin(rank));
      ready_.push_back(compiled_.ranks - 1 - rank);
    }
  }

  /// Programs are often equally long, and ranks walk through them side by side. A cache line
  /// between them keeps their plans out of the same cache sets.
  void PreparePlans(const std::vector<std::int32_t>& transfer_of) {
    constexpr std::size_t kApart = 64 / sizeof(Plan);
    plans_.resize(static_cast<std::size_t>(compiled_.ops) + ranks_.size() * kApart);
    std::vector<std::uint32_t> classes;
    for (std::int32_t rank = 0; rank < compiled_.ranks; ++rank) {
      RankState& state = ranks_[static_cast<std::size_t>(rank)];
      const auto begin = static_cast<std::size_t>(ids_.Begin(rank));
      const std::vector<Op>& program = schedule_.programs[static_cast<std::size_t>(rank)];
      state.plans = plans_.data() + begin + static_cast<std::size_t>(rank) * kApart;
      state.size = static_cast<std::int32_t>(program.size());
      classes_.Assign(rank, classes);
      for (std::size_t i = 0; i < program.size(); ++i) {
        state.plans[i] = {transfer_of[begin + i], 8 * classes[i] + ActionOf(program[i])};
        if (IsSend(program[i].kind)) {
          steps_[static_cast<std::size_t>(transfer_of[begin + i])].cost_class =
              classes_.OfTransfer(program[i]);
        }
      }
    }
  }

  static Action ActionOf(const Op& op) {
    return IsSend(op.kind)                 ? kSend
           : IsRecv(op.kind)               ? kReceive
           : op.kind == OpKind::kAllReduce ? kMeet
           : op.joined                     ? kRunCell
                                           : kRun;
  }

  /// Gives every pair of ranks that talk a lane. A rank talks to few others: a short list each.
  void PrepareChannels(const std::vector<Transfer>& transfers) {
    steps_.resize(transfers.size());
    std::size_t of_sender = 0;  // The first channel of the sender at hand.
    for (std::size_t i = 0; i < transfers.size(); ++i) {
      const Channel wanted{transfers[i].send.rank, transfers[i].recv.rank};
      if (i > 0 && transfers[i - 1].send.rank != wanted.from) {
        of_sender = channels_.size();
      }
      std::size_t channel = of_sender;
      while (channel < channels_.size() && channels_[channel].to != wanted.to) {
        ++channel;
      }
      if (channel == channels_.size()) {
        channels_.push_back(wanted);
      }
      steps_[i].lane = static_cast<std::uint32_t>(ranks_.size() + channel);
    }
    compiled_.lanes = static_cast<std::int32_t>(ranks_.size() + channels_.size());
  }

  void PrepareCollectives() {
    if (dependencies_.collectives.empty()) {
      return;
    }
    collective_of_.assign(static_cast<std::size_t>(compiled_.ops), 0);
    for (std::size_t i = 0; i < dependencies_.collectives.size(); ++i) {
      const std::vector<OpRef>& members = dependencies_.collectives[i].members;
      missing_.push_back(members.size());
      for (const OpRef member : members) {
        collective_of_[static_cast<std::size_t>(ids_.Of(member))] = static_cast<std::int32_t>(i);
      }
    }
  }

  void Advance(std::int32_t rank) {
    RankState& state = ranks_[static_cast<std::size_t>(rank)];
    __builtin_prefetch(state.plans + state.cursor + kAhead);
    while (state.cursor < state.size) {
      if (!Step(state, {rank, state.cursor}, state.plans[state.cursor])) {
        state.asleep = true;
        return;
      }
    }
  }

  /// Runs one op, or cell; false if it must wait.
  bool Step(RankState& state, OpRef ref, Plan plan) {
    switch (plan.GetAction()) {
      case kSend:
        return Send(state, ref, plan);
      case kReceive:
        return Receive(state, ref, plan);
      case kMeet:
        return Meet(ref);
      case kRunCell:
        return RunCell(state, ref);
      default:
        return RunOp(state, ref, plan);
    }
  }

  bool RunOp(RankState& state, OpRef ref, Plan plan) {
    const std::uint32_t input = InputOf(plan);
    if (input == kUnknown) {
      return false;
    }
    Emit(ref.rank, {input, kTimeZero}, plan.CostClass(), ids_.Of(ref));
    ++state.cursor;
    return true;
  }

  /// The step that an op waits for. What its own rank makes is there, since that stands before it
  /// in the program.
  std::uint32_t InputOf(Plan plan) const {
    return plan.transfer == kNoTransfer ? kTimeZero
                                        : steps_[static_cast<std::size_t>(plan.transfer)].transfer;
  }

  bool RunCell(RankState& state, OpRef ref) {
    const std::int32_t end =
        CellEnd(schedule_.programs[static_cast<std::size_t>(ref.rank)], ref.index);
    inputs_.clear();
    for (std::int32_t i = ref.index; i < end; ++i) {
      inputs_.push_back(InputOf(state.plans[i]));
      if (inputs_.back() == kUnknown) {
        return false;
      }
    }
    const std::int32_t last = ids_.Of({ref.rank, end - 1});
    Gather(ref.rank, state.plans[end - 1].CostClass(), last);
    for (std::int32_t id = ids_.Of(ref); id < last; ++id) {
      compiled_.same_spans.push_back({id, last});
    }
    state.cursor = end;
    return true;
  }

  /// One step of `rank` that waits for all of `inputs_`, two at a time.
  void Gather(std::int32_t rank, std::uint32_t cost_class, std::int32_t subject) {
    inputs_.resize(std::max<std::size_t>(inputs_.size(), 2), kTimeZero);
    while (inputs_.size() > 2) {
      const std::uint32_t second = inputs_.back();
      inputs_.pop_back();
      Emit(rank, {inputs_.back(), second}, kNoClass, compiled_.NoSubject());
      inputs_.back() = kTimeZero;  // The rank has waited for both.
    }
    Emit(rank, {inputs_[0], inputs_[1]}, cost_class, subject);
  }

  bool Receive(RankState& state, OpRef ref, Plan plan) {
    TransferSteps& steps = steps_[static_cast<std::size_t>(plan.transfer)];
    steps.posted = Emit(ref.rank, {kTimeZero, kTimeZero}, plan.CostClass(), ids_.Of(ref));
    ++state.cursor;
    if (send_ == SendMode::kRendezvous && steps.reached != kUnknown) {
      EmitTransfer(plan.transfer, steps.posted);
    } else if (send_ == SendMode::kBlocking) {
      Wake(ChannelOf(steps).from);
    }
    return true;
  }

  bool Send(RankState& state, OpRef ref, Plan plan) {
    TransferSteps& steps = steps_[static_cast<std::size_t>(plan.transfer)];
    if (send_ == SendMode::kBlocking && steps.posted == kUnknown) {
      return false;
    }
    steps.reached = state.last;
    if (send_ == SendMode::kEager) {
      EmitTransfer(plan.transfer, kTimeZero);
    } else if (steps.posted != kUnknown) {
      EmitTransfer(plan.transfer, steps.posted);
    }
    if (send_ == SendMode::kBlocking) {
      Emit(ref.rank, {steps.transfer, kTimeZero}, kNoClass, compiled_.NoSubject());
    }
    ++state.cursor;
    return true;
  }

  void EmitTransfer(std::int32_t transfer, std::uint32_t posted) {
    TransferSteps& steps = steps_[static_cast<std::size_t>(transfer)];
    steps.transfer = Append({steps.reached, posted, steps.lane, steps.cost_class}, transfer);
    Wake(ChannelOf(steps).to);
  }

  const Channel& ChannelOf(const TransferSteps& steps) const {
    return channels_[steps.lane - ranks_.size()];
  }

  /// The last member to come makes a step that waits for all; it starts those of the members.
  bool Meet(OpRef ref) {
    RankState& state = ranks_[static_cast<std::size_t>(ref.rank)];
    if (state.counted) {
      return false;
    }
    state.counted = true;
    const auto collective =
        static_cast<std::size_t>(collective_of_[static_cast<std::size_t>(ids_.Of(ref))]);
    if (--missing_[collective] > 0) {
      return false;
    }
    const std::vector<OpRef>& members = dependencies_.collectives[collective].members;
    inputs_.clear();
    for (const OpRef member : members) {
      inputs_.push_back(ranks_[static_cast<std::size_t>(member.rank)].last);
    }
    Gather(ref.rank, kNoClass, compiled_.NoSubject());
    const std::uint32_t start = state.last;
    for (const OpRef member : members) {
      const std::int32_t id = ids_.Of(member);
      RankState& of_member = ranks_[static_cast<std::size_t>(member.rank)];
      Emit(member.rank, {start, kTimeZero}, of_member.plans[member.index].CostClass(), id);
      ++of_member.cursor;
      of_member.counted = false;
      Wake(member.rank);
    }
    return true;
  }

  struct Inputs {
    std::uint32_t first = kTimeZero;
    std::uint32_t second = kTimeZero;
  };

  std::uint32_t Emit(std::int32_t rank, Inputs inputs, std::uint32_t cost_class,
                     std::int32_t subject) {
    const auto lane = static_cast<std::uint32_t>(rank);
    return ranks_[lane].last = Append({inputs.first, inputs.second, lane, cost_class}, subject);
  }

  std::uint32_t Append(const Instruction& instruction, std::int32_t subject) {
    compiled_.instructions.push_back(instruction);
    compiled_.subject.push_back(subject);
    return static_cast<std::uint32_t>(compiled_.instructions.size()) - 1;
  }

  void Wake(std::int32_t rank) {
    RankState& state = ranks_[static_cast<std::size_t>(rank)];
    if (state.asleep) {
      state.asleep = false;
      ready_.push_back(rank);
    }
  }

  const Schedule& schedule_;
  const Dependencies& dependencies_;
  SendMode send_;
  OpIds ids_;
  CompiledSchedule compiled_;
  CostClasses classes_;
  std::vector<RankState> ranks_;
  std::vector<std::int32_t> ready_;          ///< Ranks that may be able to go on, the next last.
  std::vector<Plan> plans_;                  ///< Per op, rank by rank, with gaps between ranks.
  std::vector<TransferSteps> steps_;         ///< Per transfer.
  std::vector<Channel> channels_;            ///< By lane, behind those of the ranks.
  std::vector<std::int32_t> collective_of_;  ///< Per op: collective of an A; may be empty.
  std::vector<std::size_t> missing_;         ///< Per collective: members that are not there yet.
  std::vector<std::uint32_t> inputs_;        ///< Of the step at hand.
};

}  // namespace

std::optional<CompiledSchedule> Compile(const Schedule& schedule, const Dependencies& dependencies,
                                        SendMode send, std::span<const StageSizes> sizes) {
  return Compiler(schedule, dependencies, send, sizes).Finish();
}

}  // namespace stagecraft
