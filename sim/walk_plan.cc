#include "sim/walk_plan.h"

#include <cstddef>
#include <utility>

namespace stagecraft {
namespace {

OpPlan::Action ActionOf(const Op& op) {
  return IsSend(op.kind)                 ? OpPlan::Action::kSend
         : IsRecv(op.kind)               ? OpPlan::Action::kReceive
         : op.kind == OpKind::kAllReduce ? OpPlan::Action::kMeet
         : op.joined                     ? OpPlan::Action::kRunCell
                                         : OpPlan::Action::kRun;
}

/// Gives every pair of ranks that talk a lane. A rank talks to few others: a short list each.
void FindChannels(WalkPlan& plan) {
  plan.of_transfer.resize(plan.transfers.size());
  std::size_t of_sender = 0;  // The first channel of the sender at hand.
  for (std::size_t i = 0; i < plan.transfers.size(); ++i) {
    const Channel wanted{plan.transfers[i].send.rank, plan.transfers[i].recv.rank};
    if (i > 0 && plan.transfers[i - 1].send.rank != wanted.from) {
      of_sender = plan.channels.size();
    }
    std::size_t channel = of_sender;
    while (channel < plan.channels.size() && plan.channels[channel].to != wanted.to) {
      ++channel;
    }
    if (channel == plan.channels.size()) {
      plan.channels.push_back(wanted);
    }
    plan.of_transfer[i].lane = static_cast<std::uint32_t>(plan.programs.size() + channel);
  }
}

/// Programs are often equally long, and ranks walk through them side by side: a cache line between
/// them keeps their plans out of the same cache sets.
void PlanOps(const Schedule& schedule, const std::vector<std::int32_t>& transfer_of,
             ClassFinder& finder, WalkPlan& plan) {
  constexpr std::size_t kApart = 64 / sizeof(OpPlan);
  plan.ops.resize(transfer_of.size() + plan.programs.size() * kApart);
  std::vector<std::uint32_t> classes;
  for (std::size_t rank = 0; rank < plan.programs.size(); ++rank) {
    const auto begin = static_cast<std::size_t>(plan.ids.Begin(static_cast<std::int32_t>(rank)));
    const std::vector<Op>& program = schedule.programs[rank];
    OpPlan* const ops = plan.ops.data() + begin + rank * kApart;
    plan.programs[rank] = ops;
    finder.Assign(static_cast<std::int32_t>(rank), classes);
    for (std::size_t i = 0; i < program.size(); ++i) {
      const std::int32_t transfer = transfer_of[begin + i];
      const OpPlan::Action action = ActionOf(program[i]);
      ops[i] = {transfer, 8 * classes[i] + static_cast<std::uint32_t>(action)};
      if (action == OpPlan::Action::kSend) {
        plan.of_transfer[static_cast<std::size_t>(transfer)].cost_class = classes[i];
      }
    }
  }
}

}  // namespace

WalkPlan PlanWalk(const Schedule& schedule, const Dependencies& dependencies,
                  std::span<const StageSizes> sizes) {
  TransferIndex index = IndexTransfers(schedule, dependencies);
  ClassFinder finder(schedule, sizes);
  WalkPlan plan{.ids = OpIds(schedule),
                .programs = std::vector<const OpPlan*>(schedule.programs.size(), nullptr),
                .ops = {},
                .transfers = std::move(index.transfers),
                .of_transfer = {},
                .channels = {},
                .classes = {}};
  FindChannels(plan);
  PlanOps(schedule, index.of_op, finder, plan);
  plan.classes = finder.Take();
  return plan;
}

}  // namespace stagecraft
